import {
  AGENT_DEFAULTS,
  type AgentSpec,
  type Design,
  type EdgeSpec,
} from '../../domain/design/designs.js';

/** An agent of a test's design; only what the test is about needs to be said. */
export function agentOf(name: string, fields: Partial<AgentSpec> = {}): AgentSpec {
  return {
    ...AGENT_DEFAULTS,
    name,
    role: 'analyzer',
    llm_model: 'gpt-4o-mini',
    description: `does the work of ${name}`,
    ...fields,
  };
}

export function designOf(
  agents: readonly (string | AgentSpec)[],
  fields: Partial<Design> = {},
): Design {
  return {
    name: 'Quick look',
    description: 'One pass over the price pages',
    agents: agents.map((agent) => (typeof agent === 'string' ? agentOf(agent) : agent)),
    pros: [],
    cons: [],
    estimated_cost: 'unknown',
    complexity: 'medium',
    recommended: false,
    edges: null,
    source_hints: [],
    ...fields,
  };
}

/** `a>b` or `a>b: score > 0.8` */
export function edgesOf(...lines: readonly string[]): readonly EdgeSpec[] {
  return lines.map((line) => {
    const [, source = '', target = '', condition = null] =
      /^(\w+)>(\w+)(?:: (.*))?$/.exec(line) ?? [];
    return { source, target, condition };
  });
}
