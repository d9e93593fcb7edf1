import { parseCondition, type Condition } from './conditions.js';
import type { AgentSpec, Design, EdgeSpec } from '../design/designs.js';
import { DomainError } from '../errors.js';
import type { Language } from '../text/languages.js';
import { comparable } from '../text/storable-text.js';

export const NODE_KINDS = [
  'collector',
  'analyzer',
  'validator',
  'synthesizer',
  'reporter',
  'custom',
  'approval',
] as const;

export type NodeKind = (typeof NODE_KINDS)[number];

/** Kinds that a model is asked for. */
export type PromptedKind = Exclude<NodeKind, 'approval'>;

/** A node that waits for a person before it begins. */
export interface ApprovalRule {
  readonly timeoutMs: number;
  /** What counts as the decision when the time is over. */
  readonly onTimeout: 'approve' | 'reject';
}

export interface GraphEdge {
  /** key of the target node */
  readonly target: string;
  /** null: unconditional */
  readonly condition: Condition | null;
}

export interface GraphNode {
  /** Unique in its graph; the agent's name, in sequential mode with a suffix where needed. */
  readonly node: string;
  /** Index in `design.agents`. */
  readonly position: number;
  readonly agentName: string;
  readonly role: string;
  readonly kind: NodeKind;
  /** The one that the design asks for; absent in graphs of older versions. */
  readonly model?: string;
  readonly outgoing: readonly GraphEdge[];
  /** Absent: it begins as soon as it is ready. */
  readonly approval?: ApprovalRule;
}

/** A design that can run: every edge ends at a node and no path returns to its start. */
export interface Graph {
  /** In the order of `design.agents`: `nodes[i].position === i`. */
  readonly nodes: readonly GraphNode[];
  readonly mode: 'sequential' | 'explicit';
}

export type CheckedGraph =
  | { readonly kind: 'graph'; readonly graph: Graph }
  | { readonly kind: 'unbuildable'; readonly reason: string };

/** Source: contract, pipeline §2. */
export const MAX_AGENTS = 20;

/** Source: contract, pipeline §3. */
export function nodeKindOf(agent: Pick<AgentSpec, 'role' | 'is_custom_role'>): NodeKind {
  if (agent.is_custom_role) {
    return 'custom';
  }
  const kind = NODE_KINDS.find((it) => it === agent.role);
  // also `critic`, `cross_checker` and any role unknown here
  return kind === undefined || kind === 'custom' ? 'analyzer' : kind;
}

/** Turns a design into a graph, or says why it cannot run. Source: contract, pipeline §2. */
export function checkGraph(design: Design, language: Language = 'en'): CheckedGraph {
  const count = design.agents.length;
  if (count === 0) {
    return unbuildable(language, { en: 'no agents', ko: '에이전트가 없습니다 (no agents)' });
  }
  if (count > MAX_AGENTS) {
    return unbuildable(language, {
      en: `too many agents: ${count}, at most ${MAX_AGENTS} are allowed`,
      ko: `에이전트가 너무 많습니다 (too many agents): ${count}개, 최대 ${MAX_AGENTS}개`,
    });
  }
  const edges = design.edges ?? [];
  const checked: CheckedGraph =
    edges.length === 0
      ? { kind: 'graph', graph: chainOf(design.agents) }
      : checkExplicit(design.agents, edges, language);
  return checked.kind === 'graph' ? addressable(checked.graph, language) : checked;
}

/** A node that waits for a person is decided at an address that holds its name. */
function addressable(graph: Graph, language: Language): CheckedGraph {
  const { nodes } = graph;
  const bad = nodes.find((it) => it.approval !== undefined && isPathStep(it.node));
  return bad === undefined
    ? { kind: 'graph', graph }
    : unbuildable(language, {
        en: `agents.${bad.position}.name: an agent that waits for approval cannot be called "${bad.node}", since no address can hold that name`,
        ko: `agents.${bad.position}.name: 승인을 기다리는 에이전트의 이름은 "${bad.node}"일 수 없습니다. 주소에 쓸 수 없는 이름입니다`,
      });
}

/** URLs resolve `.` and `..` before anybody reads them, escaped as well. */
function isPathStep(name: string): boolean {
  return name === '.' || name === '..';
}

interface Texts {
  readonly en: string;
  readonly ko: string;
}

function unbuildable(language: Language, texts: Texts): CheckedGraph {
  return { kind: 'unbuildable', reason: texts[language] };
}

function chainOf(agents: readonly AgentSpec[]): Graph {
  const names = uniqueNamesOf(agents);
  const nodes = agents.map((agent, position) => {
    const next = names[position + 1];
    const outgoing = next === undefined ? [] : [{ target: next, condition: null }];
    return nodeOf(agent, { node: names[position] ?? agent.name, position, outgoing });
  });
  return { nodes, mode: 'sequential' };
}

/** `a`, `a`, `a` → `a`, `a_1`, `a_2`; a suffix that is another agent's own name is left out. */
function uniqueNamesOf(agents: readonly AgentSpec[]): readonly string[] {
  const taken = new Set(agents.map(({ name }) => comparable(name)));
  const seen = new Set<string>();
  return agents.map(({ name }) => {
    if (!seen.has(comparable(name))) {
      seen.add(comparable(name));
      return name;
    }
    let suffix = 1;
    while (taken.has(comparable(`${name}_${suffix}`))) {
      suffix += 1;
    }
    taken.add(comparable(`${name}_${suffix}`));
    return `${name}_${suffix}`;
  });
}

function nodeOf(
  agent: AgentSpec,
  place: Pick<GraphNode, 'node' | 'position' | 'outgoing'>,
): GraphNode {
  const { node, position, outgoing } = place;
  const { name: agentName, role, llm_model: model } = agent;
  const approval = approvalOf(agent);
  return {
    ...{ node, position, agentName, role, kind: nodeKindOf(agent), model, outgoing },
    ...(approval === null ? {} : { approval }),
  };
}

/** A node of kind `approval` is nothing but a person's decision. */
function approvalOf(agent: AgentSpec): ApprovalRule | null {
  return agent.approval || nodeKindOf(agent) === 'approval'
    ? { timeoutMs: agent.approval_timeout_seconds * 1_000, onTimeout: agent.on_approval_timeout }
    : null;
}

function checkExplicit(
  agents: readonly AgentSpec[],
  edges: readonly EdgeSpec[],
  language: Language,
): CheckedGraph {
  const problem = findNameProblem(agents, edges);
  if (problem !== null) {
    return unbuildable(language, problem);
  }
  const spelled = new Map(agents.map(({ name }) => [comparable(name), name]));
  const outgoing = new Map<string, GraphEdge[]>(agents.map(({ name }) => [comparable(name), []]));
  for (const edge of edges) {
    const condition = edge.condition === null ? null : parseCondition(edge.condition);
    if (condition?.kind === 'invalid') {
      return unbuildable(language, {
        en: condition.reason,
        ko: `조건을 읽을 수 없습니다 (${condition.reason})`,
      });
    }
    const target = spelled.get(comparable(edge.target)) ?? edge.target;
    outgoing.get(comparable(edge.source))?.push({ target, condition });
  }
  const nodes = agents.map((agent, position) =>
    nodeOf(agent, {
      node: agent.name,
      position,
      outgoing: outgoing.get(comparable(agent.name)) ?? [],
    }),
  );
  return acyclic({ nodes, mode: 'explicit' }, language);
}

function findNameProblem(agents: readonly AgentSpec[], edges: readonly EdgeSpec[]): Texts | null {
  const names = new Set<string>();
  for (const { name } of agents) {
    if (names.has(comparable(name))) {
      return {
        en: `duplicate agent name "${name}": edges need unique names`,
        ko: `에이전트 이름이 중복됩니다 (duplicate agent name "${name}")`,
      };
    }
    names.add(comparable(name));
  }
  const unknown = edges
    .flatMap(({ source, target }) => [source, target])
    .find((name) => !names.has(comparable(name)));
  return unknown === undefined
    ? null
    : {
        en: `edge end "${unknown}" not found among the agents`,
        ko: `연결 대상 에이전트를 찾을 수 없습니다 ("${unknown}" not found)`,
      };
}

/** Takes nodes without open predecessors away until none is left; what remains is on a cycle. */
function acyclic(graph: Graph, language: Language): CheckedGraph {
  const open = new Set(graph.nodes);
  for (;;) {
    const targets = new Set([...open].flatMap(({ outgoing }) => outgoing.map((it) => it.target)));
    const free = [...open].filter(({ node }) => !targets.has(node));
    if (free.length === 0) {
      break;
    }
    free.forEach((node) => open.delete(node));
  }
  const names = [...open].map(({ node }) => node).join(', ');
  return open.size === 0
    ? { kind: 'graph', graph }
    : unbuildable(language, {
        en: `Cycle detected among: ${names}`,
        ko: `순환 연결이 있습니다 (Cycle detected): ${names}`,
      });
}

/**
 * What the nodes that lead to `node` have made: those alone, so that timing elsewhere changes no prompt.
 *
 * @throws `internal` for a design without a graph: its run was refused at its start
 */
export function upstreamOf<T extends { readonly node: string; readonly seq: number | null }>(
  ended: readonly T[],
  design: Design,
  node: string,
): readonly T[] {
  const checked = checkGraph(design);
  if (checked.kind === 'unbuildable') {
    throw new DomainError('internal', `the design of node "${node}" has no graph`);
  }
  const ancestors = ancestorsOf(checked.graph, node);
  return ended.filter(({ seq, node: of }) => seq !== null && ancestors.has(of));
}

/** Every node from which a path leads to `node`: those whose results it may see. */
export function ancestorsOf(graph: Graph, node: string): ReadonlySet<string> {
  const found = new Set<string>();
  const queue = [node];
  for (let target = queue.pop(); target !== undefined; target = queue.pop()) {
    for (const candidate of graph.nodes) {
      const leadsThere = candidate.outgoing.some((edge) => edge.target === target);
      if (leadsThere && !found.has(candidate.node)) {
        found.add(candidate.node);
        queue.push(candidate.node);
      }
    }
  }
  return found;
}
