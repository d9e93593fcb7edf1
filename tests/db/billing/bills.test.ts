/**
 * Every kind of usage that the three vendors state, as they state it, against the arithmetic of their pricing
 * pages: what the ledger's row holds is the vendor's bill.
 * Source: developers.openai.com/api/docs/guides/prompt-caching, platform.claude.com/docs/en/build-with-claude/prompt-caching,
 * ai.google.dev/gemini-api/docs/pricing, 2026-12-01.
 */
import { randomUUID } from 'node:crypto';
import type { Db } from '../../../db/connect.js';
import { createLedger } from '../../../db/billing/costs.js';
import { toBill, toDearestRates, type Price } from '../../../domain/account/bill.js';
import type { Ledger } from '../../../domain/account/costs.js';
import type { Usage, Vendor } from '../../../domain/agents/models.js';
import { getPrice } from '../../../llm/routing/model-catalog.js';
import { BUILT_IN_MODELS } from '../../../llm/routing/models-file.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';
import {
  askOnce,
  json,
  startRawProvider,
  type RawProvider,
  type Sent,
} from '../../support/vendors/raw.js';

const TODAY = '2026-12-01';

let server: TestDb;
let db: Db;
let ledger: Ledger;
let raw: RawProvider;

beforeAll(async () => {
  server = await createTestDb();
  db = server.db;
  ledger = createLedger(db, () => new Date(`${TODAY}T12:00:00Z`));
  raw = await startRawProvider();
});
afterAll(async () => {
  await raw.close();
  await server.drop();
});

function openAi(usage: object, service_tier?: string): Sent {
  const choices = [{ message: { content: 'Good.' }, finish_reason: 'stop' }];
  return json({ choices, usage, service_tier });
}

function anthropic(usage: object): Sent {
  const content = [{ type: 'text', text: 'Good.' }];
  return json({ type: 'message', content, stop_reason: 'end_turn', usage });
}

function google(usageMetadata: object): Sent {
  const content = { parts: [{ text: 'Good.' }] };
  return json({ candidates: [{ content, finishReason: 'STOP' }], usageMetadata });
}

/** What the vendor has sent of its usage. */
async function readUsage(vendor: Vendor, sent: Sent): Promise<Usage | null> {
  raw.answer(() => sent);
  const seen = await askOnce(raw.providers[vendor], vendor);
  return 'usage' in seen ? seen.usage : null;
}

function priceOf(model: string, day = TODAY): Price {
  const price = getPrice(BUILT_IN_MODELS, model, day);
  if (price === null) {
    throw new Error(`${model} has no price`);
  }
  return price;
}

/** The row of a call that is reserved for that usage and settled by it. */
async function settledRow(model: string, price: Price, usage: Usage | null) {
  const { id: userId } = await createTestUser(db, { role: 'admin' });
  const billing = {
    ...{ userId, stepId: randomUUID(), runId: 'run', attempt: 1 },
    ...{ pipelineId: null, conversationId: null },
  };
  const bound = usage ?? { promptTokens: 1_000, completionTokens: 1_000 };
  const { promptTokens, completionTokens } = bound;
  const reserved = await ledger.reserve(billing, {
    ...{ provider: 'openai', model, promptTokens, callNumber: 1 },
    ...{ maxTokens: completionTokens, minTokens: completionTokens },
    ...toDearestRates(price, promptTokens),
  });
  const callId = 'callId' in reserved ? reserved.callId : '';
  const reply = {
    ...({ content: 'Good.', provider: 'openai' } as const),
    ...({ finish: 'stop', requestId: null } as const),
    ...{ model, usage: bound },
  };
  const bill = usage === null ? null : toBill(price, usage);
  await ledger.settle(billing, { callId, reply, bill, fallbackFrom: null, calls: 1 });
  return db
    .selectFrom('costLedger')
    .select(['state', 'cost', 'reserved', 'bill', 'serviceTier'])
    .where('id', '=', callId)
    .executeTakeFirstOrThrow();
}

/** Written out in micro-dollars: tokens times dollars per million. */
const micros = (...parts: readonly (readonly [tokens: number, usdPerMillion: number])[]) =>
  parts.reduce((sum, [tokens, rate]) => sum + Math.round(tokens * rate * 1e6), 0) / 1e6;

const KINDS: readonly (readonly [string, Vendor, string, Sent, number])[] = [
  [
    'input and output',
    'openai',
    'gpt-4o',
    openAi({ prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500 }, 'default'),
    micros([1_000, 2.5], [500, 10]),
  ],
  [
    'cached input, part of the prompt',
    'openai',
    'gpt-4o',
    openAi({
      ...{ prompt_tokens: 2_006, completion_tokens: 300, total_tokens: 2_306 },
      prompt_tokens_details: { cached_tokens: 1_920 },
    }),
    micros([86, 2.5], [1_920, 1.25], [300, 10]),
  ],
  [
    'thoughts, part of the completion',
    'openai',
    'gpt-5.2',
    openAi({
      ...{ prompt_tokens: 75, completion_tokens: 1_186, total_tokens: 1_261 },
      completion_tokens_details: { reasoning_tokens: 1_024 },
    }),
    micros([75, 1.75], [1_186, 14]),
  ],
  [
    'thoughts beside the completion, as the total shows',
    'openai',
    'gpt-4o',
    openAi({
      ...{ prompt_tokens: 100, completion_tokens: 50, total_tokens: 450 },
      completion_tokens_details: { reasoning_tokens: 300 },
    }),
    micros([100, 2.5], [350, 10]),
  ],
  [
    'cache writes at 1.25 times the input',
    'openai',
    'gpt-5.6-sol',
    openAi({
      ...{ prompt_tokens: 3_000, completion_tokens: 200, total_tokens: 3_200 },
      prompt_tokens_details: { cached_tokens: 1_000, cache_write_tokens: 1_536 },
    }),
    micros([464, 4], [1_000, 0.4], [1_536, 5], [200, 20]),
  ],
  [
    'a prompt of 272,000 tokens, still short',
    'openai',
    'gpt-6-sol',
    openAi({ prompt_tokens: 272_000, completion_tokens: 100 }),
    micros([272_000, 2], [100, 10]),
  ],
  [
    'a prompt of one more, all of it at the long rates',
    'openai',
    'gpt-6-sol',
    openAi({
      ...{ prompt_tokens: 272_001, completion_tokens: 100 },
      prompt_tokens_details: { cached_tokens: 200_000, cache_write_tokens: 2_000 },
    }),
    micros([70_001, 4], [200_000, 0.4], [2_000, 5], [100, 15]),
  ],
  [
    'a prompt of 272,000 tokens, already long for this model',
    'openai',
    'gpt-5.5',
    openAi({ prompt_tokens: 272_000, completion_tokens: 1 }),
    micros([272_000, 10], [1, 45]),
  ],
  [
    'input and output',
    'anthropic',
    'claude-haiku-4-5',
    anthropic({ input_tokens: 25, output_tokens: 150, service_tier: 'standard' }),
    micros([25, 1], [150, 5]),
  ],
  [
    'cache reads and writes of both durations, beside the input',
    'anthropic',
    'claude-opus-4-8',
    anthropic({
      ...{ input_tokens: 50, cache_read_input_tokens: 1_800, cache_creation_input_tokens: 248 },
      cache_creation: { ephemeral_5m_input_tokens: 148, ephemeral_1h_input_tokens: 100 },
      output_tokens: 503,
    }),
    micros([50, 5], [1_800, 0.5], [148, 6.25], [100, 10], [503, 25]),
  ],
  [
    'cache writes whose duration is not named: five minutes',
    'anthropic',
    'claude-sonnet-5',
    anthropic({ input_tokens: 3, cache_creation_input_tokens: 2_000, output_tokens: 40 }),
    micros([3, 2], [2_000, 2.5], [40, 10]),
  ],
  [
    'cache reads at a twentieth of the input',
    'anthropic',
    'claude-opus-5-5',
    anthropic({ input_tokens: 10, cache_read_input_tokens: 9_000, output_tokens: 40 }),
    micros([10, 4], [9_000, 0.2], [40, 20]),
  ],
  [
    'thoughts, part of the output',
    'anthropic',
    'claude-opus-5-5',
    anthropic({
      ...{ input_tokens: 10, output_tokens: 900, inference_geo: 'global', speed: 'standard' },
      output_tokens_details: { thinking_tokens: 700 },
    }),
    micros([10, 4], [900, 20]),
  ],
  [
    'a prompt that cached tokens make long',
    'anthropic',
    'claude-haiku-5-5',
    anthropic({
      ...{ input_tokens: 1, cache_read_input_tokens: 100_000, cache_creation_input_tokens: 100 },
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 100 },
      output_tokens: 10,
    }),
    micros([1, 0.5], [100_000, 0.05], [100, 1], [10, 2.5]),
  ],
  [
    'input and output',
    'google',
    'gemini-3.5-flash-lite',
    google({ promptTokenCount: 40, candidatesTokenCount: 60, totalTokenCount: 100 }),
    micros([40, 0.3], [60, 2.5]),
  ],
  [
    'cached input, part of the prompt; thoughts beside the candidates',
    'google',
    'gemini-3.8-flash',
    google({
      ...{ promptTokenCount: 5_000, cachedContentTokenCount: 4_096, candidatesTokenCount: 100 },
      ...{ thoughtsTokenCount: 400, totalTokenCount: 5_500, serviceTier: 'SERVICE_TIER_STANDARD' },
    }),
    micros([904, 0.75], [4_096, 0.075], [500, 3.75]),
  ],
  [
    'what tools have added to the prompt',
    'google',
    'gemini-3.8-flash',
    google({
      ...{ promptTokenCount: 100, toolUsePromptTokenCount: 30, candidatesTokenCount: 10 },
      totalTokenCount: 140,
    }),
    micros([130, 0.75], [10, 3.75]),
  ],
  [
    'a prompt of more than 200,000 tokens',
    'google',
    'gemini-3.1-pro-preview',
    google({
      ...{ promptTokenCount: 200_001, cachedContentTokenCount: 100_000, candidatesTokenCount: 10 },
      ...{ thoughtsTokenCount: 90, totalTokenCount: 200_101 },
    }),
    micros([100_001, 4], [100_000, 0.4], [100, 18]),
  ],
];

test.each(KINDS)('%s: %s %s', async (_kind, vendor, model, sent, dollarsTimesMillion) => {
  const usage = await readUsage(vendor, sent);
  const row = await settledRow(model, priceOf(model), usage);
  expect(row.state).toBe('settled');
  expect(Number(row.cost)).toBe(Number((dollarsTimesMillion / 1e6).toFixed(12)));
  expect(Number(row.cost)).toBeLessThanOrEqual(Number(row.reserved));
});

test.each([
  [
    'openai',
    'gpt-6-sol',
    openAi({ prompt_tokens: 10, completion_tokens: 5 }, 'priority'),
    'priority',
  ],
  ['openai', 'gpt-6-sol', openAi({ prompt_tokens: 10, completion_tokens: 5 }, 'flex'), 'flex'],
  [
    'anthropic',
    'claude-sonnet-5',
    anthropic({ input_tokens: 10, output_tokens: 5, service_tier: 'priority' }),
    'priority',
  ],
  [
    'anthropic',
    'claude-sonnet-5',
    anthropic({ input_tokens: 10, output_tokens: 5, speed: 'fast', inference_geo: 'us' }),
    'fast+geo-us',
  ],
  [
    'google',
    'gemini-3.8-flash',
    google({ promptTokenCount: 10, candidatesTokenCount: 5, serviceTier: 'FLEX' }),
    'flex',
  ],
] as const)('%s %s in a tier that has no price is estimated', async (...row) => {
  const [vendor, model, sent, serviceTier] = row;
  const usage = await readUsage(vendor, sent);
  const stored = await settledRow(model, priceOf(model), usage);
  expect(stored).toMatchObject({ state: 'estimated', serviceTier, bill: null });
  expect(stored.cost).toBe(stored.reserved);
});

test.each([
  [
    'openai',
    openAi({
      prompt_tokens: 10,
      completion_tokens: 5,
      prompt_tokens_details: { cached_tokens: 11 },
    }),
  ],
  [
    'google',
    google({ promptTokenCount: 10, cachedContentTokenCount: 11, candidatesTokenCount: 5 }),
  ],
] as const)('%s: counts that contradict each other are no usage', async (vendor, sent) => {
  expect(await readUsage(vendor, sent)).toBeNull();
});

test('a tier whose price the operator lists is settled at it', async () => {
  const priority = { inputUsdPerMillion: '4', outputUsdPerMillion: '20' };
  const price = { ...priceOf('gpt-6-sol'), serviceTiers: { priority } };
  const usage = { promptTokens: 10, completionTokens: 5, serviceTier: 'priority' };
  const row = await settledRow('gpt-6-sol', price, usage);
  expect(row).toMatchObject({ state: 'settled', cost: '0.000140000000' });
});

test('a rate of its own for thoughts is used', () => {
  const price = { inputUsdPerMillion: '1', outputUsdPerMillion: '2', reasoningUsdPerMillion: '3' };
  const usage = { promptTokens: 1, completionTokens: 10, reasoningTokens: 4 };
  expect(toBill(price, usage)).toEqual([
    { kind: 'input', tokens: 1, usdPerMillion: '1' },
    { kind: 'output', tokens: 6, usdPerMillion: '2' },
    { kind: 'reasoning', tokens: 4, usdPerMillion: '3' },
  ]);
});

test('a reservation is made at the dearest rates that a prompt of that size can meet', () => {
  const price = priceOf('gpt-6-sol');
  expect(toDearestRates(price, 272_000)).toEqual({
    ...{ inputUsdPerMillion: '2.5', outputUsdPerMillion: '10' },
  });
  expect(toDearestRates(price, 272_001)).toEqual({
    ...{ inputUsdPerMillion: '5', outputUsdPerMillion: '15' },
  });
  expect(toDearestRates(priceOf('claude-haiku-4-5'), 10)).toMatchObject({
    inputUsdPerMillion: '2',
  });
});

test('a price that changes between releases changes no row that is settled', async () => {
  const usage = { promptTokens: 1_000, completionTokens: 1_000 };
  const [before, after] = [TODAY, '2027-01-01'].map((day) => priceOf('gemini-3.8-flash', day));
  const row = await settledRow('gemini-3.8-flash', before ?? priceOf(''), usage);
  expect(row.cost).toBe('0.004500000000');
  const call = await db
    .selectFrom('costLedger')
    .selectAll()
    .where('cost', '=', '0.0045')
    .executeTakeFirstOrThrow();
  const billing = {
    ...{ userId: call.userId ?? '', stepId: call.stepId, runId: 'run', attempt: 1 },
    ...{ pipelineId: null, conversationId: null },
  };
  const again = await ledger.settle(billing, {
    callId: call.id,
    reply: {
      ...{ content: 'Other.', provider: 'google', model: 'gemini-3.8-flash', usage },
      ...{ finish: 'stop', requestId: null },
    },
    bill: toBill(after ?? priceOf(''), usage),
    ...{ fallbackFrom: null, calls: 1 },
  });
  expect(again).toMatchObject({ content: 'Good.', costUsd: 0.0045 });
});
