/** What an agent's end is stored with: its event's place, and what its calls have cost. */
import { storeEnd, type NodeEnd } from '../../../db/runs/node-ends.js';
import { findStepOrThrow } from '../../../db/runs/agent-steps.js';
import type { Db } from '../../../db/connect.js';
import { createLedger } from '../../../db/billing/costs.js';
import { openRun } from '../../../db/runs/runs.js';
import { toBill } from '../../../domain/account/bill.js';
import type { BillingContext, Ledger } from '../../../domain/account/costs.js';
import { stepIdOf } from '../../../domain/ids.js';
import { nodeStepId, nodeStepIds } from '../../../domain/run/node-steps.js';
import { admittedRun } from '../../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';

const NOON = new Date('2026-11-22T12:00:00Z');
const FAILED = { errorCode: 'model-unavailable' };

let server: TestDb;
let db: Db;
let ledger: Ledger;
beforeAll(async () => {
  server = await createTestDb();
  db = server.db;
  ledger = createLedger(db, () => NOON);
});
afterAll(() => server.drop());

async function begunAgent(): Promise<BillingContext & { pipelineId: string }> {
  const { id: userId } = await createTestUser(db);
  const pipelineId = await admittedRun(db, { userId }, NOON);
  await db.transaction().execute((tx) => openRun(tx, pipelineId, { now: NOON }));
  const stepId = stepIdOf(pipelineId, 'reader');
  return { userId, stepId, runId: 'run-1', attempt: 1, pipelineId, conversationId: null };
}

const PRICE = { inputUsdPerMillion: '1', outputUsdPerMillion: '10' };

/** $0.011 as long as it is open, and $0.0019 when it is settled. */
async function reserve(billing: BillingContext, callNumber: number): Promise<string> {
  const reservation = await ledger.reserve(billing, {
    ...{ provider: 'openai', model: 'gpt-4o', promptTokens: 1_000, maxTokens: 1_000 },
    ...{ minTokens: 256, ...PRICE, callNumber },
  });
  if ('kind' in reservation) {
    throw new Error('over budget');
  }
  return reservation.callId;
}

async function settle(billing: BillingContext, callId: string): Promise<void> {
  const usage = { promptTokens: 900, completionTokens: 100 };
  const who = { provider: 'openai', model: 'gpt-4o', requestId: null } as const;
  const reply = { content: 'answer', usage, finish: 'stop', ...who } as const;
  const bill = toBill(PRICE, usage);
  await ledger.settle(billing, { callId, reply, bill, fallbackFrom: null, calls: 1 });
}

async function end(
  { stepId, pipelineId }: BillingContext & { pipelineId: string },
  more: Partial<NodeEnd> = {},
) {
  const { step } = await storeEnd(
    db,
    {
      ...{ id: stepId, pipelineId, node: 'reader', agentName: 'reader', role: 'analyzer' },
      ...{ status: 'success', content: 'answer', error: null, errorCode: null, attempts: 1 },
      ...{ tokensUsed: 1_000, durationSeconds: 1, provider: null, model: null },
      ...{ fallbackFrom: null, truncated: false, unreadSources: null, reusedFrom: null },
      paidSteps: nodeStepIds(stepId),
      fields: { tokens_used: 1_000 },
      ...more,
    },
    null,
  );
  return { cost: Number(step.cost), fields: step.fields };
}

test('an agent costs what its calls are charged: settled, or of unknown end after a failure', async () => {
  const billing = await begunAgent();
  const [lost, refused, answered] = [
    await reserve(billing, 1),
    await reserve(billing, 2),
    await reserve(billing, 3),
  ];
  await ledger.leaveUnknown(lost, FAILED);
  await ledger.release(refused, FAILED);
  await settle(billing, answered);
  const repair = { ...billing, stepId: nodeStepId(billing.stepId, 'repair') };
  await settle(repair, await reserve(repair, 1));
  const fields = { tokens_used: 1_000, cost_estimate: 0.0148 }; // 0.011 + 2 * 0.0019
  expect(await end(billing)).toEqual({ cost: 0.0148, fields });
});

test('it costs the same when calls of it were lost with a worker', async () => {
  const billing = await begunAgent();
  await reserve(billing, 1);
  const answered = await reserve({ ...billing, attempt: 2 }, 1);
  await reserve({ ...billing, attempt: 2 }, 2);
  await settle(billing, answered);
  expect((await end(billing)).cost).toBe(0.0019);
});

test('an agent without a call costs nothing; its first end stays', async () => {
  const billing = await begunAgent();
  const free = { cost: 0, fields: { tokens_used: 1_000, cost_estimate: 0 } };
  expect(await end(billing)).toEqual(free);
  await settle(billing, await reserve(billing, 1));
  expect(await end(billing)).toEqual(free);
});

test('an answer’s own statement of its cost is ignored, under any field name', async () => {
  const odd = { 'a\0\ud800"\\': 1, cost_estimate: 99, tokens_used: 5 };
  const billing = await begunAgent();
  const { fields } = await end(billing, { fields: odd });
  expect(fields).toEqual({ ...odd, cost_estimate: 0 });
});

test('an answer that is taken over keeps what conditions saw then', async () => {
  const billing = await begunAgent();
  const fields = { cost_estimate: 0.5 };
  expect(await end(billing, { paidSteps: [], fields })).toEqual({ cost: 0, fields });
  expect((await findStepOrThrow(db, billing.stepId)).fields).toEqual(fields);
});
