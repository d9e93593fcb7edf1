import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Db } from '../../db/connect.js';
import { createLedger, sweepStaleReservations } from '../../db/billing/costs.js';
import { toBill } from '../../domain/account/bill.js';
import type { BillingContext } from '../../domain/account/costs.js';
import { createTestDb, createTestUser, type TestDb } from '../support/servers.js';

let server: TestDb;
let db: Db;

beforeAll(async () => {
  server = await createTestDb();
  db = server.db;
});
afterAll(async () => {
  await server.drop();
});

const OPERATIONS = 200;

/** Small ranges, so that operations meet: 2 users, 6 steps, 2 runs, 2 attempts, 3 calls, 2 days. */
const operation = fc.record({
  kind: fc.constantFrom('reserve', 'reserve', 'settle', 'release', 'unknown', 'sweep'),
  user: fc.nat(1),
  step: fc.nat(5),
  run: fc.nat(1),
  attempt: fc.integer({ min: 1, max: 2 }),
  callNumber: fc.integer({ min: 1, max: 3 }),
  tomorrow: fc.boolean(),
  tokens: fc.nat(30_000),
  price: fc.constantFrom('0', '0.15', '0.333333', '7.000001', '75'),
});
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

const DAYS = [new Date('2026-11-22T12:00:00Z'), new Date('2026-11-23T12:00:00Z')] as const;

/** Does one operation; what the ledger refuses (a call that is over) is no failure here. */
async function perform(op: Operation, userIds: readonly string[]): Promise<void> {
  const userId = userIds[op.user] ?? '';
  const ledger = createLedger(db, () => DAYS[op.tomorrow ? 1 : 0]);
  const stepId = `${userId}:node:${op.step}`;
  const owner = { pipelineId: null, conversationId: null };
  const billing = { userId, stepId, runId: `run-${op.run}`, attempt: op.attempt, ...owner };
  if (op.kind === 'sweep') {
    await sweepStaleReservations(db, DAYS[1], 3);
  } else if (op.kind === 'reserve') {
    const estimate = {
      provider: 'openai',
      model: 'gpt-4o',
      promptTokens: op.tokens,
      maxTokens: 4_096,
      minTokens: 256,
      ...priceOf(op),
      callNumber: op.callNumber,
    } as const;
    await ledger.reserve(billing, estimate).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'internal' });
    });
  } else {
    await end(op, billing);
  }
}

function priceOf({ price }: Operation) {
  return { inputUsdPerMillion: price, outputUsdPerMillion: price };
}

async function end(op: Operation, billing: BillingContext): Promise<void> {
  const ledger = createLedger(db, () => DAYS[op.tomorrow ? 1 : 0]);
  const call = await db
    .selectFrom('costLedger')
    .select('id')
    .where('stepId', '=', billing.stepId)
    .where('callNumber', '=', op.callNumber)
    .orderBy('createdAt')
    .executeTakeFirst();
  if (call === undefined) {
    return;
  }
  const outcome = { errorCode: 'model-unavailable', passFailed: true };
  if (op.kind === 'settle') {
    const usage = { promptTokens: op.tokens, completionTokens: op.tokens % 977 };
    const base = { content: randomUUID(), provider: 'openai', model: 'gpt-4o' } as const;
    const reply = { ...base, usage, finish: 'stop', requestId: null } as const;
    const bill = toBill(priceOf(op), usage);
    await ledger.settle(billing, { callId: call.id, reply, bill, fallbackFrom: null, calls: 1 });
  } else if (op.kind === 'release') {
    await ledger.release(call.id, outcome);
  } else {
    await ledger.leaveUnknown(call.id, outcome);
  }
}

async function daysThatDiffer(userIds: readonly string[]) {
  const { rows } = await sql`
    select day.user_id, day.date, day.total_cost, coalesce(sum(call.cost), 0) as ledger
    from user_daily_costs as day
    full join cost_ledger as call on call.user_id = day.user_id and call.date = day.date
    where coalesce(day.user_id, call.user_id) = any(${userIds}::uuid[])
    group by day.id having day.total_cost is distinct from coalesce(sum(call.cost), 0)`.execute(db);
  return rows;
}

test('with any operations at once, a day is the sum of its ledger and its limit holds', async () => {
  const operations = fc.array(operation, { minLength: OPERATIONS, maxLength: OPERATIONS });
  await fc.assert(
    fc.asyncProperty(operations, async (batch) => {
      const users = [await createTestUser(db), await createTestUser(db, { role: 'pro' })];
      const userIds = users.map((user) => user.id);
      await Promise.all(batch.map((op) => perform(op, userIds)));
      expect(await daysThatDiffer(userIds)).toEqual([]);
    }),
    { numRuns: 5, endOnFailure: true },
  );
});

test('reservations and settles within them never pass the limit', async () => {
  const size = fc.record({ prompt: fc.nat(5_000), max: fc.integer({ min: 1, max: 16_384 }) });
  const calls = fc.array(size, { minLength: 60, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(calls, async (batch) => {
      const { id: userId } = await createTestUser(db);
      await Promise.all(batch.map((call, index) => reserveAndSettle(userId, { ...call, index })));
      const day = await db
        .selectFrom('userDailyCosts')
        .select(sql<boolean>`total_cost <= 1`.as('within'))
        .where('userId', '=', userId)
        .executeTakeFirstOrThrow();
      expect(day.within).toBe(true);
      expect(await daysThatDiffer([userId])).toEqual([]);
    }),
    { numRuns: 5, endOnFailure: true },
  );
});

const PRICE = { inputUsdPerMillion: '15', outputUsdPerMillion: '75' };

async function reserveAndSettle(
  userId: string,
  call: { prompt: number; max: number; index: number },
): Promise<void> {
  const ledger = createLedger(db, () => DAYS[0]);
  const stepId = `${userId}:node:${call.index}`;
  const owner = { pipelineId: null, conversationId: null };
  const billing = { userId, stepId, runId: 'run', attempt: 1, ...owner };
  const granted = await ledger.reserve(billing, {
    provider: 'anthropic',
    model: 'claude-opus-4-6',
    promptTokens: call.prompt,
    maxTokens: call.max,
    minTokens: Math.min(256, call.max),
    ...PRICE,
    callNumber: 1,
  });
  if ('kind' in granted) {
    return;
  }
  const usage = { promptTokens: call.prompt, completionTokens: granted.maxTokens };
  const base = { content: 'x', provider: 'anthropic', model: 'claude-opus-4-6' } as const;
  const reply = { ...base, usage, finish: 'stop', requestId: null } as const;
  const { callId } = granted;
  const bill = toBill(PRICE, usage);
  await ledger.settle(billing, { callId, reply, bill, fallbackFrom: null, calls: 1 });
}
