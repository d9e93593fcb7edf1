import { AGENT_DEFAULTS, type Design, type Intent } from '../../domain/design/designs.js';

export const anIntent: Intent = {
  task: 'custom',
  source_type: 'none',
  source_hints: [],
  output_format: 'text',
  needs_clarification: false,
  clarification_questions: [],
  confidence: 1,
  estimated_complexity: 'simple',
  summary: '',
};

/** Three designs in which a text stands where their readers look first. */
export function designsOf(text: string): readonly Design[] {
  const agent = { name: 'a', role: text, llm_model: 'b', description: 'c', ...AGENT_DEFAULTS };
  const design: Design = {
    name: text,
    description: 'd',
    agents: [{ ...agent, custom_prompt: text, is_custom_role: true }],
    pros: [],
    cons: [],
    estimated_cost: '',
    complexity: 'low',
    recommended: false,
    edges: [{ source: 'a', target: 'a', condition: text }],
    source_hints: [text],
  };
  return ['', ' two', ' three'].map((end) => ({ ...design, name: `${text}${end}` }));
}
