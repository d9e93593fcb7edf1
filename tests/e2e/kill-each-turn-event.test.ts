/**
 * SIGKILL of the worker at every event of a discussion's history in turn: a turn that asks, one that designs,
 * one that criticizes, one that refines, and one that runs a design to its end. One kill meets many
 * discussions, each at another event.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import { discussionWorkflowId } from '../../domain/ids.js';
import { readMoney } from '../support/money.js';
import { register, type Chat, type Person, type WireEvent } from '../support/person.js';
import { startProduct, type Product } from '../support/product.js';
import { lockRow, type RowLock } from '../support/row-lock.js';
import { startProxyOf } from '../support/server-proxies.js';
import { stepOf, withoutTimesAndIds } from '../support/stories.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { temporalOf } from '../support/temporal.js';
import { until } from '../support/until.js';
import { startStandInVendors, type StandInVendors } from '../support/vendors/server.js';
import { eventTypesOf, momentsOf } from '../support/workflow-history.js';

/** What is said, and the events of the turn: a run has its own. */
const TURNS = [
  { says: 'help me', ends: 'clarification' },
  { says: 'Compare three podcast apps by price and write a report', ends: 'designs_presented' },
  { says: 'Can you make it cheaper?', ends: 'critique_complete' },
  { says: 'I would rather see a validator in every design', ends: 'designs_presented' },
  { says: 'ok, take option 1', ends: 'pipeline_result' },
] as const;
const RUN_TURN = TURNS.length - 1;
/** The purposes of a turn's calls; all others are agents of the run. */
const PURPOSES = ['intent', 'designs', 'critiques'];
/** The discussion has heard of the end before; which of its tasks this comes after is chance. */
const RUN_CLOSED = 'CHILD_WORKFLOW_EXECUTION_COMPLETED';
const POLL_MS = 30;
/** Below the 3 s after which a task of a worker that is gone goes to any other, an event more. */
const LONGEST_MOMENT_MS = 2_500;
const LONGEST_TURN_MS = 120_000;
/** On a busy machine a moment may be over before the kill; then it is tried again. */
const MOST_ROUNDS = 4;
const DRAINING = '"state":"DRAINING"';

let vendors: StandInVendors;
let product: Product;
let temporal: TcpProxy;
let connection: Awaited<ReturnType<typeof temporalOf>>;

/** A person in a discussion. */
interface Actor {
  readonly person: Person;
  readonly conversationId: string;
  readonly chat: Chat;
  /** By which the vendor knows whose call it is. */
  readonly key: string;
  /** Turns whose message was sent. */
  sent: number;
  /** What the calls of such a step wait for. */
  held: { readonly isHeld: (step: string) => boolean; readonly open: Promise<unknown> } | null;
  /** Calls that were under way at the kill, or whose reply was not stored. */
  lost: readonly string[];
}

/** Where a discussion is brought to before a kill. */
interface Stop {
  readonly turn: number;
  /** Sends the turn's message and waits until the discussion stands there. @returns what lets it go on */
  arrive(actor: Actor): Promise<() => void>;
}

const actors: Actor[] = [];
let undisturbed: Actor;
let reference: readonly string[];
/** Numbers of events after which a worker was killed. */
const covered = new Set<number>();

beforeAll(async () => {
  temporal = await startProxyOf('temporal');
  vendors = await startStandInVendors();
  product = await startProduct({ workers: 0, env: { OPENAI_BASE_URL: vendors.openAiUrl } });
  connection = await temporalOf(product);
  vendors.setBehaviour((call) => {
    const held = actors.find(({ key }) => key === call.key)?.held ?? null;
    return held?.isHeld(stepOf(call)) === true ? { kind: 'answer', hold: held.open } : undefined;
  });
  await startWorker();
  undisturbed = await enter();
  await finish(undisturbed);
  const history = await historyOf(undisturbed);
  reference = history.slice(0, history.indexOf(RUN_CLOSED));
  for (let round = 0; round < MOST_ROUNDS && missing().length > 0; round += 1) {
    for (const kill of [killAtRest, killInFlight, killBeforeTheTask, killInTheTask]) {
      await kill();
    }
  }
  await Promise.all(actors.map(finish));
});
afterAll(async () => {
  await product.stop();
  await connection.close();
  await vendors.close();
  await temporal.close();
});

const missing = () => momentsOf(reference).filter((length) => !covered.has(length));

async function startWorker(): Promise<void> {
  await temporal.restore();
  await product.startWorker({ TEMPORAL_ADDRESS: `127.0.0.1:${temporal.port}` });
}

async function enter(): Promise<Actor> {
  const person = await register(product.url);
  const key = `sk-test-${randomUUID()}`;
  const stored = await person.ask('POST', '/llm-keys', { provider: 'openai', api_key: key });
  expect(stored.body).toMatchObject({ is_valid: true });
  const conversationId = await person.startConversation();
  const chat = await person.chat(conversationId);
  const actor: Actor = { person, conversationId, chat, key, sent: 0, held: null, lost: [] };
  actors.push(actor);
  return actor;
}

async function historyOf({ conversationId }: Actor): Promise<readonly string[]> {
  const { client } = connection;
  return eventTypesOf(client.workflow.getHandle(discussionWorkflowId(conversationId)));
}

/** Waits until the history ends with such an event, or it is too late; `goOn` looks which. */
async function untilLast(actor: Actor, type: string): Promise<void> {
  const isThere = async () => {
    await pause(POLL_MS);
    return (await historyOf(actor)).findLast((it) => it !== RUN_CLOSED) === type;
  };
  await until(type, isThere, LONGEST_MOMENT_MS).catch(() => undefined);
}

function send(actor: Actor): void {
  actor.chat.send(TURNS[actor.sent]?.says ?? '');
  actor.sent += 1;
}

/** Waits for the end of the turns that were sent, and until the discussion rests. */
async function settled(actor: Actor): Promise<void> {
  const expected = TURNS.slice(0, actor.sent).map(({ ends }) => ends);
  await until(
    `the end of turn ${actor.sent}`,
    () => endsOf(actor.chat.events).join() === expected.join(),
    LONGEST_TURN_MS,
  );
  await until('it rests', async () => {
    await pause(POLL_MS);
    return isAtRest(await historyOf(actor));
  });
}

/** No task and no activity is under way. */
function isAtRest(history: readonly string[]): boolean {
  const count = (type: string) => history.filter((it) => it === type).length;
  const last = history.at(-1) ?? '';
  return (
    !['WORKFLOW_TASK_SCHEDULED', 'WORKFLOW_TASK_STARTED', 'WORKFLOW_EXECUTION_SIGNALED'].includes(
      last,
    ) &&
    !last.startsWith('WORKFLOW_TASK_TIMED_OUT') &&
    count('ACTIVITY_TASK_SCHEDULED') === count('ACTIVITY_TASK_COMPLETED')
  );
}

function endsOf(events: readonly WireEvent[]): readonly string[] {
  const ends: readonly string[] = TURNS.map(({ ends: end }) => end);
  return events.map(({ type }) => type).filter((type) => ends.includes(type));
}

/** Takes all turns before this one. */
async function walkTo(actor: Actor, turn: number): Promise<void> {
  if (actor.sent > 0) {
    await settled(actor);
  }
  while (actor.sent < turn) {
    send(actor);
    await settled(actor);
  }
}

async function finish(actor: Actor): Promise<void> {
  await walkTo(actor, TURNS.length);
}

const callsOf = ({ key }: Actor) =>
  vendors.calls
    .filter((call) => call.kind === 'complete' && call.key === key)
    .map(stepOf)
    .map((step) => (step === 'joiner' ? LAST_AGENT : step));
/** Its prompt names its inputs, and not itself. */
const LAST_AGENT = 'writer';

/** The turn's call of this kind is under way. */
function atCall(turn: number, isHeld: (step: string) => boolean): Stop {
  return {
    turn,
    async arrive(actor) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const before = callsOf(actor).filter(isHeld).length;
      actor.held = { isHeld, open: promise };
      send(actor);
      await vendors.until(() => callsOf(actor).filter(isHeld).length > before);
      return () => {
        actor.held = null;
        resolve(undefined);
      };
    },
  };
}

/** A transaction of the turn waits at a row that is locked before the message is sent. */
function atRow(turn: number, lock: (actor: Actor) => Promise<RowLock>): Stop {
  return {
    turn,
    async arrive(actor) {
      const row = await lock(actor);
      send(actor);
      await row.awaited();
      return row.release;
    },
  };
}

const AGENT = atCall(RUN_TURN, (step) => !PURPOSES.includes(step));

const QUESTIONS: readonly Stop[] = [
  atCall(0, (step) => step === 'intent'),
  atCall(1, (step) => step === 'designs'),
  atCall(2, (step) => step === 'critiques'),
  atCall(3, (step) => step === 'designs'),
];
/** The turn that runs a design is about to be echoed; it is about to be admitted; its run is about to end. */
const RUN_ROWS: readonly Stop[] = [
  atRow(RUN_TURN, ({ conversationId }) =>
    lockRow(product.db, sql`select 1 from streams where id = ${conversationId}::uuid for update`),
  ),
  atRow(RUN_TURN, ({ person }) =>
    lockRow(product.db, sql`select 1 from users where id = ${person.userId}::uuid for update`),
  ),
  {
    turn: RUN_TURN,
    async arrive(actor) {
      const open = await AGENT.arrive(actor);
      const row = await lockRow(
        product.db,
        sql`select 1 from pipeline_executions where user_id = ${actor.person.userId}::uuid for share`,
      );
      open();
      await row.awaited();
      return row.release;
    },
  },
];
interface Arrived {
  readonly actor: Actor;
  release(): void;
}

async function enterAt(stops: readonly Stop[]): Promise<readonly Arrived[]> {
  return Promise.all(
    stops.map(async (stop) => {
      const actor = await enter();
      await walkTo(actor, stop.turn);
      return { actor, release: await stop.arrive(actor) };
    }),
  );
}

/** Those rest before these turns. */
async function enterBefore(turns: readonly number[]): Promise<readonly Actor[]> {
  return Promise.all(
    turns.map(async (turn) => {
      const actor = await enter();
      await walkTo(actor, turn);
      return actor;
    }),
  );
}

const killWorker = async () => product.workers.at(-1)?.kill();

/** After a kill: notes where each discussion stands and what is lost, and starts another worker. */
async function goOn(met: readonly Arrived[]): Promise<void> {
  for (const { actor, release } of met) {
    const history = (await historyOf(actor)).filter((type) => type !== RUN_CLOSED);
    const seen = history.slice(0, reference.length);
    if (seen.join() === reference.slice(0, seen.length).join()) {
      covered.add(seen.length);
    }
    actor.lost = await lostCallsOf(actor);
    release();
  }
  await startWorker();
  await Promise.all(met.map(({ actor }) => finish(actor)));
}

async function lostCallsOf(actor: Actor): Promise<readonly string[]> {
  const replies = await product.db
    .selectFrom('modelReplies')
    .select('stepId')
    .where('userId', '=', actor.person.userId)
    .execute();
  const stored = replies.map(({ stepId }) => stepId.split(':')[1] ?? '');
  const lost = callsOf(actor);
  for (const step of stored) {
    const index = lost.indexOf(step);
    if (index >= 0) {
      lost.splice(index, 1);
    }
  }
  return lost;
}

const resting = (actor: Actor): Arrived => ({ actor, release: () => undefined });

/** No turn is under way. */
async function killAtRest(): Promise<void> {
  const met = await enterBefore([1, 2, 3, RUN_TURN]);
  await killWorker();
  await goOn([...met, undisturbed].map(resting));
}

/** An activity of the turn is under way. */
async function killInFlight(): Promise<void> {
  const met = await enterAt([...QUESTIONS, ...RUN_ROWS, AGENT]);
  await killWorker();
  await goOn(met);
}

/** A message or an activity's result has come, and no worker takes the task that follows. */
async function killBeforeTheTask(): Promise<void> {
  const before = await enterBefore(TURNS.map((_, turn) => turn));
  const within = await enterAt([...QUESTIONS, ...RUN_ROWS]);
  const worker = product.workers.at(-1);
  worker?.child.kill('SIGTERM');
  await until('it takes no more tasks', () => worker?.lines.some((it) => it.includes(DRAINING)));
  within.forEach(({ release }) => {
    release();
  });
  await untilAllLast(within, 'WORKFLOW_TASK_SCHEDULED');
  await killWorker();
  before.forEach(send);
  const met = [...before.map(resting), ...within];
  await untilAllLast(met, 'WORKFLOW_TASK_SCHEDULED');
  await goOn(met);
}

/** Fewer at once than a worker polls for: one that is deaf gets no more tasks than that. */
const PARTS = [0, 1, 2];

/** A worker was given the task that follows, and does not answer any more. */
async function killInTheTask(): Promise<void> {
  for (const part of PARTS) {
    const isMet = (_: unknown, index: number) => index % PARTS.length === part;
    const before = await enterBefore(TURNS.map((_, turn) => turn).filter(isMet));
    const within = await enterAt([...QUESTIONS, ...RUN_ROWS].filter(isMet));
    temporal.deafen();
    before.forEach(send);
    within.forEach(({ release }) => {
      release();
    });
    const met = [...before.map(resting), ...within];
    await untilAllLast(met, 'WORKFLOW_TASK_STARTED');
    await killWorker();
    await goOn(met);
  }
}

async function untilAllLast(met: readonly Arrived[], type: string): Promise<void> {
  await Promise.all(met.map(({ actor }) => untilLast(actor, type)));
}

test('a worker was killed at every event', () => {
  const moments = momentsOf(reference);
  // events that are written at once are met at the last of them
  const metAt = reference.map((_, at) => moments.find((length) => length > at) ?? 0);
  expect(metAt.filter((length) => !covered.has(length))).toEqual([]);
  expect(moments.length).toBeGreaterThanOrEqual(25);
});

test('no kill changes an event or a result', () => {
  for (const { chat } of actors) {
    expect(withoutTimesAndIds(chat.events)).toEqual(withoutTimesAndIds(undisturbed.chat.events));
    expect(chat.events.map(({ seq }) => seq)).toEqual(chat.events.map((_, at) => at + 1));
  }
});

test('each step calls once, and again only if its call was lost at a kill', () => {
  for (const actor of actors) {
    expect(callsOf(actor).toSorted()).toEqual([...callsOf(undisturbed), ...actor.lost].toSorted());
  }
});

test('the ledger is the vendor’s bill; what was lost is charged and listed apart', async () => {
  for (const { person, lost } of actors) {
    expect(await readMoney(product.db, person.userId)).toEqual({
      settled: callsOf(undisturbed).toSorted(),
      unknown: lost.toSorted(),
      wrong: [],
      dayIsSum: true,
    });
  }
});

test('every discussion goes on', async () => {
  await Promise.all(
    actors.map(async ({ chat }) => {
      const before = chat.events.length;
      chat.send(TURNS[1].says);
      await until('new designs', () =>
        chat.events.slice(before).some(({ type }) => type === 'designs_presented'),
      );
    }),
  );
});
