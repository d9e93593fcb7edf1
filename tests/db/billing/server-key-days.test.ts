/** What the server's own vendor keys may cost a day, all users together. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Db } from '../../../db/connect.js';
import { createLedger, readDay, sweepStaleReservations } from '../../../db/billing/costs.js';
import { readServerKeyDay } from '../../../db/billing/server-key-days.js';
import { toBill } from '../../../domain/account/bill.js';
import type { CallEstimate, BillingContext, Ledger } from '../../../domain/account/costs.js';
import type { ModelReply } from '../../../domain/agents/models.js';
import type { Role } from '../../../domain/account/permissions.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';

let server: TestDb;
let db: Db;
beforeEach(async () => {
  server = await createTestDb();
  db = server.db;
});
afterEach(() => server.drop());

const NOON = new Date('2026-11-30T12:00:00Z');
const TODAY = '2026-11-30';
const ledgerOf = (serverKeyDailyUsd: string | null): Ledger =>
  createLedger(db, () => NOON, { serverKeyDailyUsd });

async function newCharge(role: Role = 'free'): Promise<BillingContext> {
  const { id } = await createTestUser(db, { role });
  return {
    ...{ userId: id, stepId: `${randomUUID()}:a:0`, runId: 'run', attempt: 1 },
    ...{ pipelineId: null, conversationId: null },
  };
}

/** By default $0.011 on the server's key of OpenAI. */
function estimateOf(fields: Partial<CallEstimate> = {}): CallEstimate {
  return {
    ...{ provider: 'openai', model: 'gpt-4o', promptTokens: 1_000, maxTokens: 1_000 },
    ...{ minTokens: 256, inputUsdPerMillion: '1', outputUsdPerMillion: '10', callNumber: 1 },
    isServerKey: true,
    ...fields,
  };
}

/** The day of a key, and the sum of its calls. */
async function dayOf(provider = 'openai') {
  const { rows } = await sql<{ day: string; ledger: string }>`
    select coalesce((select total_cost from server_key_days
        where provider = ${provider} and date = ${TODAY}), 0)::float as day,
      coalesce(sum(cost), 0)::float as ledger
    from cost_ledger where is_server_key and provider = ${provider} and date = ${TODAY}`.execute(
    db,
  );
  return rows[0];
}

test('of hundreds of reservations at once, of as many accounts, none passes the limit', async () => {
  const ledger = ledgerOf('1.1');
  const charges = await Promise.all(Array.from({ length: 300 }, () => newCharge()));
  const answers = await Promise.all(
    charges.map((billing) => ledger.reserve(billing, estimateOf({ minTokens: 1_000 }))),
  );
  const granted = answers.filter((answer) => 'callId' in answer);
  expect(granted).toHaveLength(100); // exactly what $1.10 affords
  const refused = answers.filter((answer) => 'kind' in answer);
  expect(new Set(refused)).toEqual(
    new Set(refused.map(() => ({ kind: 'over-budget', limit: 'server-key' }))),
  );
  expect(await dayOf()).toEqual({ day: 1.1, ledger: 1.1 });
  const spent = await Promise.all(charges.map(({ userId }) => readDay(db, userId, TODAY)));
  expect(spent.filter((usd) => usd !== '0')).toHaveLength(100); // a refused one pays nothing
});

test('the day is read for the keys that have paid today', async () => {
  await ledgerOf(null).reserve(await newCharge(), estimateOf());
  const days = await readServerKeyDay(db, NOON);
  expect(days.map(({ provider, totalCost }) => [provider, Number(totalCost)])).toEqual([
    ['openai', 0.011],
  ]);
  expect(await readServerKeyDay(db, new Date('2026-12-01T00:00:00Z'))).toEqual([]);
});

test('what settles below its reservation, or is released, makes room', async () => {
  const ledger = ledgerOf('0.022');
  const [first, second, third] = [await newCharge(), await newCharge(), await newCharge()];
  const held = [
    await ledger.reserve(first, estimateOf()),
    await ledger.reserve(second, estimateOf()),
  ];
  expect(await ledger.reserve(third, estimateOf())).toMatchObject({ limit: 'server-key' });
  const [settling, released] = held.map((answer) => ('callId' in answer ? answer.callId : ''));
  const reply: ModelReply = {
    content: 'an answer',
    provider: 'openai',
    model: 'gpt-4o',
    usage: { promptTokens: 0, completionTokens: 100 },
    finish: 'stop',
    requestId: null,
  };
  await ledger.settle(first, {
    ...{ callId: settling ?? '', reply, fallbackFrom: null, calls: 1 },
    bill: toBill(estimateOf(), reply.usage),
  });
  expect(await dayOf()).toEqual({ day: 0.012, ledger: 0.012 });
  await ledger.release(released ?? '', { errorCode: 'model-unavailable' });
  await ledger.release(released ?? '', { errorCode: 'model-unavailable' });
  expect(await dayOf()).toEqual({ day: 0.001, ledger: 0.001 });
  const last = await ledger.reserve(third, estimateOf({ maxTokens: 100_000 }));
  expect(last).toMatchObject({ maxTokens: 2_000 }); // what is left, to the last token
  await sweepStaleReservations(db, new Date(NOON.getTime() + 1_000));
  expect(await dayOf()).toEqual({ day: 0.022, ledger: 0.022 });
});

test('each key has its own limit, a user’s own key none, and the user’s budget holds besides', async () => {
  const ledger = ledgerOf('0.011');
  expect(await ledger.reserve(await newCharge(), estimateOf())).toHaveProperty('callId');
  const others = { provider: 'anthropic', model: 'claude' } as const;
  expect(await ledger.reserve(await newCharge(), estimateOf(others))).toHaveProperty('callId');
  const own = estimateOf({ isServerKey: false });
  expect(await ledger.reserve(await newCharge(), own)).toHaveProperty('callId');
  expect(await dayOf()).toEqual({ day: 0.011, ledger: 0.011 });
  const dear = estimateOf({ inputUsdPerMillion: '2000', maxTokens: 256 });
  expect(await ledgerOf('100').reserve(await newCharge(), dear)).toEqual({
    ...{ kind: 'over-budget', limit: 'user' },
  });
  const admin = await newCharge('admin');
  expect(await ledger.reserve(admin, estimateOf())).toMatchObject({ limit: 'server-key' });
});

test('without a limit the day is kept, too, so that one can be set in the middle of it', async () => {
  const unlimited = ledgerOf(null);
  for (let call = 0; call < 3; call += 1) {
    expect(await unlimited.reserve(await newCharge(), estimateOf())).toHaveProperty('callId');
  }
  expect(await dayOf()).toEqual({ day: 0.033, ledger: 0.033 });
  expect(await ledgerOf('0.033').reserve(await newCharge(), estimateOf())).toMatchObject({
    limit: 'server-key',
  });
});

test('a call with a user’s own key does not wait for the server’s day', async () => {
  const ledger = ledgerOf('1');
  await ledger.reserve(await newCharge(), estimateOf());
  const billing = await newCharge();
  await db.transaction().execute(async (tx) => {
    await tx.selectFrom('serverKeyDays').select('provider').forUpdate().execute(); // held by a slow call
    const own = await ledger.reserve(billing, estimateOf({ isServerKey: false }));
    const callId = 'callId' in own ? own.callId : '';
    await ledger.release(callId, { errorCode: 'model-unavailable' });
  });
  expect(await readDay(db, billing.userId, TODAY)).toBe('0');
});
