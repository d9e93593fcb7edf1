/**
 * SIGKILL of the worker at every event of a run's history in turn: a pipeline of five agents, three
 * of them in parallel. One kill meets many runs, each of them at another event.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { picoOf } from '../../bench/budget/decimals.js';
import { readMoney } from '../support/money.js';
import { designOf, edgesOf } from '../support/designs.js';
import { readRecords, type RunRecords } from '../support/run-records.js';
import {
  callerOf,
  LONGEST_RUN_MS,
  openRunFixture,
  type RunFixture,
  type FixtureRun,
} from '../support/run-fixture.js';
import { withoutTimesAndIds } from '../support/stories.js';
import { startProxyOf } from '../support/server-proxies.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { billOf } from '../support/vendor-product.js';
import { eventTypesOf, momentsOf } from '../support/workflow-history.js';

const AGENTS = ['root', 'left', 'middle', 'right', 'join'];
const DESIGN = designOf(AGENTS, {
  edges: edgesOf(
    ...['root>left', 'root>middle', 'root>right'],
    ...['left>join', 'middle>join', 'right>join'],
  ),
});
/** Whose answer waits for whose end, so that every run tells the same story. */
const AFTER: Readonly<Record<string, string>> = { middle: 'left', right: 'middle' };
const POLL_MS = 30;
/** On a busy machine a moment may be over before the kill; then it is tried again. */
const MOST_ROUNDS = 8;

let temporal: TcpProxy;
let fixture: RunFixture;

/** A run, and which of its answers are held back. */
interface Actor {
  readonly run: FixtureRun;
  readonly gates: ReadonlyMap<string, PromiseWithResolvers<undefined>>;
  /** Agents whose call was under way, or whose answer was not stored, at a kill; once for each. */
  readonly lost: string[];
}

const actors = new Map<string, Actor>();
let undisturbed: Actor;
let reference: readonly string[];
/** Numbers of events after which a worker was killed. */
const covered = new Set<number>();

beforeAll(async () => {
  temporal = await startProxyOf('temporal');
  fixture = await openRunFixture({ workers: 0 });
  fixture.vendors.setBehaviour((call) => {
    const { runId, agent } = callerOf(call);
    const hold = Promise.all([actors.get(runId)?.gates.get(agent)?.promise, turnOf(runId, agent)]);
    return { kind: 'answer', text: `answer of ${agent}`, hold };
  });
  await startWorker();
  undisturbed = await enter();
  await walkTo(undisturbed, null);
  reference = await historyOf(undisturbed);
  for (let round = 0; round < MOST_ROUNDS && missing().length > 0; round += 1) {
    for (const kill of [killInFlight, killBeforeTheTask, killInTheTask]) {
      await kill();
    }
  }
  await Promise.all([...actors.values()].map(({ run }) => fixture.ended(run)));
});
afterAll(async () => {
  await fixture.close();
  await temporal.close();
});

async function startWorker(): Promise<void> {
  await temporal.restore();
  await fixture.product.startWorker({ TEMPORAL_ADDRESS: `127.0.0.1:${temporal.port}` });
}

const missing = () => momentsOf(reference).filter((length) => !covered.has(length));

/** Begins a run that stops at its first answer. */
async function enter(): Promise<Actor> {
  const id = randomUUID();
  const gates = new Map(AGENTS.map((agent) => [agent, Promise.withResolvers<undefined>()]));
  const userId = await fixture.createUser();
  const run = { id, userId, design: DESIGN };
  const actor: Actor = { run, gates, lost: [] };
  actors.set(id, actor);
  await fixture.start(userId, DESIGN, { pipelineId: id });
  return actor;
}

const historyOf = ({ run }: Actor) => eventTypesOf(fixture.handleOf(run));

const open = ({ gates }: Actor, agent: string) => gates.get(agent)?.resolve(undefined);

async function hasEnded(runId: string, agent: string): Promise<boolean> {
  await pause(POLL_MS);
  const step = await fixture.product.db
    .selectFrom('agentSteps')
    .select('id')
    .where('pipelineId', '=', runId)
    .where('node', '=', agent)
    .executeTakeFirst();
  return step !== undefined;
}

async function turnOf(runId: string, agent: string): Promise<void> {
  const before = AFTER[agent];
  if (before !== undefined) {
    await until(`the end of ${before}`, () => hasEnded(runId, before), LONGEST_RUN_MS);
  }
}

const callsOf = ({ run }: Actor, agent: string) =>
  fixture.vendors.calls.filter((call) => {
    const caller = callerOf(call);
    return caller.runId === run.id && caller.agent === agent;
  });

/** Below the 3 s after which a task of a worker that is gone goes to any other, an event more. */
const LONGEST_MOMENT_MS = 2_500;

/** Waits until a run's history ends with such an event, or it is too late; `goOn` looks which. */
async function untilLast(actor: Actor, isIt: (type: string) => boolean): Promise<void> {
  const isThere = async () => {
    await pause(POLL_MS);
    return isIt((await historyOf(actor)).at(-1) ?? '');
  };
  await until('the moment', isThere, LONGEST_MOMENT_MS).catch(() => undefined);
}

const OPEN_TASK = ['WORKFLOW_TASK_SCHEDULED', 'WORKFLOW_TASK_STARTED', 'ACTIVITY_TASK_COMPLETED'];

/** An agent has ended, and the workflow has gone on from there. */
async function isTaken(actor: Actor, agent: string): Promise<boolean> {
  await pause(POLL_MS);
  const history = await historyOf(actor);
  const ended = history.filter((type) => type === 'ACTIVITY_TASK_COMPLETED').length;
  return ended > AGENTS.indexOf(agent) && !OPEN_TASK.includes(history.at(-1) ?? '');
}

/** Lets a run go on until an agent's call is under way, or to its end. */
async function walkTo(actor: Actor, agent: string | null): Promise<void> {
  for (const step of AGENTS) {
    await until(`the call of ${step}`, () => callsOf(actor, step).length > 0);
    if (step === agent) {
      break;
    }
    open(actor, step);
    await until(`the end of ${step}`, () => isTaken(actor, step));
  }
  if (agent === 'left') {
    await until('the parallel calls', () =>
      ['middle', 'right'].every((other) => callsOf(actor, other).length > 0),
    );
  }
}

/** Runs that stop at each agent in turn. */
async function enterAll(): Promise<readonly [string, Actor][]> {
  return Promise.all(
    AGENTS.map(async (agent): Promise<[string, Actor]> => {
      const actor = await enter();
      await walkTo(actor, agent);
      return [agent, actor];
    }),
  );
}

/** After a kill: notes where each run stands and what is lost, then lets all go on. */
async function goOn(met: readonly Actor[]): Promise<void> {
  for (const actor of actors.values()) {
    const replies = await fixture.product.db
      .selectFrom('modelReplies')
      .select('stepId')
      .where('stepId', 'like', `${actor.run.id}:%`)
      .execute();
    const isStored = (agent: string) => replies.some(({ stepId }) => stepId.includes(`:${agent}:`));
    const lost = AGENTS.filter((agent) => {
      const before = actor.lost.filter((it) => it === agent).length;
      return callsOf(actor, agent).length > before && !isStored(agent);
    });
    actor.lost.push(...lost);
  }
  for (const actor of met) {
    const history = await historyOf(actor);
    if (history.join() === reference.slice(0, history.length).join()) {
      covered.add(history.length);
    }
    AGENTS.forEach((agent) => open(actor, agent));
  }
  await startWorker();
}

async function killWorker(): Promise<void> {
  await fixture.product.workers.at(-1)?.kill();
}

/** Each agent's call is under way; one run has ended. */
async function killInFlight(): Promise<void> {
  const met = await enterAll();
  await killWorker();
  await goOn([...met.map(([, actor]) => actor), undisturbed]);
}

const DRAINING = '"state":"DRAINING"';

/** An agent has ended, and no worker has taken the task that follows: the worker is about to stop. */
async function killBeforeTheTask(): Promise<void> {
  const met = await enterAll();
  const worker = fixture.product.workers.at(-1);
  worker?.child.kill('SIGTERM');
  await until('it takes no more tasks', () => worker?.lines.some((it) => it.includes(DRAINING)));
  met.forEach(([agent, actor]) => open(actor, agent));
  const actor = await enter();
  const all = [...met.map(([, it]) => it), actor];
  await Promise.all(all.map((it) => untilLast(it, (type) => type === 'WORKFLOW_TASK_SCHEDULED')));
  await killWorker();
  await goOn(all);
}

/** A worker was given the task that follows, and does not answer any more. */
async function killInTheTask(): Promise<void> {
  const met = await enterAll();
  temporal.deafen();
  met.forEach(([agent, actor]) => open(actor, agent));
  const actor = await enter();
  const all = [...met.map(([, it]) => it), actor];
  await Promise.all(all.map((it) => untilLast(it, (type) => type === 'WORKFLOW_TASK_STARTED')));
  await killWorker();
  await goOn(all);
}

test('a worker was killed at every event', () => {
  expect(reference.length).toBeGreaterThanOrEqual(40);
  const moments = momentsOf(reference);
  // events that are written at once are met at the last of them
  const metAt = reference.map((_, at) => moments.find((length) => length > at) ?? 0);
  expect(metAt.filter((length) => !covered.has(length))).toEqual([]);
});

async function eachActor(look: (records: RunRecords, actor: Actor) => unknown) {
  for (const actor of actors.values()) {
    await look(await readRecords(fixture.product.db, actor.run), actor);
  }
}

test('no kill changes an event or the result', async () => {
  const expected = await readRecords(fixture.product.db, undisturbed.run);
  await eachActor(({ record, events }) => {
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
    expect(withoutTimesAndIds(events)).toEqual(withoutTimesAndIds(expected.events));
    expect(withoutTimesAndIds(record.result)).toEqual(withoutTimesAndIds(expected.record.result));
    expect(record.status).toBe('completed');
  });
});

test('every agent calls once, and again only if its call was lost at a kill', async () => {
  await eachActor((_, actor) => {
    const calls = AGENTS.map((agent) => [agent, callsOf(actor, agent).length]);
    const lost = (agent: string) => actor.lost.filter((it) => it === agent).length;
    expect(calls).toEqual(AGENTS.map((agent) => [agent, 1 + lost(agent)]));
  });
});

test('the ledger is the vendor’s bill, but for what was lost, which is listed apart', async () => {
  await eachActor(async ({ ledger }, actor) => {
    const { run, lost } = actor;
    expect(await readMoney(fixture.product.db, run.userId)).toEqual({
      settled: AGENTS.toSorted(),
      unknown: lost.toSorted(),
      wrong: [],
      dayIsSum: true,
    });
    for (const { requestId, cost } of ledger.filter(({ state }) => state === 'settled')) {
      const call = fixture.vendors.calls[Number(requestId?.replace('req-', '')) - 1];
      expect(call === undefined ? null : picoOf(billOf([call]))).toBe(picoOf(cost));
    }
  });
});

test('every run leaves its user free for the next', async () => {
  await eachActor(({ slots, record }) => {
    expect(slots).toEqual([]);
    expect(record.waitingFor).toBeNull();
  });
});
