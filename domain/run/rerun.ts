/** Which answers of an earlier run a new one may take over, and what to tell of two runs. */
import type { AgentChanges } from '../design/parse.js';
import type { AgentSpec, Design } from '../design/designs.js';
import type { Graph } from './pipeline.js';
import type { AgentResult, AgentStatus } from './results.js';
import { comparable } from '../text/storable-text.js';

export interface RerunRequest {
  /** Begin anew at this node; null: at the first change, or with everything. */
  readonly from: string | null;
  /** By node. */
  readonly changes: ReadonlyMap<string, AgentChanges>;
}

/** The order with nodes spelled as the graph spells them; those that it does not have stay. */
export function inSpellingOf(graph: Graph, { from, changes }: RerunRequest): RerunRequest {
  const spelled = new Map(graph.nodes.map(({ node }) => [comparable(node), node]));
  const nodeOf = (name: string): string => spelled.get(comparable(name)) ?? name;
  return {
    from: from === null ? null : nodeOf(from),
    changes: new Map([...changes].map(([name, change]) => [nodeOf(name), change])),
  };
}

/** The design with the changed agents; nodes that are none are left to the caller to refuse. */
export function changedDesign(design: Design, graph: Graph, { changes }: RerunRequest): Design {
  const agents = design.agents.map((agent, position) => {
    const node = graph.nodes[position]?.node ?? agent.name;
    return { ...agent, ...changes.get(node) };
  });
  return { ...design, agents };
}

/**
 * The nodes whose recorded answers stay good: those that succeeded, that neither are nor follow the
 * chosen node, a changed one, or one without an answer.
 *
 * @param answered how each node of the earlier run ended; nodes that never ran are missing
 */
export function reusableNodes(
  graph: Graph,
  answered: ReadonlyMap<string, AgentStatus>,
  { from, changes }: RerunRequest,
): readonly string[] {
  if (from === null && changes.size === 0) {
    return [];
  }
  const anew = new Set<string>();
  const mark = (node: string): void => {
    if (!anew.has(node)) {
      anew.add(node);
      const outgoing = graph.nodes.find((it) => it.node === node)?.outgoing ?? [];
      outgoing.forEach(({ target }) => {
        mark(target);
      });
    }
  };
  graph.nodes
    .map(({ node }) => node)
    .filter((node) => node === from || changes.has(node) || answered.get(node) === 'failed')
    .forEach(mark);
  return graph.nodes
    .map(({ node }) => node)
    .filter((node) => !anew.has(node) && answered.get(node) === 'success');
}

export interface ComparedRun {
  readonly design: Design;
  readonly graph: Graph | null;
  readonly results: ReadonlyMap<string, AgentResult>;
}

export interface NodeComparison {
  readonly node: string;
  /** null: it did not run, or there is no such node */
  readonly left: AgentResult | null;
  readonly right: AgentResult | null;
  readonly same_output: boolean;
  /** Fields of the agent that differ between the two designs. */
  readonly changed: readonly string[];
}

/** Node by node, in the order of the left design; then what only the right one has. */
export function compareRuns(left: ComparedRun, right: ComparedRun): readonly NodeComparison[] {
  const nodes = new Set([...nodesOf(left), ...nodesOf(right)]);
  return [...nodes].map((node) => {
    const results = [left.results.get(node) ?? null, right.results.get(node) ?? null] as const;
    return {
      node,
      left: results[0],
      right: results[1],
      same_output: results[0] !== null && results[0].content === results[1]?.content,
      changed: changedFields(agentOf(left, node), agentOf(right, node)),
    };
  });
}

function nodesOf({ graph, results }: ComparedRun): readonly string[] {
  return graph === null ? [...results.keys()] : graph.nodes.map(({ node }) => node);
}

function agentOf({ design, graph }: ComparedRun, node: string): AgentSpec | null {
  const position = graph?.nodes.find((it) => it.node === node)?.position ?? -1;
  return design.agents[position] ?? null;
}

function changedFields(left: AgentSpec | null, right: AgentSpec | null): readonly string[] {
  if (left === null || right === null) {
    return [];
  }
  const [before, after] = [new Map(Object.entries(left)), new Map(Object.entries(right))];
  const fields = new Set([...before.keys(), ...after.keys()]);
  fields.delete('max_tokens_named'); // says who has named `max_tokens`, and is no field of a client's
  return [...fields].filter(
    (field) => JSON.stringify(before.get(field)) !== JSON.stringify(after.get(field)),
  );
}
