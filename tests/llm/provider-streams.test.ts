/** What servers that speak a provider's format send as well: half-legal streams and their failures. */
import type { Vendor } from '../../domain/agents/models.js';
import { askOnce, startRawProvider, type RawProvider, type Sent } from '../support/vendors/raw.js';

let raw: RawProvider;

beforeAll(async () => {
  raw = await startRawProvider();
});
afterAll(() => raw.close());

function ask(vendor: Vendor, sent: Sent) {
  raw.answer(() => sent);
  return askOnce(raw.providers[vendor], vendor, { streamed: true });
}

const events = (...list: readonly unknown[]): Sent => ({
  type: 'text/event-stream',
  body: list
    .map((each) => `data: ${typeof each === 'string' ? each : JSON.stringify(each)}\n\n`)
    .join(''),
});

const USAGE = { promptTokens: 10, completionTokens: 5 };
const EMPTY = { code: 'model-empty', billing: USAGE };
const STREAMED = { content: 'Good.', finish: 'stop', usage: USAGE, pieces: 'Good.' };
const COUNTS = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const LAST = { choices: [], usage: COUNTS };
const delta = (content: unknown, finish_reason: unknown = null) => ({
  choices: [{ delta: { content }, finish_reason }],
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
const gemini = (candidate: object, usageMetadata: unknown = GEMINI_COUNTS) => ({
  candidates: [candidate],
  usageMetadata,
});
const GEMINI_COUNTS = { promptTokenCount: 10, candidatesTokenCount: 5 };
const parts = (...texts: readonly string[]) => ({ parts: texts.map((each) => ({ text: each })) });
const HEAD = gemini({ content: parts('Good') }, { promptTokenCount: 10 });
const END = gemini({ content: parts('.'), finishReason: 'STOP' });

const openAiParts = (...content: readonly unknown[]) => events(delta(content, 'stop'), LAST);
const choice = (index: number, content: string, finish_reason: unknown = null) => ({
  index,
  delta: { content },
  finish_reason,
});
const lines = (...list: readonly unknown[]) =>
  list.map((each) => `data: ${JSON.stringify(each)}\n`).join('');
const named = (name: string, data: unknown) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const FLAT = { message: 'x', type: 'overloaded_error' };

test.each([
  [
    'events without an empty line between them',
    { body: `${lines(delta('Good'), delta('.', 'stop'), LAST)}data: [DONE]\n\n` },
  ],
  [
    'one document a line',
    {
      body: [delta('Good'), delta('.', 'stop'), LAST]
        .map((each) => JSON.stringify(each))
        .join('\n'),
    },
  ],
  [
    'words between the events',
    {
      body: `data: ping\n\nevent: ping\ndata: keep-alive\n\n${events(delta('Good.', 'stop'), LAST, '[DONE]').body}`,
    },
  ],
  ['another spelling of the end mark', events(delta('Good.', 'stop'), LAST, '[done]')],
  [
    'half a document after its end',
    { ...events(delta('Good.', 'stop'), LAST, '{"usa'), cut: true },
  ],
  ['a connection that stays open', { ...events(delta('Good.', 'stop'), LAST), open: true }],
  ['an empty reason after the reason', events(delta('Good.', 'stop'), delta('', ''), LAST)],
  ['the reason in capitals', events(delta('Good.', 'STOP'), LAST)],
  ['the reason of text-generation-inference', events(delta('Good.', 'eos_token'), LAST)],
  ['the reason of another provider', events(delta('Good.', 'end_turn'), LAST)],
  [
    'a second choice',
    events(
      { choices: [choice(1, 'Bad.'), choice(0, 'Good')] },
      { choices: [choice(1, 'Bad.', 'length')] },
      { choices: [choice(0, '.', 'stop')] },
      LAST,
    ),
  ],
  [
    'the whole message again at its end',
    events(
      delta('Good.'),
      { choices: [{ delta: {}, message: { content: 'Good.' }, finish_reason: 'stop' }] },
      LAST,
    ),
  ],
  [
    'thoughts as a part',
    openAiParts({ type: 'reasoning', text: 'hm' }, { type: 'text', text: 'Good.' }),
  ],
  ['parts that are texts', openAiParts('Good', '.')],
  [
    'one part alone',
    events(
      { choices: [{ delta: { content: { type: 'text', text: 'Good.' } }, finish_reason: 'stop' }] },
      LAST,
    ),
  ],
  [
    'a refusal of one space',
    events(
      { choices: [{ delta: { content: 'Good.', refusal: ' ' }, finish_reason: 'stop' }] },
      LAST,
    ),
  ],
  [
    'an error without a word',
    events({ ...delta('Good.', 'stop'), error: { code: null, message: '' } }, LAST),
  ],
  [
    'the usage where Groq states it',
    events({ ...delta('Good.', 'stop'), x_groq: { usage: COUNTS } }),
  ],
  [
    'the usage under the names of Anthropic',
    events(delta('Good.', 'stop'), { usage: { input_tokens: 10, output_tokens: 5 } }),
  ],
  [
    'usage of zeros after the usage',
    events(
      { ...delta('Good.', 'stop'), usage: COUNTS },
      { usage: { prompt_tokens: 0, completion_tokens: 0 } },
    ),
  ],
  [
    'an empty usage after the usage',
    events({ ...delta('Good.', 'stop'), usage: COUNTS }, { usage: {} }),
  ],
  [
    'the usage in two events',
    events(
      { ...delta('Good'), usage: { prompt_tokens: 10 } },
      { ...delta('.', 'stop'), usage: { completion_tokens: 5 } },
    ),
  ],
] as const)('a good stream in OpenAI form with %s', async (_what, sent) => {
  expect(await ask('openai', sent)).toEqual(STREAMED);
});

const failed = (code: string, billing: unknown = 'unknown') => ({ code, billing });

test.each([
  ['openai', 'thoughts in the text only', events(delta('<think>hm</think>', 'stop'), LAST), EMPTY],
  [
    'openai',
    'thoughts in the text that are cut',
    events(delta('<think>hm', 'length'), LAST),
    EMPTY,
  ],
  [
    'openai',
    'a refusal as a part',
    openAiParts({ type: 'refusal', refusal: 'No.' }),
    { content: '', finish: 'refused', usage: USAGE, pieces: '' },
  ],
  [
    'openai',
    'a filter of another provider',
    events(delta('Ha', 'SAFETY'), LAST),
    { content: '', finish: 'refused', usage: USAGE, pieces: 'Ha' },
  ],
  [
    'openai',
    'an aborted answer',
    events(delta('Ha', 'abort'), LAST),
    failed('model-unavailable', USAGE),
  ],
  [
    'openai',
    'a failure inside of a choice',
    events(delta('Ha'), { choices: [{ error: { code: 429, message: 'x' } }] }, '[DONE]'),
    failed('model-rate-limited'),
  ],
  [
    'openai',
    'a bare error',
    events({ object: 'error', message: 'x', code: 400 }),
    failed('model-request-invalid'),
  ],
  [
    'openai',
    'a bare error in an event of that name',
    { body: `${events(delta('Ha')).body}${named('error', FLAT)}data: [DONE]\n\n` },
    failed('model-unavailable'),
  ],
  [
    'openai',
    'a line that is an error',
    { body: `${events(delta('Ha')).body}error: {"code":500}\n\ndata: [DONE]\n\n` },
    failed('model-unavailable'),
  ],
  [
    'openai',
    'a status as a text',
    events({ error: { code: '429', message: 'x' } }),
    failed('model-rate-limited'),
  ],
  [
    'openai',
    'a reason in every event, which is cut off',
    { ...events(delta('Good', 'stop'), delta('.', 'stop')), cut: true },
    failed('model-unavailable'),
  ],
  [
    'openai',
    'thoughts alone, counted in the total',
    events(delta('<think>Hm.</think>', 'stop'), {
      usage: { prompt_tokens: 10, completion_tokens: 0, total_tokens: 15 },
    }),
    EMPTY,
  ],
  [
    'google',
    'no token written but thoughts, and a total',
    events(
      gemini(
        { content: parts('Good.'), finishReason: 'STOP' },
        {
          promptTokenCount: 10,
          candidatesTokenCount: 0,
          thoughtsTokenCount: 2,
          totalTokenCount: 15,
        },
      ),
    ),
    { ...STREAMED, usage: { ...USAGE, reasoningTokens: 2 } },
  ],
  [
    'openai',
    'no token written',
    events(delta('Good.', 'stop'), {
      usage: { prompt_tokens: 10, completion_tokens: 0, total_tokens: 10 },
    }),
    { ...STREAMED, usage: null },
  ],
  [
    'openai',
    'no token read',
    events(delta('Good.', 'stop'), { usage: { prompt_tokens: 0, completion_tokens: 5 } }),
    { ...STREAMED, usage: null },
  ],
  [
    'openai',
    'no token read, but a total',
    events(delta('Good.', 'stop'), {
      usage: { prompt_tokens: 0, completion_tokens: 5, total_tokens: 15 },
    }),
    STREAMED,
  ],
  [
    'anthropic',
    'a bare error in an event of that name',
    { body: `${events(START, piece('Ha')).body}${named('error', FLAT)}${named('x', STOP)}` },
    failed('model-unavailable'),
  ],
  [
    'anthropic',
    'no token written',
    events(START, piece('Good.'), close('end_turn', { output_tokens: 0 }), STOP),
    { ...STREAMED, usage: null },
  ],
  [
    'anthropic',
    'a connection that stays open',
    { ...events(START, piece('Good.'), close('end_turn'), STOP), open: true },
    STREAMED,
  ],
  [
    'anthropic',
    'the context is full before a word',
    events(START, close('model_context_window_exceeded'), STOP),
    EMPTY,
  ],
  [
    'google',
    'a block that is none',
    events({ ...END, promptFeedback: { blockReason: 'BLOCK_REASON_UNSPECIFIED' } }),
    { ...STREAMED, content: '.', pieces: '.' },
  ],
  [
    'google',
    'a second candidate',
    events(
      {
        candidates: [
          { index: 1, content: parts('Bad.') },
          { index: 0, content: parts('Good') },
        ],
      },
      END,
    ),
    STREAMED,
  ],
  [
    'google',
    'usage of zeros after the usage',
    events(HEAD, END, { usageMetadata: { promptTokenCount: 0, candidatesTokenCount: 0 } }),
    STREAMED,
  ],
  [
    'google',
    'what its firewall withheld',
    events(gemini({ content: parts('Ha'), finishReason: 'MODEL_ARMOR' })),
    { content: '', finish: 'refused', usage: USAGE, pieces: 'Ha' },
  ],
  [
    'google',
    'a bad key',
    events({
      error: { code: 400, status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID' }] },
    }),
    failed('model-key-refused'),
  ],
  [
    'google',
    'a call that it cancelled',
    events({ error: { code: 499, status: 'CANCELLED' } }),
    failed('model-unavailable'),
  ],
] as const)('a stream of %s: %s', async (vendor, _what, sent, expected) => {
  expect(await ask(vendor, sent)).toEqual(expected);
});
