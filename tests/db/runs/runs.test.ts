import { randomUUID } from 'node:crypto';
import type { RunRequest } from '../../../db/runs/admission.js';
import { admitRun } from '../../../db/runs/admission.js';
import type { Db } from '../../../db/connect.js';
import { createLedger } from '../../../db/billing/costs.js';
import { appendEvents, readEvents } from '../../../db/events.js';
import { listMessages } from '../../../db/discussions/messages.js';
import {
  closeRun,
  findOpenRuns,
  openRun,
  readRun,
  readRunById,
  type RunStart,
} from '../../../db/runs/runs.js';
import { isUuid } from '../../../domain/ids.js';
import type { RunOutcome } from '../../../domain/run/result-rules.js';
import { designOf, edgesOf } from '../../support/designs.js';
import { untilBlocked } from '../../support/locks.js';
import { admittedRun, createTestConversation, runRequestOf } from '../../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';
import { addStep } from '../../support/steps.js';

const NOW = new Date('2026-11-22T12:00:00Z');
const TODAY = '2026-11-22';
const LATER = new Date('2026-11-22T12:00:08.204Z');
const ENDED = { kind: 'ended' } as const;

let server: TestDb;
let db: Db;

beforeAll(async () => {
  server = await createTestDb();
  db = server.db;
});
afterAll(async () => {
  await server.drop();
});

async function pendingRun(fields: Partial<RunRequest> = {}) {
  const { id: userId } = await createTestUser(db);
  const pipelineId = await admittedRun(db, { userId, ...fields }, NOW);
  return { userId, pipelineId };
}

const open = (pipelineId: string, now = NOW) =>
  db.transaction().execute((tx) => openRun(tx, pipelineId, { now }));

async function runningRun(fields: Partial<RunRequest> = {}) {
  const run = await pendingRun(fields);
  await open(run.pipelineId);
  return run;
}

/** A run of a conversation of its user. */
async function talkingRun(language: 'ko' | 'en' = 'en') {
  const { id: userId } = await createTestUser(db);
  const conversationId = await createTestConversation(db, userId);
  const pipelineId = await admittedRun(db, { userId, conversationId, language }, NOW);
  await open(pipelineId);
  return { userId, conversationId, pipelineId };
}

function close(pipelineId: string, outcome: RunOutcome = ENDED, onlyPending = false) {
  return db
    .transaction()
    .execute((tx) => closeRun(tx, { pipelineId, outcome, onlyPending, now: LATER }));
}

const rowOf = async (pipelineId: string) => {
  const row = await readRunById(db, pipelineId);
  if (row === null) {
    throw new Error('no row');
  }
  return row;
};

test('opening a run marks it running once, and returns what to run', async () => {
  const conversation = await talkingRun('ko');
  const again = await open(conversation.pipelineId, LATER);
  expect(again).toMatchObject({
    kind: 'opened',
    design: designOf(['reader', 'writer']),
    language: 'ko',
    simulated: false,
    conversationId: conversation.conversationId,
    userId: conversation.userId,
    startedAt: NOW,
  });
  expect(await rowOf(conversation.pipelineId)).toMatchObject({
    status: 'running',
    startedAt: NOW,
    holdsSlot: true,
  });
});

const START = { type: 'pipeline_started', design_name: 'a', agent_count: 2 } as const;
const sayingStart: RunStart = {
  now: NOW,
  stepsOf: ({ id }) => [{ stepKey: 'start', event: { ...START, pipeline_id: id } }],
};

test('attempts that open a run at once report its start once', async () => {
  const { pipelineId } = await pendingRun();
  const opened = await Promise.all(
    Array.from({ length: 4 }, () => openRun(db, pipelineId, sayingStart)),
  );
  const said = await readEvents(db, pipelineId, { after: 0, limit: 10 });
  expect(said).toMatchObject([{ ...START, seq: 1 }]);
  for (const one of [...opened, await openRun(db, pipelineId, sayingStart)]) {
    expect(one).toMatchObject({ kind: 'opened', events: said });
  }
  const streams = db.selectFrom('streams').select('lastSeq').where('id', '=', pipelineId);
  expect(await streams.execute()).toEqual([{ lastSeq: 1 }]);
});

test.each([
  ['pending', pendingRun],
  ['running', runningRun], // opened again, because the answer of its opening was lost
] as const)('a %s run that ends while it is opened does not begin', async (_status, newRun) => {
  const { pipelineId } = await newRun();
  let opening: Promise<unknown> | undefined;
  await db.transaction().execute(async (tx) => {
    await closeRun(tx, { pipelineId, outcome: { kind: 'cancelled' }, now: LATER });
    opening = openRun(db, pipelineId, sayingStart);
    await untilBlocked(db);
  });
  expect(await opening).toEqual({ kind: 'already-final', status: 'cancelled' });
  const events = await readEvents(db, pipelineId, { after: 0, limit: 10 });
  expect(events.map(({ type }) => type)).toEqual(['pipeline_result']);
});

test('a run that has ended is not opened again', async () => {
  const { pipelineId } = await pendingRun();
  await close(pipelineId, { kind: 'cancelled' });
  expect(await open(pipelineId)).toEqual({ kind: 'already-final', status: 'cancelled' });
  expect(await rowOf(pipelineId)).toMatchObject({ status: 'cancelled', startedAt: null });
});

test('opening and closing a run that is not there fails', async () => {
  await expect(open(randomUUID())).rejects.toMatchObject({ code: 'not-found' });
  await expect(close(randomUUID())).rejects.toMatchObject({ code: 'not-found' });
});

test('closing writes result, slot and last event together, agents in order of their events', async () => {
  const { pipelineId, userId } = await runningRun();
  await addStep(db, pipelineId, { node: 'second', seq: 3, cost: '0.0000014' });
  await addStep(db, pipelineId, { node: 'first', seq: 2, cost: '0.0000013' });
  await addStep(db, pipelineId, { node: 'late', seq: null, cost: '7' });
  const closed = await close(pipelineId);
  expect(closed).toMatchObject({ kind: 'closed', conversationId: null, userId });
  expect(closed.result).toMatchObject({
    status: 'completed',
    design_name: 'Quick look',
    total_cost: 0.000003,
    total_duration: 8.2,
    total_tokens: 20,
    output: 'text of second',
    error: null,
  });
  expect(closed.result.agent_results.map((agent) => agent.agent_name)).toEqual(['first', 'second']);
  expect(await rowOf(pipelineId)).toMatchObject({
    status: 'completed',
    result: closed.result,
    durationSeconds: 8.2,
    totalCost: '0.000002700000',
    errorMessage: null,
    holdsSlot: false,
    endedAt: LATER,
  });
  expect(closed.events).toMatchObject([
    { type: 'pipeline_result', seq: 1, result: closed.result, pipeline_id: pipelineId },
  ]);
  expect(await readEvents(db, pipelineId, { after: 0, limit: 10 })).toEqual(closed.events);
});

test('a run that is closed again, even at once and otherwise, stays as it ended', async () => {
  const { pipelineId, conversationId } = await talkingRun();
  await addStep(db, pipelineId, { node: 'reader', seq: 1 });
  const outcomes: RunOutcome[] = [ENDED, { kind: 'timeout' }, { kind: 'internal' }, ENDED];
  const all = await Promise.all(outcomes.map((outcome) => close(pipelineId, outcome)));
  const first = all.find((closed) => closed.kind === 'closed');
  expect(all.filter((closed) => closed.kind === 'already-closed')).toHaveLength(3);
  for (const closed of all) {
    expect({ ...closed, kind: 'closed' }).toEqual(first);
  }
  expect(await listMessages(db, conversationId)).toHaveLength(1);
  expect(await readEvents(db, conversationId, { after: 0, limit: 10 })).toEqual(first?.events);
});

test.each([
  [{ kind: 'timeout' }, 'timeout', ['pipeline_failed', 'pipeline_result'], 'timeout'],
  [{ kind: 'internal' }, 'failed', ['pipeline_failed', 'pipeline_result'], 'internal_error'],
  [{ kind: 'cancelled' }, 'cancelled', ['pipeline_result'], undefined],
  [{ kind: 'unbuildable', reason: 'a cycle' }, 'failed', ['pipeline_result'], undefined],
  [ENDED, 'completed', ['pipeline_result'], undefined],
] as const)('after %j the status is %s and the stream ends with %j', async (...ending) => {
  const [outcome, status, types, reason] = ending;
  const { pipelineId } = await runningRun();
  await addStep(db, pipelineId, { node: 'reader', seq: 1 });
  const { result, events } = await close(pipelineId, outcome);
  expect(result.status).toBe(status);
  expect(result.agent_results).toHaveLength(1);
  expect(events.map((event) => event.type)).toEqual(types);
  const failure = events.find((event) => event.type === 'pipeline_failed');
  expect(failure?.reason).toBe(reason);
});

test.each([
  [0.9, ['writer', 'closer', 'end']],
  [0.1, ['sceptic', 'closer', 'end']],
])(
  'of a branch, what might have run is missing when a run stops early: score %d',
  async (score, left) => {
    const design = designOf(['reader', 'writer', 'sceptic', 'closer', 'end'], {
      edges: edgesOf(
        ...['reader>writer: score > 0.5', 'reader>sceptic: score <= 0.5'],
        ...['writer>closer', 'sceptic>closer', 'closer>end: quality > 1'],
      ),
    });
    const { pipelineId } = await runningRun({ design });
    await addStep(db, pipelineId, { node: 'reader', seq: 1, fields: JSON.stringify({ score }) });
    const stopped = await close(pipelineId, { kind: 'ended', stopped: 'over-budget' });
    expect(stopped.result.missing?.map(({ agent, code }) => [agent, code])).toEqual(
      left.map((agent) => [agent, 'not-started']),
    );
  },
);

test('a node behind a condition that does not hold is not missing from a run that stops early', async () => {
  const design = designOf(['reader', 'skipped', 'writer', 'last'], {
    edges: edgesOf('reader>skipped: score > 0.5', 'reader>writer', 'writer>last'),
  });
  const { pipelineId } = await runningRun({ design });
  await addStep(db, pipelineId, { node: 'reader', seq: 1, fields: '{"score":0.2}' });
  await addStep(db, pipelineId, {
    node: 'writer',
    seq: 2,
    status: 'failed',
    errorCode: 'over-budget',
  });
  const { result } = await close(pipelineId, { kind: 'ended', stopped: 'over-budget' });
  expect(result.missing?.map(({ agent }) => agent)).toEqual(['writer', 'last']);
});

test('the error of an unbuildable design is kept, and a NUL in it does no harm', async () => {
  const { pipelineId } = await pendingRun();
  const { result } = await close(pipelineId, { kind: 'unbuildable', reason: 'Cycle\0 detected' });
  expect(result.error).toContain('Cycle');
  expect((await rowOf(pipelineId)).errorMessage).toContain('Cycle\ufffd detected');
});

test("a discussion's run ends in its stream and with a message row", async () => {
  const { pipelineId, conversationId } = await talkingRun();
  const echo = { type: 'user_message_received', content: 'go', message_id: 'm' } as const;
  await db.transaction().execute((tx) =>
    appendEvents(tx, {
      streamId: conversationId,
      conversationId,
      steps: [{ stepKey: 'echo', event: echo }],
    }),
  );
  await addStep(db, pipelineId, { node: 'reader', seq: 2 });
  const { result, events } = await close(pipelineId);
  expect(events).toMatchObject([{ seq: 2, conversation_id: conversationId }]);
  const messages = await listMessages(db, conversationId);
  expect(messages).toMatchObject([
    {
      role: 'assistant',
      content: 'text of reader',
      metadata: {
        type: 'pipeline_result',
        pipeline_id: pipelineId,
        status: 'completed',
        total_cost: result.total_cost,
        result,
      },
    },
  ]);
  expect(isUuid(messages[0]?.id ?? '')).toBe(true);
});

test('a client that has seen the last event can start the next run', async () => {
  const { pipelineId, userId } = await runningRun();
  expect(await admitRun(db, runRequestOf(userId), NOW)).toMatchObject({ code: 'pipeline-running' });
  await close(pipelineId);
  expect(await admitRun(db, runRequestOf(userId), NOW)).toMatchObject({ kind: 'admitted' });
});

test('a failure while closing leaves the run as it was', async () => {
  const { pipelineId } = await runningRun();
  const closing = db.transaction().execute(async (tx) => {
    await closeRun(tx, { pipelineId, outcome: ENDED, now: LATER });
    throw new Error('lost');
  });
  await expect(closing).rejects.toThrow('lost');
  expect(await rowOf(pipelineId)).toMatchObject({ status: 'running', holdsSlot: true });
  expect(await readEvents(db, pipelineId, { after: 0, limit: 10 })).toEqual([]);
});

test('a run that has begun is left alone where only a pending one is to be closed', async () => {
  const running = await runningRun();
  expect(await close(running.pipelineId, { kind: 'cancelled' }, true)).toMatchObject({
    kind: 'left-running',
    events: [],
  });
  expect(await rowOf(running.pipelineId)).toMatchObject({ status: 'running', holdsSlot: true });
  const pending = await pendingRun();
  expect(await close(pending.pipelineId, { kind: 'cancelled' }, true)).toMatchObject({
    kind: 'closed',
    result: { status: 'cancelled', total_duration: 0 },
  });
});

async function reserveFor(run: { userId: string; pipelineId: string }, callNumber = 1) {
  const ledger = createLedger(db, () => NOW);
  const { userId, pipelineId } = run;
  const stepId = `${pipelineId}:reader:0`;
  const billing = { userId, stepId, runId: 'r', attempt: 1, pipelineId, conversationId: null };
  const call = await ledger.reserve(billing, {
    provider: 'simulated',
    model: 'simulated-standard',
    promptTokens: 10,
    maxTokens: 10,
    minTokens: 1,
    inputUsdPerMillion: '0',
    outputUsdPerMillion: '0',
    callNumber,
  });
  return { ledger, callId: 'callId' in call ? call.callId : '' };
}

test('a run without any call gives its count back, so it can be had again that day', async () => {
  const { id: userId } = await createTestUser(db);
  for (let run = 0; run < 5; run += 1) {
    const pipelineId = await admittedRun(db, { userId }, NOW);
    await close(pipelineId, { kind: 'unbuildable', reason: 'no agents' });
    expect((await rowOf(pipelineId)).countedOn).toBeNull();
  }
});

test('a run whose only vendor call was released keeps its count: a vendor was called', async () => {
  const run = await runningRun();
  const { ledger, callId } = await reserveFor(run);
  await ledger.release(callId, { errorCode: 'model-key-refused' });
  await close(run.pipelineId);
  expect((await rowOf(run.pipelineId)).countedOn).toBe(TODAY);
});

test('a run with a call in flight, or of unknown end, keeps its count', async () => {
  const inFlight = await runningRun();
  await reserveFor(inFlight);
  await close(inFlight.pipelineId, { kind: 'cancelled' });
  expect((await rowOf(inFlight.pipelineId)).countedOn).toBe(TODAY);
  const unknown = await runningRun();
  const { ledger, callId } = await reserveFor(unknown);
  await ledger.leaveUnknown(callId, { errorCode: 'cancelled' });
  await close(unknown.pipelineId);
  expect((await rowOf(unknown.pipelineId)).countedOn).toBe(TODAY);
});

test.each(['model-unavailable', 'model-rate-limited', 'model-timeout'])(
  'a run whose vendors were all away (%s) gives its count back, and one answer keeps it',
  async (errorCode) => {
    const run = await runningRun();
    const away = await reserveFor(run);
    await away.ledger.release(away.callId, { errorCode });
    const lost = await reserveFor(run, 2);
    await lost.ledger.leaveUnknown(lost.callId, { errorCode });
    await close(run.pipelineId);
    expect((await rowOf(run.pipelineId)).countedOn).toBeNull();
    const other = await runningRun();
    const failed = await reserveFor(other);
    await failed.ledger.release(failed.callId, { errorCode });
    const answered = await reserveFor(other, 2);
    const usage = { promptTokens: 1, completionTokens: 0 };
    await answered.ledger.settleFailure(answered.callId, {
      ...{ errorCode: 'model-empty', usage },
      bill: [{ kind: 'input', tokens: 1, usdPerMillion: '1' }],
    });
    await close(other.pipelineId);
    expect((await rowOf(other.pipelineId)).countedOn).toBe(TODAY);
  },
);

test('a run that called the collector keeps its count', async () => {
  const { pipelineId } = await runningRun();
  await db
    .updateTable('pipelineExecutions')
    .set({ collectorCalled: true })
    .where('id', '=', pipelineId)
    .execute();
  await close(pipelineId);
  expect((await rowOf(pipelineId)).countedOn).toBe(TODAY);
});

test('only the owner reads a run; foreign, missing and malformed ids look alike', async () => {
  const { pipelineId, userId } = await pendingRun();
  const stranger = await createTestUser(db);
  expect(await readRun(db, userId, pipelineId)).toEqual({
    pipeline_id: pipelineId,
    status: 'pending',
    design_name: 'Quick look',
    started_at: NOW.toISOString(),
    result: null,
    waiting_for: null,
    waiting_agents: [],
    detail: null,
    rerun_of: null,
  });
  expect(await readRun(db, stranger.id, pipelineId)).toBeNull();
  expect(await readRun(db, userId, randomUUID())).toBeNull();
  expect(await readRun(db, userId, "'; drop table users; --")).toBeNull();
  expect(await readRunById(db, 'no-id')).toBeNull();
});

test('a finished run is read with its result', async () => {
  const { pipelineId, userId } = await runningRun();
  await addStep(db, pipelineId, { node: 'reader', seq: 1 });
  const { result } = await close(pipelineId);
  expect(await readRun(db, userId, pipelineId)).toMatchObject({ status: 'completed', result });
});

test('open runs are found page by page, ended and young ones are not', async () => {
  const own = await createTestDb();
  try {
    const ids: string[] = [];
    for (let run = 0; run < 5; run += 1) {
      const { id: userId } = await createTestUser(own.db);
      ids.push(await admittedRun(own.db, { userId }, NOW));
    }
    const [ended = ''] = ids.splice(0, 1);
    await own.db
      .transaction()
      .execute((tx) => closeRun(tx, { pipelineId: ended, outcome: ENDED, now: LATER }));
    const { id: userId } = await createTestUser(own.db);
    await admittedRun(own.db, { userId }, LATER);
    const first = await findOpenRuns(own.db, { olderThan: LATER, limit: 3 });
    const afterId = first.at(-1)?.id ?? '';
    const second = await findOpenRuns(own.db, { olderThan: LATER, limit: 3, afterId });
    expect(first).toHaveLength(3);
    expect([...first, ...second].map((run) => run.id)).toEqual([...ids].sort());
  } finally {
    await own.drop();
  }
});
