/**
 * What a run does next: a pure interpreter of the checked graph, so that the workflow only waits.
 * A join waits for all activated predecessors and runs once; what no branch reaches is skipped.
 */
import { holds } from './conditions.js';
import type { Graph, GraphEdge } from './pipeline.js';
import type { AgentStatus } from './results.js';

export type NodeState =
  | 'waiting'
  /** Ready, but a person has to agree. */
  | 'approving'
  /** Agreed, and not begun yet. */
  | 'approved'
  | 'running'
  | 'success'
  | 'failed'
  | 'skipped';

/** Why a run starts no further node although some are left. */
export type StopReason = 'over-budget' | 'rejected' | 'too-many-errors' | 'max-steps';

export interface RunLimits {
  readonly maxSteps: number;
  readonly maxErrors: number;
  readonly timeoutSeconds: number;
}

/** Source: contract, pipeline §2.3 and §4. */
export const RUN_LIMITS: RunLimits = { maxSteps: 50, maxErrors: 3, timeoutSeconds: 300 };

/** Serialisable; arrays are in the order of `graph.nodes`, so no name is ever a property. */
export interface RunState {
  readonly nodes: readonly NodeState[];
  /** Whether a branch that was taken leads to the node. */
  readonly activated: readonly boolean[];
  /** Agents that have ended. */
  readonly steps: number;
  readonly errors: number;
  /** US dollars */
  readonly costTotal: number;
  readonly stopped: StopReason | null;
  readonly limits: RunLimits;
}

export interface NodeOutcome {
  readonly node: string;
  readonly status: AgentStatus;
  /** `tokens_used`, `cost_estimate`, `duration_seconds`, then those of the agent's JSON answer. */
  readonly fields: Readonly<Record<string, number>>;
}

export function startRun(graph: Graph, limits: RunLimits = RUN_LIMITS): RunState {
  const isEntry = entriesOf(graph);
  return {
    nodes: graph.nodes.map(() => 'waiting'),
    activated: isEntry,
    steps: 0,
    errors: 0,
    costTotal: 0,
    stopped: null,
    limits,
  };
}

function entriesOf(graph: Graph): readonly boolean[] {
  const targets = new Set(graph.nodes.flatMap(({ outgoing }) => outgoing.map((it) => it.target)));
  return graph.nodes.map(({ node }) => !targets.has(node));
}

/**
 * The nodes that may start now, in the order of the design. Entries start without the
 * continue-check; before every other node it decides. Source: contract, pipeline §2.
 */
export function readyNodes(graph: Graph, state: RunState): readonly string[] {
  if (state.stopped !== null) {
    return [];
  }
  const isEntry = entriesOf(graph);
  let room = stepsLeft(state);
  return graph.nodes
    .filter((_, index) => isReachable(graph, state, index))
    .filter(({ position }) => {
      room -= 1;
      return isEntry[position] === true || room >= 0;
    })
    .map(({ node }) => node);
}

function isReachable(graph: Graph, state: RunState, index: number): boolean {
  return (
    isStartable(state.nodes[index]) &&
    state.activated[index] === true &&
    arePredecessorsDone(graph, state.nodes, index)
  );
}

function isStartable(node: NodeState | undefined): boolean {
  return node === 'waiting' || node === 'approved';
}

function arePredecessorsDone(graph: Graph, nodes: readonly NodeState[], index: number): boolean {
  const target = graph.nodes[index]?.node;
  return graph.nodes.every(
    ({ outgoing }, source) =>
      isOver(nodes[source]) || !outgoing.some((edge) => edge.target === target),
  );
}

function isOver(node: NodeState | undefined): boolean {
  return node === 'success' || node === 'failed' || node === 'skipped';
}

/** How many more agents the continue-check lets start. */
function stepsLeft(state: RunState): number {
  if (state.errors >= state.limits.maxErrors) {
    return 0;
  }
  const started = state.nodes.filter((node) => node === 'running' || isOver(node));
  const ended = started.filter((node) => node !== 'skipped');
  return state.limits.maxSteps - ended.length;
}

export function recordStart(graph: Graph, state: RunState, node: string): RunState {
  return moveNode(graph, state, { node, from: isStartable, to: 'running' });
}

/** Whether a node that is ready has to wait for a person first. */
export function needsApproval(graph: Graph, state: RunState, node: string): boolean {
  const index = graph.nodes.findIndex((it) => it.node === node);
  return graph.nodes[index]?.approval !== undefined && state.nodes[index] === 'waiting';
}

export function recordHold(graph: Graph, state: RunState, node: string): RunState {
  return moveNode(graph, state, { node, from: (it) => it === 'waiting', to: 'approving' });
}

export function recordApproval(graph: Graph, state: RunState, node: string): RunState {
  return moveNode(graph, state, { node, from: (it) => it === 'approving', to: 'approved' });
}

/** A rejected node has failed, and nothing begins any more. */
export function recordRejection(graph: Graph, state: RunState, end: NodeOutcome): RunState {
  const { node } = end;
  const begun = moveNode(graph, state, { node, from: (it) => it === 'approving', to: 'running' });
  return begun === state ? state : stop(recordEnd(graph, begun, end), 'rejected');
}

/** A node whose call did not fit into the budget is as if it had not begun. */
export function recordDeferral(graph: Graph, state: RunState, node: string): RunState {
  const isApproved = graph.nodes.some((it) => it.node === node && it.approval !== undefined);
  const to = isApproved ? 'approved' : 'waiting';
  return moveNode(graph, state, { node, from: (it) => it === 'running', to });
}

interface NodeMove {
  readonly node: string;
  readonly from: (state: NodeState | undefined) => boolean;
  readonly to: NodeState;
}

function moveNode(graph: Graph, state: RunState, { node, from, to }: NodeMove): RunState {
  const index = graph.nodes.findIndex((it) => it.node === node);
  return index >= 0 && from(state.nodes[index])
    ? { ...state, nodes: state.nodes.with(index, to) }
    : state;
}

/** Nodes that a person's decision may still let begin; the continue-check spares entries here too. */
export function awaitedNodes(graph: Graph, state: RunState): readonly string[] {
  if (state.stopped !== null) {
    return [];
  }
  const isEntry = entriesOf(graph);
  const mayContinue = stepsLeft(state) > 0;
  return graph.nodes
    .filter((_, index) => state.nodes[index] === 'approving')
    .filter(({ position }) => isEntry[position] === true || mayContinue)
    .map(({ node }) => node);
}

/** Takes a node's end into account once; which branches are taken is decided here. */
export function recordEnd(graph: Graph, state: RunState, end: NodeOutcome): RunState {
  const index = graph.nodes.findIndex((it) => it.node === end.node);
  if (state.nodes[index] !== 'running') {
    return state;
  }
  const counted: RunState = {
    ...state,
    nodes: state.nodes.with(index, end.status),
    steps: state.steps + 1,
    errors: state.errors + (end.status === 'failed' ? 1 : 0),
    costTotal: state.costTotal + (end.fields.cost_estimate ?? 0),
  };
  const targets = takenTargets(graph.nodes[index]?.outgoing ?? [], fieldsOf(counted, end));
  const activated = graph.nodes.map(
    ({ node }, at) => counted.activated[at] === true || targets.has(node),
  );
  return skipUnreached(graph, { ...counted, activated });
}

/** State fields win over the agent's own. Source: contract, pipeline §2.1. */
function fieldsOf(state: RunState, end: NodeOutcome): Readonly<Record<string, number>> {
  return {
    ...end.fields,
    current_step: state.steps,
    max_steps: state.limits.maxSteps,
    timeout_seconds: state.limits.timeoutSeconds,
    cost_total: state.costTotal,
  };
}

function takenTargets(
  outgoing: readonly GraphEdge[],
  fields: Readonly<Record<string, number>>,
): ReadonlySet<string> {
  const unconditional = outgoing.filter(({ condition }) => condition === null);
  const holding = outgoing.filter(({ condition }) => condition && holds(condition, fields));
  if (unconditional.length === outgoing.length) {
    return new Set(unconditional.map(({ target }) => target));
  }
  const taken = holding.length > 0 ? holding : unconditional.slice(-1); // the last is the default
  return new Set(taken.map(({ target }) => target));
}

/** Skips nodes that no branch can reach any more, and what only they lead to. */
function skipUnreached(graph: Graph, state: RunState): RunState {
  const index = state.nodes.findIndex(
    (node, at) =>
      node === 'waiting' &&
      state.activated[at] === false &&
      arePredecessorsDone(graph, state.nodes, at),
  );
  return index === -1
    ? state
    : skipUnreached(graph, { ...state, nodes: state.nodes.with(index, 'skipped') });
}

/** From here on no further node starts; calls in flight end. The first reason stays. */
export function stop(state: RunState, reason: StopReason): RunState {
  return { ...state, stopped: state.stopped ?? reason };
}

export function isDone(graph: Graph, state: RunState): boolean {
  return (
    !state.nodes.includes('running') &&
    readyNodes(graph, state).length === 0 &&
    awaitedNodes(graph, state).length === 0
  );
}

/**
 * Of a run that ended early: the nodes that a branch might still have led to. One that no condition
 * lets through any more is none of them.
 *
 * @param ends in order of completion
 */
export function unstartedNodes(graph: Graph, ends: readonly NodeOutcome[]): readonly string[] {
  const { nodes } = ends.reduce(
    (state, end) => recordEnd(graph, recordStart(graph, state, end.node), end),
    startRun(graph),
  );
  return graph.nodes.filter((_, at) => isStartable(nodes[at])).map(({ node }) => node);
}

/** For a run that is done: why it left nodes that a taken branch leads to; null if it left none. */
export function stopReasonOf(state: RunState): StopReason | null {
  const left = state.nodes.some((node, at) => isLeft(node) && state.activated[at] === true);
  if (!left || state.stopped !== null) {
    return left ? state.stopped : null;
  }
  return state.errors >= state.limits.maxErrors ? 'too-many-errors' : 'max-steps';
}

function isLeft(node: NodeState): boolean {
  return isStartable(node) || node === 'approving';
}
