/**
 * `npm run models:check`: fails where a class or the default names a model that its vendor does not sell for
 * another half year. With MODELS_FILE and DEFAULT_LLM_MODEL where they are set.
 */
import { BUILT_IN_DEFAULT_MODEL } from '../config/config.js';
import { readClockDay } from '../llm/routing/model-catalog.js';
import { BUILT_IN_MODELS, readModelsFile } from '../llm/routing/models-file.js';
import { findProblems, listRetirements } from '../llm/routing/retirement.js';

const { MODELS_FILE: file, DEFAULT_LLM_MODEL: defaultModel = BUILT_IN_DEFAULT_MODEL } = process.env;
const catalog = file === undefined ? BUILT_IN_MODELS : readModelsFile(file);
const today = readClockDay();
for (const { model, retiresOn, days } of listRetirements(catalog, defaultModel, today)) {
  console.log(`${model} retires on ${retiresOn}, in ${days} days`);
}
const problems = findProblems(catalog, defaultModel, today);
for (const problem of problems) {
  console.error(problem);
}
process.exitCode = problems.length === 0 ? 0 : 1;
