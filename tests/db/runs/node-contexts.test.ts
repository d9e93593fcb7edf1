import { randomUUID } from 'node:crypto';
import { resultOfStep } from '../../../db/runs/agent-steps.js';
import type { Db } from '../../../db/connect.js';
import { createLedger } from '../../../db/billing/costs.js';
import { readNodeRecords } from '../../../db/runs/node-contexts.js';
import { admittedRun } from '../../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';
import { addStep, listResults } from '../../support/steps.js';

let server: TestDb;
let db: Db;
beforeAll(async () => {
  server = await createTestDb();
  db = server.db;
});
afterAll(async () => {
  await server.drop();
});

const NOW = new Date('2026-11-29T12:00:00Z');

async function newRun() {
  const { id: userId } = await createTestUser(db);
  return { userId, pipelineId: await admittedRun(db, { userId }, NOW) };
}

test('an agent reads of those before it what the run’s own result says of them', async () => {
  const { pipelineId } = await newRun();
  await addStep(db, pipelineId, { node: 'third', seq: 12 });
  await addStep(db, pipelineId, { node: 'late', seq: null });
  const odd = {
    content: '\u0001\t"\\ 한국어 😀 \u2028',
    cost: '0.123456789012',
    durationSeconds: 0.1 + 0.2,
    tokensUsed: 2_147_483_647,
    ...{ provider: 'openai', model: 'gpt-4o-mini', attempts: 3, fallbackFrom: 'anthropic' },
  };
  await addStep(db, pipelineId, { node: 'second', seq: 5, ...odd });
  const failed = { status: 'failed', error: 'it failed', reusedFrom: randomUUID() } as const;
  await addStep(db, pipelineId, { node: 'first', seq: 2, ...failed });
  const records = await readNodeRecords(db, { pipelineId, stepId: `${pipelineId}:next:0` });
  expect(records?.ended.map(({ node, seq }) => [node, seq])).toEqual([
    ['first', 2],
    ['second', 5],
    ['third', 12],
  ]);
  expect(records?.ended.map(resultOfStep)).toEqual(await listResults(db, pipelineId));
  expect(records?.ended[1]?.cost).toBe('0.123456789012');
  expect(records).toMatchObject({ hasEnded: false, repliedSteps: [] });
});

test('what earlier attempts of a step have stored is known, and nothing of another step', async () => {
  const { userId, pipelineId } = await newRun();
  await addStep(db, pipelineId, { node: 'done', seq: 1 });
  const read = (node: string) =>
    readNodeRecords(db, { pipelineId, stepId: `${pipelineId}:${node}:0` });
  expect(await read('done')).toMatchObject({ hasEnded: true, repliedSteps: [] });
  const ledger = createLedger(db, () => NOW);
  const stepId = `${pipelineId}:asked:0`;
  const billing = { userId, stepId, runId: 'r', attempt: 1, pipelineId, conversationId: null };
  const price = { inputUsdPerMillion: '0', outputUsdPerMillion: '0' };
  const bounds = { promptTokens: 1, maxTokens: 10, minTokens: 1, callNumber: 1 };
  const vendor = { provider: 'openai', model: 'gpt-4o-mini' } as const;
  const call = await ledger.reserve(billing, { ...vendor, ...bounds, ...price });
  const usage = { promptTokens: 1, completionTokens: 1 };
  await ledger.settle(billing, {
    callId: 'callId' in call ? call.callId : '',
    reply: { ...vendor, content: 'an answer', finish: 'stop', requestId: null, usage },
    ...{ bill: [], fallbackFrom: null, calls: 1 },
  });
  expect(await read('asked')).toMatchObject({ hasEnded: false, repliedSteps: [stepId] });
  expect(await read('other')).toMatchObject({ hasEnded: false, repliedSteps: [] });
});

test('a run that is not there has no records', async () => {
  expect(await readNodeRecords(db, { pipelineId: randomUUID(), stepId: 'none' })).toBeNull();
});
