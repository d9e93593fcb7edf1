import type { AgentSpec, Design, EdgeSpec } from './designs.js';
import { toStorable, toStorableNames, toStorableText } from '../text/storable-text.js';

/**
 * A design whose texts can be stored. Its agents stay as different as they were, and its edges
 * follow their names. The schema of an answer is a user's own and stays as it is.
 */
export function toStorableDesign(design: Design): Design {
  const names = toStorableNames(design.agents.map(({ name }) => name));
  const nameOf = (name: string): string => names.get(name) ?? toStorableText(name);
  return {
    ...toStorable({ ...design, agents: [], edges: null }),
    agents: design.agents.map((agent) => ({ ...storableAgent(agent), name: nameOf(agent.name) })),
    edges: design.edges?.map((edge) => storableEdge(edge, nameOf)) ?? null,
  };
}

/** Designs that are shown together: their names stay different as well. */
export function toStorableDesigns(designs: readonly Design[]): readonly Design[] {
  const names = toStorableNames(designs.map(({ name }) => name));
  return designs.map((design) => ({
    ...toStorableDesign(design),
    name: names.get(design.name) ?? design.name,
  }));
}

function storableAgent(agent: AgentSpec): AgentSpec {
  const { output_schema: _, ...texts } = agent;
  return { ...agent, ...toStorable(texts) };
}

function storableEdge(edge: EdgeSpec, nameOf: (name: string) => string): EdgeSpec {
  const { source, target } = edge;
  return { ...toStorable(edge), source: nameOf(source), target: nameOf(target) };
}
