/** Designs, requirements and critiques as releases of ours have stored them. */
import { parseDesign } from './parse.js';
import { toStorableDesign } from './names.js';
import type { Critique, Design, Intent } from './designs.js';
import { unparsableIntent } from '../discussion/intents.js';
import {
  aFlag,
  aNumber,
  aText,
  Fields,
  listOf,
  oneOf,
  refuse,
  type Reader,
} from '../text/stored-json.js';

const someTexts = listOf(aText);

/** Of every release: what came later has its default. */
export const aDesign: Reader<Design> = (value, path) => {
  const parsed = parseDesign(value, 'store');
  if (parsed.kind === 'parsed') {
    return toStorableDesign(parsed.value);
  }
  const [problem] = parsed.problems;
  const where = problem?.path.map((step) => `.${step}`).join('') ?? '';
  return refuse(`${path}${where}`, `a design (${problem?.message ?? ''})`);
};

export const anIntent: Reader<Intent> = (value, path) => {
  const fields = new Fields(value, path);
  const unknown = unparsableIntent('en');
  return {
    task: fields.find('task', aText, unknown.task),
    source_type: fields.find('source_type', aText, unknown.source_type),
    source_hints: fields.find('source_hints', someTexts, []),
    output_format: fields.find('output_format', aText, unknown.output_format),
    needs_clarification: fields.find('needs_clarification', aFlag, false),
    clarification_questions: fields.find('clarification_questions', someTexts, []),
    confidence: fields.find('confidence', aNumber, unknown.confidence),
    estimated_complexity: fields.find(
      'estimated_complexity',
      oneOf<Intent['estimated_complexity']>(['simple', 'standard', 'complex']),
      unknown.estimated_complexity,
    ),
    summary: fields.find('summary', aText, ''),
  };
};

export const aCritique: Reader<Critique> = (value, path) => {
  const fields = new Fields(value, path);
  return {
    design_name: fields.get('design_name', aText),
    weaknesses: fields.find('weaknesses', someTexts, []),
    risks: fields.find('risks', someTexts, []),
    edge_cases: fields.find('edge_cases', someTexts, []),
    security_concerns: fields.find('security_concerns', someTexts, []),
    cost_concerns: fields.find('cost_concerns', someTexts, []),
    scalability_notes: fields.find('scalability_notes', someTexts, []),
    overall_score: fields.get('overall_score', aNumber),
    recommendation: fields.find('recommendation', aText, ''),
  };
};

/**
 * The design of a run as it is stored. One that cannot be read has no agents, so that its run ends
 * with a reason like any that cannot be built.
 */
export function readStoredDesign(stored: unknown, name: string): Design {
  const parsed = parseDesign(stored, 'store');
  if (parsed.kind === 'parsed') {
    return toStorableDesign(parsed.value);
  }
  const nothing = { agents: [], edges: null, pros: [], cons: [], source_hints: [] };
  const words = { name, description: '', estimated_cost: 'unknown', complexity: 'medium' };
  return { ...words, ...nothing, recommended: false };
}
