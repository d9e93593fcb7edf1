import type { Design } from '../../../domain/design/designs.js';
import { checkGraph, type Graph } from '../../../domain/run/pipeline.js';
import {
  awaitedNodes,
  isDone,
  readyNodes,
  recordApproval,
  recordEnd,
  recordHold,
  recordStart,
  RUN_LIMITS,
  startRun,
  stop,
  stopReasonOf,
  type RunState,
} from '../../../domain/run/pipeline-run.js';
import { agentOf, designOf, edgesOf } from '../../support/designs.js';

function graphOf(design: Design): Graph {
  const checked = checkGraph(design);
  if (checked.kind !== 'graph') {
    throw new Error(checked.reason);
  }
  return checked.graph;
}

function explicit(names: string, ...lines: readonly string[]): Graph {
  return graphOf(designOf(names.split(' '), { edges: edgesOf(...lines) }));
}

interface Outcome {
  readonly status?: 'success' | 'failed';
  readonly fields?: Readonly<Record<string, number>>;
}

/** Starts all that is ready, ends the oldest running node, and so on until the run is done. */
function play(
  graph: Graph,
  outcomes: Readonly<Record<string, Outcome>> = {},
  state: RunState = startRun(graph),
): { readonly waves: readonly string[]; readonly state: RunState } {
  const waves: string[] = [];
  let running: string[] = [];
  let now = state;
  while (!isDone(graph, now)) {
    const ready = readyNodes(graph, now);
    if (ready.length > 0) {
      waves.push(ready.join('+'));
      now = ready.reduce((at, node) => recordStart(graph, at, node), now);
      running = [...running, ...ready];
    }
    const [node = ''] = running.splice(0, 1);
    const { status = 'success', fields = {} } = outcomes[node] ?? {};
    now = recordEnd(graph, now, { node, status, fields });
  }
  return { waves, state: now };
}

test('a chain runs one agent after the other', () => {
  const { waves, state } = play(graphOf(designOf(['a', 'b', 'c'])));
  expect(waves).toEqual(['a', 'b', 'c']);
  expect(stopReasonOf(state)).toBeNull();
});

test('several entries start together, an agent in no edge among them', () => {
  expect(play(explicit('a b c alone', 'a>c', 'b>c')).waves).toEqual(['a+b+alone', 'c']);
});

test('several unconditional targets run side by side', () => {
  expect(play(explicit('a b c', 'a>b', 'a>c')).waves).toEqual(['a', 'b+c']);
});

test('a join behind branches of different length waits for all and runs once', () => {
  const graph = explicit('a b c d', 'a>d', 'a>b', 'b>c', 'c>d');
  expect(play(graph).waves).toEqual(['a', 'b', 'c', 'd']);
});

test('every target whose condition holds runs', () => {
  const graph = explicit('a b c d', 'a>b: x > 1', 'a>c: x > 2', 'a>d: x > 3');
  expect(play(graph, { a: { fields: { x: 2.5 } } }).waves).toEqual(['a', 'b+c']);
});

test('a branch ends where no condition holds, and what only it leads to is skipped', () => {
  const graph = explicit('a b c', 'a>b: x > 1', 'b>c');
  const { waves, state } = play(graph);
  expect(waves).toEqual(['a']);
  expect(state.nodes).toEqual(['success', 'skipped', 'skipped']);
  expect(stopReasonOf(state)).toBeNull();
});

test('a join runs behind the branches that were taken, without the skipped ones', () => {
  const graph = explicit('a b c d', 'a>b: x > 1', 'a>c: x <= 1', 'b>d', 'c>d');
  const { waves, state } = play(graph, { a: { fields: { x: 1 } } });
  expect(waves).toEqual(['a', 'c', 'd']);
  expect(state.nodes).toEqual(['success', 'skipped', 'success', 'success']);
});

test('of mixed edges the last unconditional one is the default', () => {
  const graph = explicit('a b c d', 'a>b: x > 1', 'a>c', 'a>d');
  expect(play(graph).waves).toEqual(['a', 'd']);
  expect(play(graph, { a: { fields: { x: 2 } } }).waves).toEqual(['a', 'b']);
});

test('two edges to the same target start it once', () => {
  const graph = explicit('a b', 'a>b: x > 1', 'a>b: x < 5');
  expect(play(graph, { a: { fields: { x: 2 } } }).waves).toEqual(['a', 'b']);
});

test('a condition reads the fields of its source, not those of the agent that ended last', () => {
  const graph = explicit('a b c', 'a>c: score > 0.8', 'b>c: score > 0.8');
  const taken = play(graph, { a: { fields: { score: 0.9 } }, b: { fields: { score: 0 } } });
  expect(taken.waves).toEqual(['a+b', 'c']);
});

test("the run's own fields win over fields of the same name in an agent's answer", () => {
  const graph = explicit('a b c', 'a>b: current_step == 1', 'a>c: max_steps > 50');
  const fields = { current_step: 7, max_steps: 99 };
  expect(play(graph, { a: { fields } }).waves).toEqual(['a', 'b']);
});

test('conditions see the cost and the time limit of the run', () => {
  const graph = explicit('a b c', 'a>b', 'b>c: cost_total >= 0.5');
  const cost = { fields: { cost_estimate: 0.25 } };
  expect(play(graph, { a: cost, b: cost }).waves).toEqual(['a', 'b', 'c']);
  expect(play(graph, { a: cost }).waves).toEqual(['a', 'b']);
  expect(play(explicit('a b', 'a>b: timeout_seconds == 300')).waves).toEqual(['a', 'b']);
});

test('one failed agent does not stop the run', () => {
  expect(play(graphOf(designOf(['a', 'b'])), { a: { status: 'failed' } }).waves).toEqual([
    'a',
    'b',
  ]);
});

test('after three failed agents no further one starts', () => {
  const failed = { status: 'failed' } as const;
  const { waves, state } = play(graphOf(designOf(['a', 'b', 'c', 'd'])), {
    a: failed,
    b: failed,
    c: failed,
  });
  expect(waves).toEqual(['a', 'b', 'c']);
  expect(stopReasonOf(state)).toBe('too-many-errors');
});

test('entries start without the continue-check', () => {
  const graph = explicit('a b c d e', 'a>e', 'b>e', 'c>e', 'd>e');
  const failed = { status: 'failed' } as const;
  const outcomes = { a: failed, b: failed, c: failed, d: failed };
  expect(play(graph, outcomes).waves).toEqual(['a+b+c+d']);
});

test('entries that wait for a person are spared it too, others are not', () => {
  const gated = ['gate', 'late'].map((name) => agentOf(name, { approval: true }));
  const edges = edgesOf('d>late');
  const graph = graphOf(designOf(['a', 'b', 'c', 'd', ...gated], { edges }));
  let state = readyNodes(graph, startRun(graph)).reduce(
    (at, node) => (node === 'gate' ? recordHold : recordStart)(graph, at, node),
    startRun(graph),
  );
  state = recordEnd(graph, state, { node: 'd', status: 'success', fields: {} });
  state = recordHold(graph, state, 'late');
  for (const node of ['a', 'b', 'c']) {
    state = recordEnd(graph, state, { node, status: 'failed', fields: {} });
  }
  expect(awaitedNodes(graph, state)).toEqual(['gate']);
  state = recordApproval(graph, state, 'gate');
  expect(readyNodes(graph, state)).toEqual(['gate']);
  expect(stopReasonOf(state)).toBe('too-many-errors');
});

test('at the step limit no further agent starts, however many are ready', () => {
  const graph = explicit('a b c d', 'a>b', 'a>c', 'a>d');
  const { waves, state } = play(graph, {}, startRun(graph, { ...RUN_LIMITS, maxSteps: 3 }));
  expect(waves).toEqual(['a', 'b+c']);
  expect(stopReasonOf(state)).toBe('max-steps');
});

test('a stopped run starts nothing more and is done when its running agents have ended', () => {
  const graph = explicit('a b c', 'a>c', 'b>c');
  let state = startRun(graph);
  state = recordStart(graph, recordStart(graph, state, 'a'), 'b');
  state = recordEnd(graph, state, { node: 'a', status: 'failed', fields: {} });
  state = stop(stop(state, 'over-budget'), 'max-steps');
  expect(isDone(graph, state)).toBe(false);
  state = recordEnd(graph, state, { node: 'b', status: 'success', fields: {} });
  expect(readyNodes(graph, state)).toEqual([]);
  expect(isDone(graph, state)).toBe(true);
  expect(stopReasonOf(state)).toBe('over-budget');
});

test('a repeated or unknown start or end changes nothing', () => {
  const graph = graphOf(designOf(['a', 'b']));
  const started = recordStart(graph, startRun(graph), 'a');
  expect(recordStart(graph, started, 'a')).toBe(started);
  expect(recordStart(graph, started, 'x')).toBe(started);
  const end = { node: 'a', status: 'success', fields: {} } as const;
  const ended = recordEnd(graph, started, end);
  expect(recordEnd(graph, ended, end)).toBe(ended);
  expect(recordEnd(graph, ended, { ...end, node: 'x' })).toBe(ended);
});
