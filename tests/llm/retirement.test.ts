/** When models retire, by a fixed clock, and that the copied prices are those of the package. */
import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { BUILT_IN_DEFAULT_MODEL } from '../../config/config.js';
import { BUILT_IN_MODELS, PricesFile } from '../../llm/routing/models-file.js';
import { findProblems, listRetirements } from '../../llm/routing/retirement.js';
import { describePriceChanges, makePriceList } from '../../scripts/price-list.js';
import { watchRetirements } from '../../telemetry/model-metrics.js';

const TODAY = '2026-12-01';

test('classes and the default are sold for another half year', () => {
  expect(findProblems(BUILT_IN_MODELS, BUILT_IN_DEFAULT_MODEL, TODAY)).toEqual([]);
});

test('a class or a default that is not is named, as is one without a price', () => {
  const openai = { simple: 'gpt-4o-mini', standard: 'gpt-5.1', complex: 'gpt-9' };
  const catalog = {
    ...BUILT_IN_MODELS,
    classes: { ...BUILT_IN_MODELS.classes, openai },
  };
  expect(findProblems(catalog, 'claude-sonnet-4-5', TODAY)).toEqual([
    'classes.openai.simple: gpt-4o-mini retires on 2027-01-14, before 2027-06-01',
    'classes.openai.standard: gpt-5.1 retires on 2027-04-01, before 2027-06-01',
    'classes.openai.complex: gpt-9 is not listed with a price',
    'DEFAULT_LLM_MODEL: claude-sonnet-4-5 retires on 2026-11-30, before 2027-06-01',
  ]);
});

const modelsOf = (day: string) =>
  listRetirements(BUILT_IN_MODELS, BUILT_IN_DEFAULT_MODEL, day).map(({ model }) => model);

test('a retirement is announced from 60 days before until its day', () => {
  expect(modelsOf('2026-11-14')).not.toContain('gpt-4o'); // 61 days
  expect(modelsOf('2026-11-15')).toContain('gpt-4o');
  expect(modelsOf('2027-01-13')).toContain('gpt-4o');
  expect(modelsOf('2027-01-14')).not.toContain('gpt-4o');
});

test('one that has retired is still announced where we choose it ourselves', () => {
  expect(listRetirements(BUILT_IN_MODELS, 'gpt-4o', '2027-02-14')).toContainEqual({
    ...{ provider: 'openai', model: 'gpt-4o', retiresOn: '2027-01-14', days: -31 },
  });
});

test('the metric counts the days', async () => {
  const registry = new Registry();
  watchRetirements(registry, () => listRetirements(BUILT_IN_MODELS, BUILT_IN_DEFAULT_MODEL, TODAY));
  const page = await registry.metrics();
  expect(page).toContain('model_retires_in_days{provider="openai",model="gpt-4o"} 44');
  expect(page).not.toContain('gpt-6-luna');
});

test('llm/prices.json is what `npm run models:update` writes', async () => {
  const { text } = await makePriceList();
  expect(readFileSync('llm/prices.json', 'utf8')).toBe(text);
});

test('the difference of two lists is one line for each model', async () => {
  const { list } = await makePriceList();
  const [first, second] = list.models;
  const changed = PricesFile.parse({
    ...list,
    models: list.models
      .filter(({ id }) => id !== first?.id)
      .map((model) =>
        model.id === second?.id
          ? { ...model, prices: [{ ...model.prices[0], inputUsdPerMillion: '99' }] }
          : model,
      ),
  });
  const lines = describePriceChanges(list, changed);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(new RegExp(`^- ${String(first?.id)}: in 5 out 15`));
  expect(lines[1]).toMatch(/^~ .*→ in 99 /);
  expect(describePriceChanges(changed, list)[1]).toMatch(/^\+ /);
});
