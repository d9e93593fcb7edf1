import { createHash } from 'node:crypto';
import type { VendorCall } from './behaviour.js';

/** The stand-in's default answer: JSON of the asked kind, or a text that depends on the prompt. */
export function defaultAnswer(call: VendorCall): string {
  if (call.schema === null) {
    const digest = createHash('sha256').update(call.prompt).digest('hex').slice(0, 12);
    return `stand-in answer ${digest} of ${call.model}`;
  }
  return JSON.stringify(structuredAnswer(call.schema, call.prompt));
}

/** A crude but deterministic count: a token per four characters. */
export function tokensOf(text: string): number {
  return Math.ceil(text.length / 4);
}

function structuredAnswer(schema: Readonly<Record<string, unknown>>, prompt: string): unknown {
  const properties = Object.keys(schema['properties'] ?? {});
  if (properties.includes('designs')) {
    return { designs: STAND_IN_DESIGNS };
  }
  if (properties.includes('critiques')) {
    return { critiques: STAND_IN_DESIGNS.map(({ name }) => critiqueOf(name)) };
  }
  return properties.includes('needs_clarification') ? intentFor(prompt) : exampleOf(schema);
}

const AMBIGUOUS = /도와줘|help me/i;
const CLEAR = /팟캐스트|podcast/i;

function intentFor(prompt: string) {
  const isClear = CLEAR.test(prompt) || !AMBIGUOUS.test(prompt);
  return {
    task: isClear ? 'comparison' : 'custom',
    source_type: 'none',
    source_hints: [],
    output_format: 'report',
    needs_clarification: !isClear,
    clarification_questions: isClear ? [] : ['Which work do you want done?'],
    confidence: isClear ? 0.9 : 0.2,
    estimated_complexity: 'standard',
    summary: 'stand-in summary',
  };
}

const agent = (name: string, role: string, llm_model: string) => ({
  name,
  role,
  llm_model,
  description: `${name} does the work of a ${role}`,
});

/** Between them their agents name models of all three vendors. */
export const STAND_IN_DESIGNS = [
  {
    name: 'Speed First',
    description: 'two small steps',
    agents: [
      agent('reader', 'analyzer', 'gpt-4o-mini'),
      agent('writer', 'reporter', 'claude-haiku-4-5'),
    ],
    pros: ['fast'],
    cons: ['shallow'],
    estimated_cost: '$0.01',
    complexity: 'low',
    recommended: false,
    edges: null,
    source_hints: [],
  },
  {
    name: 'Quality First',
    description: 'two analysts, one synthesis',
    agents: [
      agent('planner', 'analyzer', 'gpt-4o'),
      agent('left', 'analyzer', 'claude-sonnet-4-5'),
      agent('right', 'critic', 'gemini-2.5-pro'),
      agent('joiner', 'synthesizer', 'claude-opus-4-6'),
    ],
    pros: ['thorough'],
    cons: ['slow'],
    estimated_cost: '$0.20',
    complexity: 'high',
    recommended: false,
    edges: [
      { source: 'planner', target: 'left', condition: null },
      { source: 'planner', target: 'right', condition: null },
      { source: 'left', target: 'joiner', condition: null },
      { source: 'right', target: 'joiner', condition: null },
    ],
    source_hints: [],
  },
  {
    name: 'Balanced',
    description: 'analysis, check, report',
    agents: [
      agent('analyst', 'analyzer', 'gpt-4o'),
      agent('checker', 'validator', 'gemini-2.5-pro'),
      agent('reporter', 'reporter', 'claude-haiku-4-5'),
    ],
    pros: ['checked'],
    cons: ['three calls'],
    estimated_cost: '$0.05',
    complexity: 'medium',
    recommended: true,
    edges: null,
    source_hints: [],
  },
];

function critiqueOf(design_name: string) {
  return {
    design_name,
    weaknesses: [`${design_name} trusts its first step`],
    risks: ['the vendor may be slow'],
    edge_cases: ['an empty source'],
    security_concerns: [],
    cost_concerns: [],
    scalability_notes: [],
    overall_score: 7,
    recommendation: 'solid',
  };
}

/** A value that fits any schema of the subset in use. */
function exampleOf(schema: Readonly<Record<string, unknown>>): unknown {
  const { properties, items } = schema as {
    properties?: Record<string, Record<string, unknown>>;
    items?: Record<string, unknown>;
  };
  const choices = schema['enum'];
  if (Array.isArray(choices)) {
    return choices[0] as unknown;
  }
  switch ([schema['type']].flat()[0]) {
    case 'object':
      return Object.fromEntries(
        Object.entries(properties ?? {}).map(([name, inner]) => [name, exampleOf(inner)]),
      );
    case 'array':
      return items === undefined ? [] : [exampleOf(items)];
    case 'number':
    case 'integer':
      return 1;
    case 'boolean':
      return true;
    default:
      return 'text';
  }
}
