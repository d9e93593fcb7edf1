/** What a log or a span may hold: no secrets, no more than fits, for any input. */
import { PassThrough } from 'node:stream';
import { createLogger, type LogFields } from '../../telemetry/logger.js';
import { maskFields, maskText, MAX_TEXT_CHARACTERS, pathForLog } from '../../telemetry/masking.js';
import { expectLinear } from '../support/growth.js';

const MASK = '[masked]';
const TOKEN = 'eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl';

/** What a line holds as JSON. */
function lineOf(fields: LogFields): Record<string, unknown> {
  const written = new PassThrough();
  createLogger('test', { destination: written }).info('event', fields);
  return JSON.parse(String(written.read())) as Record<string, unknown>;
}

test.each<readonly [string, string, string]>([
  ['a key', 'a sk-abcdefgh b', `a ${MASK} b`],
  ['a short word', 'a sk-abcdefg b', 'a sk-abcdefg b'],
  ['a key of Google', '"AIzaabcdefghij"', `"${MASK}"`],
  ['a token', `Bearer ${TOKEN}, sent`, `Bearer ${MASK}, sent`],
  ['a token without signature', 'eyJa.eyJb.', MASK],
  ['two parts', 'eyJa.eyJb', 'eyJa.eyJb'],
  ['an empty second part', 'eyJa..b', 'eyJa..b'],
  ['a token after dots', `a.b.${TOKEN}.rest`, `a.b.${MASK}.rest`],
  ['two tokens', `${TOKEN} ${TOKEN}`, `${MASK} ${MASK}`],
  ['a token within a word', `xeyJa.b.c`, 'xeyJa.b.c'],
  ['a token after a dash', `x-${TOKEN}`, `x-${MASK}`],
  ['a password', 'postgres://user:se/cret@host/db', `postgres://user:${MASK}@host/db`],
  ['a password without user', 'redis://:secret@host', `redis://:${MASK}@host`],
  ['two passwords', 'a://b:c@d e://f:g@h', `a://b:${MASK}@d e://f:${MASK}@h`],
  ['a port', 'http://host:80/path me@example.com', 'http://host:80/path me@example.com'],
  ['an empty password', 'http://user:@host', 'http://user:@host'],
])('%s in a text', (_what, text, masked) => {
  expect(maskText(text)).toBe(masked);
});

test.each(['sk-abcdefghijklmnop', 'AIzaabcdefghijklmnop', TOKEN, 'http://user:password@host'])(
  'of %s a cut leaves nothing, wherever it falls',
  (secret) => {
    const start = secret.startsWith('http')
      ? 'http://user:'.length
      : secret.startsWith('A')
        ? 4
        : 3;
    for (let at = start + 1; at < secret.length; at += 1) {
      const text = `a path/${secret} and more`;
      const masked = maskText(text, 'a path/'.length + at);
      expect(masked).not.toContain(secret.slice(0, start + 1));
    }
  },
);

test('no half of a surrogate pair stands at the end of a cut text', () => {
  expect(maskText('ab😀', 3)).toBe('ab');
});

const FAMILIES = [
  'a-',
  'eyJ-',
  'eyJa.',
  'eyJa-eyJ',
  'sk-',
  'AIza',
  '://a:',
  'http://',
  'a://b:c',
  'a.b+c-',
  ' ',
  '@',
  ':',
  '.',
  '😀',
];

test.each(FAMILIES)('a text of %j is masked in linear time, cut or not', (piece) => {
  expectLinear((size) => {
    const text = piece.repeat(size / piece.length);
    return () => maskText(text, text.length);
  });
  const long = piece.repeat(1_000_000 / piece.length);
  expect(maskText(long).length).toBeLessThanOrEqual(MAX_TEXT_CHARACTERS + MASK.length);
  expect(pathForLog(long).length).toBeLessThanOrEqual(1_024 + MASK.length);
});

test('what is long is cut, and the line as a whole is bounded', () => {
  const long = 'x'.repeat(MAX_TEXT_CHARACTERS * 2);
  expect(lineOf({ long })['long']).toBe(`${long.slice(0, MAX_TEXT_CHARACTERS)}…`);
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`field${at}`, long]));
  const deep = { many, list: Array.from({ length: 100_000 }, () => ({ long, many })) };
  expect(JSON.stringify(lineOf(deep)).length).toBeLessThan(100_000);
});

test('secrets are known by their names, at any depth', () => {
  const inner = { apiKey: 'k', maxTokens: 3, list: [{ password: 'p', seen: 'sk-abcdefgh' }] };
  const masked = { apiKey: MASK, maxTokens: 3, list: [{ password: MASK, seen: MASK }] };
  expect(lineOf({ inner })).toMatchObject({ inner: masked });
  expect(lineOf({ map: new Map([['token', 'x']]) })).toMatchObject({ map: { token: MASK } });
  const name = `${'x'.repeat(200)}password`;
  expect(Object.values(maskFields({ [name]: 'p' }))).toEqual([MASK]);
});

test('a cycle ends', () => {
  const error: Error & { cause?: unknown } = new Error('broken');
  error.cause = error;
  const list: unknown[] = [];
  list.push(list);
  const node: Record<string, unknown> = { list };
  node['self'] = node;
  expect(lineOf({ node, error })).toMatchObject({
    node: { list: ['[circular]'], self: '[circular]' },
    error: { message: 'broken', cause: '[circular]' },
  });
});

test('what is seen twice is no cycle', () => {
  const shared = { a: 1 };
  expect(lineOf({ one: shared, two: [shared, shared] })).toMatchObject({
    one: shared,
    two: [shared, shared],
  });
});

test('what is too deep is not followed', () => {
  let nested: unknown = 'end';
  let cause: Error | undefined;
  for (let depth = 0; depth < 100_000; depth += 1) {
    nested = [nested];
    cause = new Error('one of many', { cause });
  }
  const line = JSON.stringify(lineOf({ nested, cause }));
  expect(line).toContain('[too deep]');
  expect(line.match(/one of many/g)?.length).toBeLessThan(20);
});

test('what cannot be read costs its own field only', () => {
  const hostile = {
    get broken(): string {
      throw new Error('no');
    },
    fine: 1,
  };
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const error = Object.defineProperty(new Error('message'), 'stack', {
    get() {
      throw new Error('no');
    },
  });
  expect(lineOf(hostile)).toMatchObject({ broken: '[unreadable]', fine: 1 });
  expect(lineOf({ hostile, proxy, error })).toMatchObject({
    hostile: { broken: '[unreadable]', fine: 1 },
    proxy: '[unreadable]',
    error: { message: 'message', stack: '[unreadable]' },
  });
});

test('values of any kind are written', () => {
  const fields = {
    big: 10n,
    symbol: Symbol('s'),
    work: () => 1,
    date: new Date(0),
    never: new Date(Number.NaN),
    url: new URL('http://u:secret@host/'),
    set: new Set([1, 'sk-abcdefgh']),
    bytes: new Uint8Array(1_000_000),
    nothing: null,
    bare: Object.assign(Object.create(null) as object, { a: 1 }),
  };
  expect(lineOf(fields)).toMatchObject({
    big: '[unprintable]',
    symbol: '[unprintable]',
    work: '[unprintable]',
    date: '1970-01-01T00:00:00.000Z',
    never: null,
    url: `http://u:${MASK}@host/`,
    set: [1, MASK],
    bytes: '[1000000 bytes]',
    nothing: null,
    bare: { a: 1 },
  });
});

test('a name from outside is masked as well', () => {
  expect(Object.keys(maskFields({ [`sk-${'a'.repeat(1_000)}`]: 1 }))).toEqual([MASK]);
});
