/** What providers and gateways really send, legal and half-legal, and what comes of each. */
import type { Vendor } from '../../domain/agents/models.js';
import {
  askOnce,
  json,
  startRawProvider,
  type RawProvider,
  type Sent,
} from '../support/vendors/raw.js';

let raw: RawProvider;

beforeAll(async () => {
  raw = await startRawProvider();
});
afterAll(() => raw.close());

function ask(vendor: Vendor, sent: Sent, options?: { streamed: boolean }) {
  raw.answer(() => sent);
  return askOnce(raw.providers[vendor], vendor, options);
}

const events = (...list: readonly unknown[]): Sent => ({
  type: 'text/event-stream',
  body: list
    .map((each) => `data: ${typeof each === 'string' ? each : JSON.stringify(each)}\n\n`)
    .join(''),
});

const USAGE = { promptTokens: 10, completionTokens: 5 };

// --- OpenAI and what speaks its format
const openAi = (message: unknown, finish_reason: unknown = 'stop', usage: unknown = COUNTS) =>
  json({ model: 'gpt-4o', choices: [{ message, finish_reason }], usage });
const COUNTS = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const EMPTY = { code: 'model-empty', billing: USAGE };
const GOOD = { content: 'Good.', finish: 'stop', usage: USAGE };

test.each([
  ['a text', openAi({ content: 'Good.' }), GOOD],
  ['a text with an empty refusal', openAi({ content: 'Good.', refusal: '' }), GOOD],
  ['a list of parts', openAi({ content: [{ type: 'text', text: 'Good.' }] }), GOOD],
  ['length without text', openAi({ content: '' }, 'length'), EMPTY],
  ['stop with null', openAi({ content: null }), EMPTY],
  ['stop with white space only', openAi({ content: ' \n ' }), EMPTY],
  ['tool calls only', openAi({ content: null, tool_calls: [{ id: 'x' }] }, 'tool_calls'), EMPTY],
  [
    'half a sentence',
    openAi({ content: 'Half' }, 'length'),
    { content: 'Half', finish: 'length', usage: USAGE },
  ],
  [
    'an unknown reason',
    openAi({ content: 'Half' }, 'eos?'),
    { content: 'Half', finish: 'length', usage: USAGE },
  ],
  [
    'no reason',
    openAi({ content: 'Half' }, null),
    { content: 'Half', finish: 'length', usage: USAGE },
  ],
  [
    'the reason error',
    openAi({ content: 'Half' }, 'error'),
    { code: 'model-unavailable', billing: USAGE },
  ],
  [
    'a filtered answer',
    openAi({ content: 'Ha' }, 'content_filter'),
    { content: '', finish: 'refused', usage: USAGE },
  ],
  [
    'a refusal',
    openAi({ content: null, refusal: 'No.' }),
    { content: '', finish: 'refused', usage: USAGE },
  ],
  [
    'no choices',
    json({ choices: [], usage: COUNTS }),
    { code: 'model-unavailable', billing: { promptTokens: 10, completionTokens: 5 } },
  ],
  [
    'an error with status 200',
    json({ error: { message: 'x', type: 'server_error' } }),
    { code: 'model-unavailable', billing: 'unknown' },
  ],
  [
    'a page with status 200',
    { body: '<html></html>', type: 'text/html' },
    { code: 'model-unavailable', billing: 'unknown' },
  ],
  ['nothing', { body: '' }, { code: 'model-unavailable', billing: 'unknown' }],
] as const)('OpenAI: %s', async (_what, sent, expected) => {
  expect(await ask('openai', sent)).toEqual(expected);
});

test.each([
  ['missing', 'missing', null],
  ['null', null, null],
  ['an empty object', {}, null],
  ['one field only', { prompt_tokens: 10 }, null],
  ['one field and the total', { prompt_tokens: 10, total_tokens: 15 }, USAGE],
  ['as text', { prompt_tokens: '10', completion_tokens: '5' }, USAGE],
  [
    'a fraction',
    { prompt_tokens: 100.5, completion_tokens: 5 },
    { promptTokens: 101, completionTokens: 5 },
  ],
  ['negative', { prompt_tokens: -1, completion_tokens: 5 }, null],
  ['very negative', { prompt_tokens: 10, completion_tokens: -1_000_000 }, null],
  ['all zero beside a text', { prompt_tokens: 0, completion_tokens: 0 }, null],
  ['far too large', { prompt_tokens: 1e300, completion_tokens: 5 }, null],
  ['no number', { prompt_tokens: true, completion_tokens: [] }, null],
])('usage that is %s', async (_what, usage, expected) => {
  expect(await ask('openai', openAi({ content: 'Good.' }, 'stop', usage))).toEqual({
    ...GOOD,
    usage: expected,
  });
});

const delta = (content: unknown, finish_reason: unknown = null) => ({
  choices: [{ delta: { content }, finish_reason }],
});
const LAST = { choices: [], usage: COUNTS };
const STREAMED = { ...GOOD, pieces: 'Good.' };

test.each([
  ['as documented', events(delta('Good'), delta('.'), delta('', 'stop'), LAST, '[DONE]'), STREAMED],
  ['without an end mark', events(delta('Good.'), delta(null, 'stop'), LAST), STREAMED],
  ['a choice without delta', events({ choices: [{}] }, delta('Good.', 'stop'), LAST), STREAMED],
  ['delta: null', events({ choices: [{ delta: null }] }, delta('Good.', 'stop'), LAST), STREAMED],
  ['no choices in the usage chunk', events(delta('Good.', 'stop'), { usage: COUNTS }), STREAMED],
  ['choices: null', events(delta('Good.', 'stop'), { choices: null, usage: COUNTS }), STREAMED],
  ['data: null', events('null', delta('Good.', 'stop'), LAST), STREAMED],
  ['a text in place of a chunk', events('"hello"', delta('Good.', 'stop'), LAST), STREAMED],
  ['parts', events(delta([{ type: 'text', text: 'Good.' }], 'stop'), LAST), STREAMED],
  ['no usage', events(delta('Good.', 'stop'), '[DONE]'), { ...STREAMED, usage: null }],
  ['usage in the last choice', events({ ...delta('Good.', 'stop'), usage: COUNTS }), STREAMED],
  [
    'no reason but an end mark',
    events(delta('Good.'), LAST, '[DONE]'),
    { ...STREAMED, finish: 'length' },
  ],
  [
    'an error reason',
    events(delta('Ha'), { ...delta('', 'error'), usage: COUNTS }),
    { code: 'model-unavailable', billing: USAGE },
  ],
  [
    'an error event',
    events(delta('Ha'), { error: { message: 'x', type: 'server_error' } }),
    { code: 'model-unavailable', billing: 'unknown' },
  ],
  [
    'a quota event',
    events({ error: { message: 'x', code: 'insufficient_quota' } }),
    { code: 'model-credit-exhausted', billing: 'unknown' },
  ],
  [
    'a rate event',
    events({ error: { message: 'x', code: 429 } }),
    { code: 'model-rate-limited', billing: 'unknown' },
  ],
  [
    'a stream that ends early',
    events(delta('Ha')),
    { code: 'model-unavailable', billing: 'unknown' },
  ],
  [
    'a cut stream that stated its usage',
    { ...events(delta('Ha'), LAST), cut: true },
    { code: 'model-unavailable', billing: USAGE },
  ],
  ['no JSON', events('{"choices": [', '[DONE]'), { code: 'model-unavailable', billing: 'unknown' }],
  ['JSON in place of a stream', openAi({ content: 'Good.' }), STREAMED],
  [
    'comments and no space',
    {
      body: `: hello\nevent: x\ndata:${JSON.stringify(delta('Good.', 'stop'))}\r\n\r\ndata:${JSON.stringify(LAST)}\n`,
    },
    STREAMED,
  ],
] as const)('a stream in OpenAI form: %s', async (_what, sent, expected) => {
  expect(await ask('openai', sent, { streamed: true })).toEqual(expected);
});

test('a server that knows max_tokens only is asked again, once', async () => {
  const refusal = { message: "Unrecognized request argument: 'max_completion_tokens'" };
  raw.answer((request) =>
    request === 1 ? { ...json({ error: refusal }), status: 400 } : openAi({ content: 'Good.' }),
  );
  expect(await askOnce(raw.providers.openai, 'openai')).toEqual(GOOD);
  expect(await askOnce(raw.providers.openai, 'openai')).toEqual(GOOD);
  expect(raw.requests.map((body) => 'max_tokens' in (JSON.parse(body) as object))).toEqual([
    false,
    true,
    true,
  ]);
});

// --- Anthropic
const claude = (content: unknown, stop_reason: unknown = 'end_turn', usage: unknown = TOKENS) =>
  json({ type: 'message', model: 'claude', content, stop_reason, usage });
const TOKENS = { input_tokens: 10, output_tokens: 5 };
const text = (value: string) => [{ type: 'text', text: value }];

test.each([
  ['a text', claude(text('Good.')), GOOD],
  ['content as a text', claude('Good.'), GOOD],
  ['thinking only', claude([{ type: 'thinking', thinking: 'hm' }], 'max_tokens'), EMPTY],
  ['an empty text block', claude(text('')), EMPTY],
  ['no block', claude([]), EMPTY],
  ['a tool call only', claude([{ type: 'tool_use', id: 'x' }], 'tool_use'), EMPTY],
  [
    'a paused turn',
    claude(text('Half'), 'pause_turn'),
    { content: 'Half', finish: 'length', usage: USAGE },
  ],
  [
    'a cut text',
    claude(text('Half'), 'max_tokens'),
    { content: 'Half', finish: 'length', usage: USAGE },
  ],
  [
    'an unknown reason',
    claude(text('Half'), 'compaction'),
    { content: 'Half', finish: 'length', usage: USAGE },
  ],
  ['a refusal', claude(text('Ha'), 'refusal'), { content: '', finish: 'refused', usage: USAGE }],
  [
    'cached tokens',
    claude(text('Good.'), 'end_turn', {
      ...TOKENS,
      cache_read_input_tokens: 3,
      cache_creation_input_tokens: null,
    }),
    { ...GOOD, usage: { promptTokens: 13, completionTokens: 5, cacheReadTokens: 3 } },
  ],
  ['no usage', claude(text('Good.'), 'end_turn', null), { ...GOOD, usage: null }],
] as const)('Anthropic: %s', async (_what, sent, expected) => {
  expect(await ask('anthropic', sent)).toEqual(expected);
});

const START = { type: 'message_start', message: { usage: { input_tokens: 10, output_tokens: 1 } } };
const piece = (value: string) => ({
  type: 'content_block_delta',
  delta: { type: 'text_delta', text: value },
});
const close = (stop_reason: unknown, usage: unknown = { output_tokens: 5 }) => ({
  type: 'message_delta',
  delta: { stop_reason },
  usage,
});
const STOP = { type: 'message_stop' };

test.each([
  ['as documented', events(START, piece('Good.'), close('end_turn'), STOP), STREAMED],
  [
    'input tokens of 0 at the end',
    events(START, piece('Good.'), close('end_turn', { input_tokens: 0, output_tokens: 5 }), STOP),
    STREAMED,
  ],
  [
    'the input only at the end',
    events(
      { type: 'message_start', message: { usage: { input_tokens: 0 } } },
      piece('Good.'),
      close('end_turn', { input_tokens: 10, output_tokens: 5 }),
      STOP,
    ),
    STREAMED,
  ],
  [
    'no usage at the end',
    events(START, piece('Good.'), close('end_turn', null), STOP),
    { ...STREAMED, usage: null },
  ],
  [
    'an unknown event with a text as delta',
    events(START, { type: 'note', delta: 'Ha' }, piece('Good.'), close('end_turn'), STOP),
    STREAMED,
  ],
  [
    'thoughts',
    events(
      START,
      { type: 'content_block_delta', delta: { type: 'thinking_delta', thinking: 'hm' } },
      piece('Good.'),
      close('end_turn'),
      STOP,
    ),
    STREAMED,
  ],
  ['no stop event', events(START, piece('Good.'), close('end_turn')), STREAMED],
  [
    'an error event',
    events(START, piece('Ha'), { type: 'error', error: { type: 'overloaded_error' } }),
    { code: 'model-unavailable', billing: 'unknown' },
  ],
  [
    'a rate event',
    events(START, { type: 'error', error: { type: 'rate_limit_error' } }),
    { code: 'model-rate-limited', billing: 'unknown' },
  ],
  ['a message in place of a stream', claude(text('Good.')), STREAMED],
  ['nothing but thoughts', events(START, close('max_tokens'), STOP), EMPTY],
] as const)('a stream of Anthropic: %s', async (_what, sent, expected) => {
  expect(await ask('anthropic', sent, { streamed: true })).toEqual(expected);
});

// --- Google
const gemini = (candidate: object, usageMetadata: unknown = GEMINI_COUNTS) => ({
  candidates: [candidate],
  usageMetadata,
});
const GEMINI_COUNTS = { promptTokenCount: 10, candidatesTokenCount: 5 };
const parts = (...texts: readonly string[]) => ({ parts: texts.map((each) => ({ text: each })) });

test.each([
  ['a text', json(gemini({ content: parts('Good.'), finishReason: 'STOP' })), GOOD],
  [
    'MAX_TOKENS without parts',
    json(gemini({ finishReason: 'MAX_TOKENS' }, { promptTokenCount: 10, thoughtsTokenCount: 5 })),
    { ...EMPTY, billing: { ...USAGE, reasoningTokens: 5 } },
  ],
  [
    'MALFORMED_FUNCTION_CALL',
    json(gemini({ finishReason: 'MALFORMED_FUNCTION_CALL' }, { promptTokenCount: 10 })),
    { code: 'model-empty', billing: { promptTokens: 10, completionTokens: 0 } },
  ],
  ['STOP with nothing', json(gemini({ content: {}, finishReason: 'STOP' })), EMPTY],
  [
    'thoughts only',
    json(gemini({ content: { parts: [{ text: 'hm', thought: true }] }, finishReason: 'STOP' })),
    EMPTY,
  ],
  [
    'a cut text',
    json(gemini({ content: parts('Half'), finishReason: 'MAX_TOKENS' })),
    { content: 'Half', finish: 'length', usage: USAGE },
  ],
  [
    'OTHER',
    json(gemini({ content: parts('Half'), finishReason: 'OTHER' })),
    { content: 'Half', finish: 'length', usage: USAGE },
  ],
  [
    'thoughts beside a text',
    json(
      gemini(
        { content: parts('Good.'), finishReason: 'STOP' },
        { ...GEMINI_COUNTS, candidatesTokenCount: 2, thoughtsTokenCount: 3 },
      ),
    ),
    { ...GOOD, usage: { ...USAGE, reasoningTokens: 3 } },
  ],
  [
    'the total only',
    json(
      gemini(
        { content: parts('Good.'), finishReason: 'STOP' },
        { promptTokenCount: 10, totalTokenCount: 15 },
      ),
    ),
    GOOD,
  ],
  [
    'no usage',
    json(gemini({ content: parts('Good.'), finishReason: 'STOP' }, null)),
    { ...GOOD, usage: null },
  ],
  [
    'a blocked prompt',
    json({ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: { promptTokenCount: 10 } }),
    { content: '', finish: 'refused', usage: { promptTokens: 10, completionTokens: 0 } },
  ],
] as const)('Google: %s', async (_what, sent, expected) => {
  expect(await ask('google', sent)).toEqual(expected);
});

const END = gemini({ content: parts('.'), finishReason: 'STOP' });
const HEAD = gemini({ content: parts('Good') }, { promptTokenCount: 10 });

test.each([
  [
    'as documented',
    { body: `data: ${JSON.stringify(HEAD)}\r\n\r\ndata: ${JSON.stringify(END)}\r\n\r\n` },
    STREAMED,
  ],
  [
    'a comment',
    { body: `: ping\n\ndata: ${JSON.stringify(HEAD)}\n\ndata: ${JSON.stringify(END)}\n\n` },
    STREAMED,
  ],
  [
    'an event line',
    { body: `event: message\ndata: ${JSON.stringify(HEAD)}\n\ndata: ${JSON.stringify(END)}\n\n` },
    STREAMED,
  ],
  [
    'no space after data:',
    { body: `data:${JSON.stringify(HEAD)}\n\ndata:${JSON.stringify(END)}\n\n` },
    STREAMED,
  ],
  [
    'one final newline',
    { body: `data: ${JSON.stringify(HEAD)}\n\ndata: ${JSON.stringify(END)}\n` },
    STREAMED,
  ],
  [
    'no final newline',
    { body: `data: ${JSON.stringify(HEAD)}\n\ndata: ${JSON.stringify(END)}` },
    STREAMED,
  ],
  ['a trailing end mark', events(HEAD, END, '[DONE]'), STREAMED],
  ['a list in place of events', json([HEAD, END]), STREAMED],
  [
    'an error event',
    events(HEAD, { error: { code: 503, status: 'UNAVAILABLE' } }),
    { code: 'model-unavailable', billing: 'unknown' },
  ],
  [
    'a quota event',
    events({ error: { code: 429, status: 'RESOURCE_EXHAUSTED' } }),
    { code: 'model-rate-limited', billing: 'unknown' },
  ],
  ['the end missing', events(HEAD), { code: 'model-unavailable', billing: 'unknown' }],
] as const)('a stream of Google: %s', async (_what, sent, expected) => {
  expect(await ask('google', sent, { streamed: true })).toEqual(expected);
});

// --- what no answer is long enough for
const UNUSABLE = { code: 'model-unavailable', billing: 'unknown' };
const many = (piece: string, count: number): Sent => ({
  type: 'text/event-stream',
  body: `${piece.repeat(count)}data: [DONE]\n\n`,
});

test.each(['openai', 'anthropic', 'google'] as const)(
  'an answer of %s is read up to so many events, or so many characters at once, and no further',
  async (vendor) => {
    for (const sent of [
      many('data:{}\n\n', 150_000),
      many('data:[0,0,0,0]\n\n', 30_000),
      { body: JSON.stringify({ padding: 'x'.repeat(2_200_000) }) },
      { type: 'text/event-stream', body: `data: {"padding":"${'x'.repeat(2_200_000)}"}\n\n` },
      { body: `[${'0,'.repeat(150_000)}0]` },
    ]) {
      expect(await ask(vendor, sent, { streamed: true })).toEqual({
        ...UNUSABLE,
        billing: expect.anything(),
      });
    }
  },
);

test('of a list in an answer the first ones are read, however many there are', async () => {
  const part = { text: 'x' };
  const answer = await ask('openai', openAi({ content: Array(30_000).fill(part) }));
  expect(answer).toMatchObject({ content: 'x'.repeat(10_000) });
});
