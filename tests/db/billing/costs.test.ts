import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Db } from '../../../db/connect.js';
import { setUserDisabled } from '../../../db/users/users.js';
import { createLedger, readDay, sweepStaleReservations } from '../../../db/billing/costs.js';
import { toBill, type Price } from '../../../domain/account/bill.js';
import type {
  CallEstimate,
  BillingContext,
  Ledger,
  Reservation,
} from '../../../domain/account/costs.js';
import { closeRun, openRun } from '../../../db/runs/runs.js';
import { inTransaction } from '../../../db/transactions.js';
import type { ModelReply } from '../../../domain/agents/models.js';
import type { Role } from '../../../domain/account/permissions.js';
import { admittedRun } from '../../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';
import { until } from '../../support/until.js';

const NOON = new Date('2026-11-22T12:00:00Z');
const TODAY = '2026-11-22';
const FAILED = { errorCode: 'model-unavailable' };

let server: TestDb;
let db: Db;
let ledger: Ledger;

beforeAll(async () => {
  server = await createTestDb();
  db = server.db;
  ledger = createLedger(db, () => NOON);
});
afterAll(async () => {
  await server.drop();
});

async function newCharge(
  role: Role = 'free',
  fields: Partial<BillingContext> = {},
): Promise<BillingContext> {
  const { id } = await createTestUser(db, { role });
  return {
    userId: id,
    stepId: `${randomUUID()}:analyst:0`,
    runId: 'run-1',
    attempt: 1,
    pipelineId: null,
    conversationId: null,
    ...fields,
  };
}

/** By default: 1,000 tokens in and 1,000 out, at $1 and $10 a million = $0.011. */
function estimateOf(fields: Partial<CallEstimate> = {}): CallEstimate {
  return {
    provider: 'openai',
    model: 'gpt-4o',
    promptTokens: 1_000,
    maxTokens: 1_000,
    minTokens: 256,
    inputUsdPerMillion: '1',
    outputUsdPerMillion: '10',
    callNumber: 1,
    ...fields,
  };
}

function replyOf(fields: Partial<ModelReply> = {}): ModelReply {
  return {
    content: 'answer',
    provider: 'openai',
    model: 'gpt-4o',
    usage: { promptTokens: 900, completionTokens: 100 },
    finish: 'stop',
    requestId: 'req-1',
    ...fields,
  };
}

async function reserved(
  billing: BillingContext,
  fields: Partial<CallEstimate> = {},
): Promise<Reservation> {
  const answer = await ledger.reserve(billing, estimateOf(fields));
  if ('kind' in answer) {
    throw new Error('over budget');
  }
  return answer;
}

function settled(
  billing: BillingContext,
  callId: string,
  reply: Partial<ModelReply> = {},
  price: Price = estimateOf(),
) {
  return ledger.settle(billing, answeredBy(callId, replyOf(reply), price));
}

/** Billed at those rates, unless it states no usage. */
function answeredBy(callId: string, reply: ModelReply, price: Price = estimateOf()) {
  const bill = reply.isEstimated === true ? null : toBill(price, reply.usage);
  return { callId, reply, bill, fallbackFrom: null, calls: 1 };
}

async function rowOf(callId: string) {
  return db.selectFrom('costLedger').selectAll().where('id', '=', callId).executeTakeFirstOrThrow();
}

const usd = (text: string) => Number(text);

describe('a call at the end of its run', () => {
  async function openedRun() {
    const { userId } = await newCharge();
    const pipelineId = await admittedRun(db, { userId, conversationId: null }, NOON);
    await inTransaction(db, (tx) => openRun(tx, pipelineId, { now: NOON }));
    const billing: BillingContext = {
      ...{ userId, pipelineId, conversationId: null, stepId: `${pipelineId}:analyst:0` },
      ...{ runId: 'run-1', attempt: 1 },
    };
    const countedOn = async () =>
      (
        await db
          .selectFrom('pipelineExecutions')
          .select('countedOn')
          .where('id', '=', pipelineId)
          .executeTakeFirstOrThrow()
      ).countedOn;
    return { pipelineId, charge: billing, countedOn };
  }
  const cancelled = (pipelineId: string) =>
    ({ pipelineId, outcome: { kind: 'cancelled' }, now: NOON }) as const;

  test('that was reserved before it counts the run', async () => {
    const { pipelineId, charge: billing, countedOn } = await openedRun();
    await reserved(billing);
    await inTransaction(db, (tx) => closeRun(tx, cancelled(pipelineId)));
    expect(await countedOn()).toBe(TODAY);
  });

  test('is refused after it, also while the end is being written: the count was given back', async () => {
    const { pipelineId, charge: billing, countedOn } = await openedRun();
    let late: Promise<unknown> = Promise.resolve();
    await inTransaction(db, async (tx) => {
      await closeRun(tx, cancelled(pipelineId));
      late = ledger.reserve(billing, estimateOf()).catch((error: unknown) => error);
      await until('it waits', async () => {
        const { rows } = await sql<{ count: number }>`select count(*)::integer as count
          from pg_stat_activity
          where wait_event_type = 'Lock' and datname = current_database()`.execute(db);
        return rows[0]?.count === 1;
      });
    });
    expect(await late).toMatchObject({ code: 'cancelled' });
    await expect(ledger.reserve(billing, estimateOf())).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(await countedOn()).toBeNull();
    const calls = db.selectFrom('costLedger').select('id').where('pipelineId', '=', pipelineId);
    expect(await calls.execute()).toEqual([]);
  });
});

test('a reservation charges the upper bound, a settle the usage, to the last digit', async () => {
  const billing = await newCharge();
  const price = { inputUsdPerMillion: '0.123457', outputUsdPerMillion: '0.700001' };
  const call = await reserved(billing, { promptTokens: 7, maxTokens: 3_333, ...price });
  expect(await readDay(db, billing.userId, TODAY)).toBe('0.002333967532'); // 0.000000864199 + …
  const usage = { promptTokens: 3, completionTokens: 1_001 };
  const reply = await settled(billing, call.callId, { usage }, price);
  expect(await readDay(db, billing.userId, TODAY)).toBe('0.000701071372');
  expect(reply.costUsd).toBe(0.000701071372);
  expect(await rowOf(call.callId)).toMatchObject({
    state: 'settled',
    cost: '0.000701071372',
    reserved: '0.002333967532',
    promptTokens: 3,
    completionTokens: 1_001,
    requestId: 'req-1',
  });
});

test('adding a tenth of a cent a thousand times makes exactly one dollar', async () => {
  const billing = await newCharge();
  const price = { promptTokens: 1_000, maxTokens: 1, minTokens: 1, outputUsdPerMillion: '0' };
  for (let callNumber = 1; callNumber <= 1_000; callNumber += 1) {
    await reserved(billing, { ...price, callNumber });
  }
  expect(await readDay(db, billing.userId, TODAY)).toBe('1');
  expect(await ledger.reserve(billing, estimateOf({ ...price, callNumber: 1_001 }))).toEqual({
    kind: 'over-budget',
    limit: 'user',
  });
});

test('max_tokens is lowered to what the day still affords', async () => {
  const billing = await newCharge();
  const call = await reserved(billing, { maxTokens: 200_000 });
  expect(call.maxTokens).toBe(99_900); // ($1 − $0.001) / $0.00001
  expect(await readDay(db, billing.userId, TODAY)).toBe('1');
  expect((await rowOf(call.callId)).maxTokens).toBe(99_900);
});

test('a lowered max_tokens never rounds up past the limit', async () => {
  const billing = await newCharge();
  await reserved(billing, { promptTokens: 0, maxTokens: 9_000_000, outputUsdPerMillion: '0.7' });
  const day = await readDay(db, billing.userId, TODAY);
  expect(usd(day)).toBeLessThanOrEqual(1);
  expect(usd(day)).toBeGreaterThan(1 - 0.0000007);
});

test('a call that would get fewer tokens than its least is over budget and changes nothing', async () => {
  const billing = await newCharge();
  await reserved(billing, { maxTokens: 99_645 }); // leaves $0.00255: no prompt of $0.001 and 256 tokens
  const before = await readDay(db, billing.userId, TODAY);
  const next = { ...billing, stepId: `${billing.stepId}:next` };
  expect(await ledger.reserve(next, estimateOf())).toEqual({ kind: 'over-budget', limit: 'user' });
  expect(await ledger.reserve(next, estimateOf({ minTokens: 155 }))).toMatchObject({
    maxTokens: 155,
  });
  expect(before).toBe('0.99745');
  expect(await readDay(db, billing.userId, TODAY)).toBe('1');
});

test('a prompt that the day cannot pay is over budget, with any least of tokens', async () => {
  const billing = await newCharge();
  const huge = estimateOf({ promptTokens: 1_000_001, minTokens: 0, outputUsdPerMillion: '0' });
  expect(await ledger.reserve(billing, huge)).toEqual({ kind: 'over-budget', limit: 'user' });
  expect(await readDay(db, billing.userId, TODAY)).toBe('0');
});

test('a call that costs nothing passes in full on a spent day', async () => {
  const billing = await newCharge();
  await reserved(billing, { maxTokens: 99_900 });
  const free = { inputUsdPerMillion: '0', outputUsdPerMillion: '0', callNumber: 2 };
  expect((await reserved(billing, { ...free, maxTokens: 16_384 })).maxTokens).toBe(16_384);
  expect(await readDay(db, billing.userId, TODAY)).toBe('1');
});

test('an administrator has no limit, and is counted anyway', async () => {
  const billing = await newCharge('admin');
  const call = await reserved(billing, { maxTokens: 90_000_000 });
  expect(call.maxTokens).toBe(90_000_000);
  expect(await readDay(db, billing.userId, TODAY)).toBe('900.001');
});

test('the limit follows the role that the user has at the call', async () => {
  const billing = await newCharge();
  await reserved(billing, { maxTokens: 99_900 });
  await db.updateTable('users').set({ role: 'pro' }).where('id', '=', billing.userId).execute();
  expect((await reserved(billing, { callNumber: 2 })).maxTokens).toBe(1_000);
});

test('200 reservations at once never pass the limit, and waste none of it', async () => {
  const billing = await newCharge();
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      ledger.reserve({ ...billing, stepId: `${billing.stepId}:${index}` }, estimateOf()),
    ),
  );
  const granted = answers.filter((answer) => !('kind' in answer));
  expect(granted).toHaveLength(91); // 90 × $0.011 = $0.99, then one of 900 tokens
  expect(granted.map((call) => ('maxTokens' in call ? call.maxTokens : 0)).sort()).toContain(900);
  expect(await readDay(db, billing.userId, TODAY)).toBe('1');
});

test('reserving the same call again, even at once, is one reservation', async () => {
  const billing = await newCharge();
  const calls = await Promise.all(Array.from({ length: 8 }, () => reserved(billing)));
  expect(new Set(calls.map((call) => call.callId)).size).toBe(1);
  expect(await readDay(db, billing.userId, TODAY)).toBe('0.011');
});

test('a repeated reservation is granted even where the day is spent by now', async () => {
  const billing = await newCharge();
  const first = await reserved(billing, { maxTokens: 99_900 });
  expect(await reserved(billing, { maxTokens: 99_900 })).toEqual(first);
});

test('the name of a call that is over cannot be used for an uncharged one', async () => {
  const billing = await newCharge();
  const { callId } = await reserved(billing);
  await ledger.release(callId, FAILED);
  await expect(ledger.reserve(billing, estimateOf())).rejects.toMatchObject({ code: 'internal' });
  expect(await readDay(db, billing.userId, TODAY)).toBe('0');
});

test('usage above the reservation is recorded as it is', async () => {
  const billing = await newCharge();
  const { callId } = await reserved(billing);
  await settled(billing, callId, { usage: { promptTokens: 2_000, completionTokens: 1_000 } });
  expect(await readDay(db, billing.userId, TODAY)).toBe('0.012');
});

test('settling twice charges once and returns the same reply', async () => {
  const billing = await newCharge();
  const { callId } = await reserved(billing);
  const replies = await Promise.all(
    ['one', 'two', 'three'].map((content) => settled(billing, callId, { content })),
  );
  expect(new Set(replies.map((reply) => reply.content)).size).toBe(1);
  expect(await readDay(db, billing.userId, TODAY)).toBe('0.0019');
});

test('the first reply of a step stays, and a second paid one is charged too', async () => {
  const billing = await newCharge();
  const first = await reserved(billing);
  const second = await reserved({ ...billing, attempt: 2 });
  await settled(billing, first.callId, { content: 'first' });
  const reply = await settled({ ...billing, attempt: 2 }, second.callId, { content: 'second' });
  expect(reply.content).toBe('first');
  expect((await ledger.findReply(billing.stepId))?.content).toBe('first');
  expect(await readDay(db, billing.userId, TODAY)).toBe('0.0038');
});

test('a stored reply comes back whole', async () => {
  const billing = await newCharge();
  expect(await ledger.findReply(billing.stepId)).toBeNull();
  const { callId } = await reserved(billing);
  const reply = replyOf({ content: 'a\0b', finish: 'length', requestId: null });
  const stored = await ledger.settle(billing, {
    ...answeredBy(callId, reply),
    ...{ fallbackFrom: 'google', calls: 3 },
  });
  expect(stored).toEqual({
    ...reply,
    content: 'a\ufffdb',
    costUsd: 0.0019,
    fallbackFrom: 'google',
    calls: 3,
  });
  expect(await ledger.findReply(billing.stepId)).toEqual(stored);
});

test('settling a call that was never reserved fails and stores nothing', async () => {
  const billing = await newCharge();
  await expect(settled(billing, randomUUID())).rejects.toMatchObject({ code: 'internal' });
  expect(await ledger.findReply(billing.stepId)).toBeNull();
});

test('a release gives the reservation back once', async () => {
  const billing = await newCharge();
  const keep = await reserved(billing, { callNumber: 1 });
  const { callId } = await reserved(billing, { callNumber: 2 });
  await Promise.all([1, 2, 3].map(() => ledger.release(callId, FAILED)));
  expect(await readDay(db, billing.userId, TODAY)).toBe('0.011');
  expect(await rowOf(callId)).toMatchObject({ state: 'released', errorCode: FAILED.errorCode });
  expect(await rowOf(keep.callId)).toMatchObject({ state: 'reserved' });
});

test('a settled call cannot be released or become unknown', async () => {
  const billing = await newCharge();
  const { callId } = await reserved(billing);
  await settled(billing, callId);
  await ledger.release(callId, FAILED);
  await ledger.leaveUnknown(callId, FAILED);
  expect(await rowOf(callId)).toMatchObject({ state: 'settled' });
  expect(await readDay(db, billing.userId, TODAY)).toBe('0.0019');
});

test('a call whose end is unknown stays charged at its reservation', async () => {
  const billing = await newCharge();
  const { callId } = await reserved(billing);
  await ledger.leaveUnknown(callId, FAILED);
  await ledger.leaveUnknown(callId, FAILED);
  expect(await rowOf(callId)).toMatchObject({ state: 'unknown', cost: '0.011000000000' });
  expect(await readDay(db, billing.userId, TODAY)).toBe('0.011');
});

test('a later attempt makes the open calls of earlier ones unknown, and only those', async () => {
  const billing = await newCharge();
  const lost = await reserved(billing);
  const other = await reserved({ ...billing, stepId: `${billing.stepId}:other` });
  const mine = await reserved({ ...billing, attempt: 2 });
  await reserved({ ...billing, attempt: 2 }, { callNumber: 2 });
  expect((await rowOf(lost.callId)).state).toBe('unknown');
  expect((await rowOf(other.callId)).state).toBe('reserved');
  expect((await rowOf(mine.callId)).state).toBe('reserved');
  expect(await readDay(db, billing.userId, TODAY)).toBe('0.044');
});

test('an over-budget attempt still gives up the calls of earlier ones', async () => {
  const billing = await newCharge();
  const lost = await reserved(billing, { maxTokens: 99_900 });
  const again = await ledger.reserve({ ...billing, runId: 'run-2' }, estimateOf());
  expect(again).toEqual({ kind: 'over-budget', limit: 'user' });
  expect((await rowOf(lost.callId)).state).toBe('unknown');
});

test('a reply that arrives for an unknown call replaces its reservation', async () => {
  const billing = await newCharge();
  const { callId } = await reserved(billing);
  await ledger.leaveUnknown(callId, { errorCode: 'model-timeout' });
  await settled(billing, callId);
  expect(await readDay(db, billing.userId, TODAY)).toBe('0.0019');
});

test('a call is paid by the day it was reserved on, even after midnight', async () => {
  const billing = await newCharge();
  let now = new Date('2026-11-22T23:59:59.999Z');
  const nightly = createLedger(db, () => now);
  const kept = await nightly.reserve(billing, estimateOf());
  const lost = await nightly.reserve(billing, estimateOf({ callNumber: 2 }));
  now = new Date('2026-11-23T00:00:00.000Z');
  if ('kind' in kept || 'kind' in lost) {
    throw new Error('over budget');
  }
  const { callId } = kept;
  await nightly.settle(billing, answeredBy(callId, replyOf()));
  await nightly.release(lost.callId, FAILED);
  expect(await readDay(db, billing.userId, TODAY)).toBe('0.0019');
  expect(await readDay(db, billing.userId, '2026-11-23')).toBe('0');
  const next = await nightly.reserve(billing, estimateOf({ callNumber: 3 }));
  expect(next).toMatchObject({ maxTokens: 1_000 });
  expect(await readDay(db, billing.userId, '2026-11-23')).toBe('0.011');
});

test('one call reserved on both sides of midnight at once is charged once', async () => {
  const billing = await newCharge();
  const before = createLedger(db, () => new Date('2026-11-22T23:59:59.999Z'));
  const after = createLedger(db, () => new Date('2026-11-23T00:00:00.000Z'));
  const calls = await Promise.all([
    before.reserve(billing, estimateOf()),
    after.reserve(billing, estimateOf()),
  ]);
  expect(calls[0]).toEqual(calls[1]);
  const days = await Promise.all(
    [TODAY, '2026-11-23'].map((date) => readDay(db, billing.userId, date)),
  );
  expect(days.sort()).toEqual(['0', '0.011']);
});

test('failed attempts of a step are counted once each, with any end of their calls', async () => {
  const billing = await newCharge();
  const [one, two, three] = [
    await reserved(billing, { callNumber: 1 }),
    await reserved(billing, { callNumber: 2 }),
    await reserved(billing, { callNumber: 3 }),
  ];
  await ledger.release(one.callId, { errorCode: 'model-unavailable' });
  await ledger.release(two.callId, FAILED);
  await ledger.countFailedAttempt(two.callId);
  await ledger.countFailedAttempt(two.callId);
  await ledger.leaveUnknown(three.callId, { errorCode: 'model-timeout' });
  await ledger.countFailedAttempt(three.callId);
  const failures = {
    ...{ passes: 2, emptyAnswers: 0 },
    last: { code: 'model-timeout', provider: 'openai' },
  };
  expect(await ledger.readFailures(billing.stepId)).toEqual(failures);
  expect(await ledger.readFailures(`${billing.stepId}:other`)).toEqual({
    ...{ passes: 0, emptyAnswers: 0, last: null },
  });
});

test('an answer that is no reply is settled at the usage that was stated, and stores none', async () => {
  const billing = await newCharge();
  const { callId } = await reserved(billing);
  const usage = { promptTokens: 100, completionTokens: 50 };
  const failure = { errorCode: 'model-empty', usage, bill: toBill(estimateOf(), usage) ?? [] };
  await ledger.settleFailure(callId, failure);
  await ledger.settleFailure(callId, failure);
  await ledger.countFailedAttempt(callId);
  expect(await rowOf(callId)).toMatchObject({ state: 'settled', promptTokens: 100 });
  expect(await readDay(db, billing.userId, TODAY)).toBe('0.0006');
  expect(await ledger.findReply(billing.stepId)).toBeNull();
  const failures = {
    ...{ passes: 1, emptyAnswers: 1 },
    last: { code: 'model-empty', provider: 'openai' },
  };
  expect(await ledger.readFailures(billing.stepId)).toEqual(failures);
});

test('a reply without usage is kept, and charged as estimated at what was reserved', async () => {
  const billing = await newCharge();
  const { callId, maxTokens } = await reserved(billing);
  const { promptTokens } = estimateOf();
  const usage = { promptTokens, completionTokens: maxTokens };
  await settled(billing, callId, { usage, isEstimated: true });
  const row = await rowOf(callId);
  expect(row).toMatchObject({ state: 'estimated' });
  expect(Number(row.cost)).toBe(Number(row.reserved));
  expect(await ledger.findReply(billing.stepId)).not.toBeNull();
});

test('stale reservations become unknown in batches and stay charged', async () => {
  const billing = await newCharge();
  const early = createLedger(db, () => new Date('2020-01-01T00:00:00Z'));
  for (let callNumber = 1; callNumber <= 3; callNumber += 1) {
    await early.reserve(billing, estimateOf({ callNumber }));
  }
  const fresh = await reserved(billing, { callNumber: 4 });
  const olderThan = new Date('2020-01-01T00:15:00Z');
  expect(await sweepStaleReservations(db, olderThan, 2)).toBe(2);
  expect(await sweepStaleReservations(db, olderThan, 2)).toBe(1);
  expect(await sweepStaleReservations(db, olderThan, 2)).toBe(0);
  expect((await rowOf(fresh.callId)).state).toBe('reserved');
  expect(await readDay(db, billing.userId, '2020-01-01')).toBe('0.033');
});

test('a day is the sum of its ledger in this whole file', async () => {
  const { rows } = await sql`
    select day.user_id, day.date, day.total_cost, coalesce(sum(call.cost), 0) as ledger
    from user_daily_costs as day
    left join cost_ledger as call on call.user_id = day.user_id and call.date = day.date
    group by day.id having day.total_cost <> coalesce(sum(call.cost), 0)`.execute(db);
  expect(rows).toEqual([]);
});

test('nothing is reserved for an account that is shut, with or without a day; it is once it is open', async () => {
  const [billing, other] = [await newCharge(), await newCharge()];
  await ledger.reserve(billing, estimateOf());
  for (const { userId } of [billing, other]) {
    await setUserDisabled(db, { userId, at: NOON });
  }
  for (const it of [billing, other]) {
    const next = { ...it, stepId: `${randomUUID()}:analyst:0` };
    await expect(ledger.reserve(next, estimateOf())).rejects.toMatchObject({ code: 'not-found' });
    await setUserDisabled(db, { userId: it.userId, at: null });
    expect(await ledger.reserve(next, estimateOf())).toMatchObject({ callId: expect.any(String) });
  }
});
