/** The interpreter against a model of the contract: random graphs, ends, decisions and orders. */
import fc from 'fast-check';
import type { Design } from '../../domain/design/designs.js';
import { checkGraph, type Graph } from '../../domain/run/pipeline.js';
import {
  awaitedNodes,
  isDone,
  needsApproval,
  readyNodes,
  recordApproval,
  recordDeferral,
  recordEnd,
  recordHold,
  recordRejection,
  recordStart,
  RUN_LIMITS,
  startRun,
  stop,
  stopReasonOf,
  type NodeOutcome,
  type RunLimits,
  type RunState,
} from '../../domain/run/pipeline-run.js';
import { designFrom, drawRun, type DrawnAgent, type DrawnRun } from '../support/drawn-runs.js';
import { runModel, type Happening, type RunModel } from '../support/run-model.js';

const ANY_RUN = drawRun({
  maxAgents: 9,
  fields: ['x', 'tokens_used', 'current_step', 'cost_total', 'timeout_seconds', 'constructor'],
  ends: ['success', 'success', 'success', 'success', 'failed', 'failed', 'over-budget'],
  approvals: ['none', 'none', 'none', 'agreed', 'agreed', 'rejected'],
});
const ANY_LIMITS = fc.record({
  maxSteps: fc.constantFrom(50, 50, 50, 2, 4),
  maxErrors: fc.constantFrom(3, 3, 3, 1),
  timeoutSeconds: fc.constantFrom(300, 1),
});
/** Chooses the next of the possible moves. */
const ANY_ORDER = fc.array(fc.nat(99), { maxLength: 40 });

interface Play {
  readonly drawn: DrawnRun;
  readonly design: Design;
  readonly graph: Graph;
  readonly model: RunModel;
  readonly past: Happening[];
  state: RunState;
}

function open(drawn: DrawnRun, limits: RunLimits): Play {
  const design = designFrom(drawn);
  const checked = checkGraph(design);
  if (checked.kind !== 'graph') {
    throw new Error(checked.reason);
  }
  const { graph } = checked;
  const past: Happening[] = [];
  const model = runModel(design, past, limits);
  return { drawn, design, graph, model, past, state: startRun(graph, limits) };
}

const nodeOf = ({ graph }: Play, agent: number): string => graph.nodes[agent]?.node ?? '';

function agentAt({ drawn }: Play, agent: number): DrawnAgent {
  const found = drawn.agents[agent];
  if (found === undefined) {
    throw new Error(`no agent ${agent}`);
  }
  return found;
}

/** Everything that can be asked of the interpreter, according to the model. */
function compare({ graph, design, model, state }: Play): void {
  const nodes = (agents: readonly number[]) => agents.map((agent) => graph.nodes[agent]?.node);
  const interpreted = {
    nodes: state.nodes,
    ready: readyNodes(graph, state),
    awaited: awaitedNodes(graph, state),
    isDone: isDone(graph, state),
  };
  const expected = {
    nodes: design.agents.map((_, agent) => model.stateOf(agent)),
    ready: nodes(model.mayBegin()),
    awaited: nodes(model.awaited()),
    isDone: model.isOver(),
  };
  // `expect` is too slow to be called in every turn of thousands of runs
  if (JSON.stringify(interpreted) !== JSON.stringify(expected)) {
    expect(interpreted).toEqual(expected);
  }
}

type Move = () => void;

/** What may happen next to a run, according to the model. */
function movesOf(play: Play): readonly Move[] {
  const { model } = play;
  return [
    ...model.mayBegin().map((agent) => () => {
      begin(play, agent);
    }),
    ...model.running().map((agent) => () => {
      end(play, agent);
    }),
    ...model.awaited().map((agent) => () => {
      decide(play, agent);
    }),
  ];
}

function begin(play: Play, agent: number): void {
  const { graph, past, state } = play;
  const node = nodeOf(play, agent);
  const isAsked =
    agentAt(play, agent).approval !== 'none' &&
    !past.some((it) => it.what === 'agreed' && it.agent === agent);
  if (needsApproval(graph, state, node) !== isAsked) {
    throw new Error(`${node} ${isAsked ? 'is not to be asked about' : 'is asked about again'}`);
  }
  play.state = isAsked ? recordHold(graph, state, node) : recordStart(graph, state, node);
  past.push({ what: isAsked ? 'asked' : 'began', agent });
}

function end(play: Play, agent: number): void {
  const { graph, past } = play;
  const drawn = agentAt(play, agent);
  const outcome = outcomeOf(play, agent);
  const putOff = past.filter((it) => it.what === 'put off' && it.agent === agent);
  if (putOff.length < drawn.putOff) {
    play.state = recordDeferral(graph, play.state, outcome.node);
    past.push({ what: 'put off', agent });
    return;
  }
  play.state = recordEnd(graph, play.state, outcome);
  past.push({ what: 'ended', agent, ...outcome });
  if (drawn.end === 'over-budget') {
    play.state = stop(play.state, 'over-budget');
    past.push({ what: 'stopped', reason: 'over-budget' });
  }
}

function decide(play: Play, agent: number): void {
  const { graph, past, state } = play;
  const outcome = outcomeOf(play, agent);
  if (agentAt(play, agent).approval === 'agreed') {
    play.state = recordApproval(graph, state, outcome.node);
    past.push({ what: 'agreed', agent });
    return;
  }
  const rejection = { ...outcome, status: 'failed', fields: {} } as const;
  play.state = recordRejection(graph, state, rejection);
  past.push({ what: 'ended', agent, ...rejection }, { what: 'stopped', reason: 'rejected' });
}

function outcomeOf(play: Play, agent: number): NodeOutcome {
  const { end: how, x } = agentAt(play, agent);
  const status = how === 'success' ? 'success' : 'failed';
  const fields = { x, tokens_used: 2 * x, cost_estimate: x / 4 };
  return { node: nodeOf(play, agent), status, fields };
}

/** Results that come twice, or for a node that is not running, change nothing. */
function tellAgain(play: Play): void {
  const { graph, state } = play;
  const taken = state.nodes.flatMap((now, agent) => {
    const outcome = outcomeOf(play, agent);
    const { node } = outcome;
    const repeated: [boolean, RunState][] = [
      [now === 'running', recordEnd(graph, state, outcome)],
      [now === 'running', recordDeferral(graph, state, node)],
      [now === 'approving', recordApproval(graph, state, node)],
      [now === 'approving', recordRejection(graph, state, outcome)],
      [now === 'waiting' || now === 'approved', recordStart(graph, state, node)],
      [now === 'waiting', recordHold(graph, state, node)],
    ];
    return repeated.some(([isNew, then]) => !isNew && then !== state) ? [node] : [];
  });
  if (taken.length > 0) {
    expect(taken).toEqual([]);
  }
}

/** Moves of one agent: asked, agreed, begun, put off twice and begun again, ended. */
const MOST_MOVES = 8;

/** Plays to the end; `order` says which of the possible moves comes next. */
function play(drawn: DrawnRun, limits: RunLimits, order: readonly number[]): Play {
  const run = open(drawn, limits);
  compare(run);
  for (let turn = 0; !run.model.isOver(); turn += 1) {
    if (turn > MOST_MOVES * drawn.agents.length) {
      throw new Error('it does not come to an end');
    }
    const moves = movesOf(run);
    moves[(order[turn] ?? 0) % moves.length]?.();
    run.state = JSON.parse(JSON.stringify(run.state)); // as continue-as-new would carry it
    compare(run);
    tellAgain(run);
  }
  return run;
}

test('in any order of events the interpreter starts, asks, skips and stops as the contract has it', () => {
  fc.assert(
    fc.property(ANY_RUN, ANY_LIMITS, ANY_ORDER, (drawn, limits, order) => {
      const { state, model, past } = play(drawn, limits, order);
      expect(stopReasonOf(state)).toBe(model.whyLeft());
      const ended = past.flatMap((it) => (it.what === 'ended' ? [it.agent] : []));
      expect(new Set(ended).size).toBe(ended.length);
    }),
    { numRuns: 2_000 },
  );
});

const CALM_RUN = drawRun({ maxAgents: 9, fields: ['x'], approvals: ['none', 'none', 'agreed'] });

test('without a reason to stop, no order of events changes which agents run', () => {
  const limits = { ...RUN_LIMITS, maxErrors: 1_000 };
  fc.assert(
    fc.property(CALM_RUN, ANY_ORDER, ANY_ORDER, (drawn, order, other) => {
      const { state } = play(drawn, limits, order);
      expect(stopReasonOf(state)).toBeNull();
      expect(play(drawn, limits, other).state.nodes).toEqual(state.nodes);
    }),
    { numRuns: 300 },
  );
});

test('the same events in the same order always make the same state', () => {
  fc.assert(
    fc.property(ANY_RUN, ANY_ORDER, (drawn, order) => {
      const { state } = play(drawn, RUN_LIMITS, order);
      expect(play(drawn, RUN_LIMITS, order).state).toEqual(state);
    }),
    { numRuns: 100 },
  );
});
