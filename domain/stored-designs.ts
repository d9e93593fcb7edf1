/** Designs, requirements and critiques as releases of ours have stored them. */
import { toStorableDesign } from './design-names.js';
import {
  AGENT_DEFAULTS,
  type AgentSpec,
  type Critique,
  type Design,
  type EdgeSpec,
  type Intent,
} from './designs.js';
import { unparsableIntent } from './intents.js';
import type { OutputSchema } from './output-schema.js';
import { aFlag, aNumber, aText, Fields, listOf, oneOf, orNull, refuse } from './stored-json.js';
import type { Reader } from './stored-json.js';

const someTexts = listOf(aText);

/** Names and ends of edges are made storable together, by `toStorableDesign`. */
const aName: Reader<string> = (value, path) =>
  typeof value === 'string' ? value : refuse(path, 'a text');

export const aDesign: Reader<Design> = (value, path) => {
  const fields = new Fields(value, path);
  return toStorableDesign({
    name: fields.get('name', aName),
    description: fields.find('description', aText, ''),
    agents: fields.get('agents', listOf(anAgent)),
    pros: fields.find('pros', someTexts, []),
    cons: fields.find('cons', someTexts, []),
    estimated_cost: fields.find('estimated_cost', aText, 'unknown'),
    complexity: fields.find('complexity', aText, 'medium'),
    recommended: fields.find('recommended', aFlag, false),
    edges: fields.find('edges', orNull(listOf(anEdge)), null),
    source_hints: fields.find('source_hints', someTexts, []),
  });
};

const anAgent: Reader<AgentSpec> = (value, path) => {
  const fields = new Fields(value, path);
  const known = AGENT_DEFAULTS;
  return {
    name: fields.get('name', aName),
    role: fields.get('role', aText),
    llm_model: fields.get('llm_model', aText),
    description: fields.find('description', aText, ''),
    custom_prompt: fields.find('custom_prompt', orNull(aText), known.custom_prompt),
    temperature: fields.find<number>('temperature', aNumber, known.temperature),
    max_tokens: fields.find<number>('max_tokens', aNumber, known.max_tokens),
    retry_count: fields.find<number>('retry_count', aNumber, known.retry_count),
    is_custom_role: fields.find<boolean>('is_custom_role', aFlag, known.is_custom_role),
    approval: fields.find<boolean>('approval', aFlag, known.approval),
    approval_timeout_seconds: fields.find(
      'approval_timeout_seconds',
      aNumber,
      known.approval_timeout_seconds,
    ),
    on_approval_timeout: fields.find<AgentSpec['on_approval_timeout']>(
      'on_approval_timeout',
      oneOf(['approve', 'reject']),
      known.on_approval_timeout,
    ),
    ...(fields.find('max_tokens_named', aFlag, false) ? { max_tokens_named: true as const } : {}),
    ...(fields.has('output_schema')
      ? { output_schema: fields.get('output_schema', orNull(aSchema)) }
      : {}),
  };
};

/** A user's own, checked when it came; it stays as it is. */
const aSchema: Reader<OutputSchema> = (value, path) =>
  isSchema(value) ? value : refuse(path, 'a schema');

function isSchema(value: unknown): value is OutputSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const anEdge: Reader<EdgeSpec> = (value, path) => {
  const fields = new Fields(value, path);
  return {
    source: fields.get('source', aName),
    target: fields.get('target', aName),
    condition: fields.find('condition', orNull(aText), null),
  };
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
  try {
    return aDesign(stored, 'design');
  } catch {
    const nothing = { agents: [], edges: null, pros: [], cons: [], source_hints: [] };
    const words = { name, description: '', estimated_cost: 'unknown', complexity: 'medium' };
    return { ...words, ...nothing, recommended: false };
  }
}
