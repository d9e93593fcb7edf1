/** Limits of what one request may cost: of its body, its path and its headers. */
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { scanJson } from '../../api/http/schemas/json-scan.js';
import { compactJson } from '../../api/http/schemas/json-document.js';
import { parseJson } from '../../api/http/schemas/json.js';
import { rerunBody } from '../../api/routes/runs/schemas.js';
import { readInput } from '../../api/http/schemas/problems.js';
import { mountRoutes } from '../../api/http/mount.js';
import { createRoutes } from '../../api/routes/index.js';
import { answerUnrouted, createRouter, endpointOf } from '../../api/http/routing.js';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';
import { expectLinear } from '../support/growth.js';

let api: ApiServer;
let person: Person;
beforeAll(async () => {
  api = await startApiServer();
  person = await api.register();
});
afterAll(() => api.close());

const MIB = 1_048_576;
const RERUN = `/pipelines/${randomUUID()}/rerun`;
const DESIGN = { name: 'A design', description: 'Something', agents: [] };
const AGENT = { name: 'a', role: 'analyzer', llm_model: 'gpt-4o', description: 'reads' };

const many = (count: number, make: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => make(at));
const listOf = (count: number, item: string) => `[${many(count, () => item).join(',')}]`;
const membersOf = (count: number, value: string) =>
  `{${many(count, (at) => `"k${at}":${value}`).join(',')}}`;
const nested = (levels: number, [opener, closer]: readonly [string, string], inner = '1') =>
  `${opener.repeat(levels)}${inner}${closer.repeat(levels)}`;

function send(method: string, path: string, body: string) {
  return api.send(method, path, { token: person.token, body });
}

describe('a body is refused by its size before it is read', () => {
  test.each([
    ['POST', '/auth/login', 16 * 1_024],
    ['POST', '/auth/register', 16 * 1_024],
    ['POST', '/auth/refresh', 16 * 1_024],
    ['PUT', '/auth/me', 16 * 1_024],
    ['DELETE', '/auth/me', 16 * 1_024],
    ['POST', '/conversations', 256 * 1_024],
    ['POST', '/api-keys', 256 * 1_024],
    ['POST', '/llm-keys', 256 * 1_024],
    ['POST', '/model-endpoints', 256 * 1_024],
    ['POST', `/pipelines/${randomUUID()}/approvals/a`, MIB],
    ['POST', '/pipelines/execute', 4 * MIB],
    ['POST', '/pipelines/execute-direct', 4 * MIB],
    ['POST', RERUN, 4 * MIB],
    ['POST', '/templates', 4 * MIB],
    ['PUT', `/templates/${randomUUID()}`, 4 * MIB],
  ])('%s %s takes %i bytes and no more', async (method, path, most) => {
    const sized = (bytes: number) => `{"u":"${'x'.repeat(bytes - '{"u":""}'.length)}"}`;
    expect((await send(method, path, sized(most))).status).not.toBe(413);
    const { status, body } = await send(method, path, sized(most + 1));
    expect([status, body]).toEqual([413, { detail: 'Request body too large' }]);
    const packed = await api.request(`/api/v1${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${person.token}`,
        'Content-Type': 'application/json',
        'Content-Encoding': 'gzip',
      },
      body: gzipSync(sized(most + 1)),
    });
    expect(packed.status).toBe(413);
  });

  test('and by who sends it', async () => {
    const body = `{"graph_data":${listOf(100_000, '1')}}`;
    const answer = await api.send('POST', '/templates', { token: 'none', body });
    expect([answer.status, answer.body]).toEqual([401, { detail: 'Invalid token' }]);
  });
});

test('a packed body that unfolds to nothing is read up to its limit, too', async () => {
  const emptyBlock = Buffer.from([0, 0, 0, 0xff, 0xff]); // RFC 1951 §3.2.4
  const nothing = Buffer.concat([
    Buffer.from([0x78, 0x01]),
    ...Array<Buffer>(4_000).fill(emptyBlock),
  ]);
  let sent = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(sent === 0 ? nothing : nothing.subarray(2));
      sent += nothing.length;
      if (sent > 64 * MIB) {
        controller.close();
      }
    },
  });
  const refused = await api.request('/api/v1/auth/login', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'deflate' },
    body: endless,
    duplex: 'half',
  });
  expect(refused.status).toBe(413);
  expect(sent).toBeLessThan(16 * MIB);
});

test.each([
  ['declared', {}, (text: string) => text],
  ['packed', { 'Content-Encoding': 'gzip' }, (text: string) => gzipSync(text)],
] as const)('a large body weighs as many requests, a %s one as well', async (_how, more, pack) => {
  const limited = await startApiServer({
    config: { rateLimits: { free: 10, pro: 10, admin: -1 } },
  });
  const save = async ({ token }: Person, bytes: number) => {
    const response = await limited.request('/api/v1/templates', {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, ...more },
      body: pack(`{"x":"${'x'.repeat(bytes)}"}`),
    });
    await response.body?.cancel();
    return response.status;
  };
  const [one, other] = [await limited.register(), await limited.register()];
  expect(await save(one, MIB)).toBe(422);
  expect(await save(one, 0)).toBe(422);
  expect(await save(one, 2 * MIB)).toBe(429);
  expect(await save(other, 3 * MIB)).toBe(422); // a full bucket carries any body
  expect(await save(other, 0)).toBe(429);
  await limited.close();
});

describe('an attack is answered in a few words', () => {
  const manyIn = (field: string, value: string) =>
    `{"design":${JSON.stringify(DESIGN).slice(0, -1)},"${field}":${value}}}`;
  const schemaIn = (schema: string) =>
    manyIn('agents', `[${JSON.stringify(AGENT).slice(0, -1)},"output_schema":${schema}}]`);
  const badAgents = listOf(100, `{"output_schema":{"type":"object","enum":${listOf(1_000, '1')}}}`);

  test.each([
    ['keys in changes', 'POST', RERUN, `{"changes":${membersOf(20_000, '{}')}}`],
    ['more keys in changes', 'POST', RERUN, `{"changes":${membersOf(300_000, '1')}}`],
    ['numbers', 'POST', '/pipelines/execute', manyIn('pros', listOf(40_000, '1'))],
    ['agents', 'POST', '/pipelines/execute', manyIn('agents', listOf(40_000, '1'))],
    ['edges', 'POST', '/pipelines/execute', manyIn('edges', listOf(40_000, '1'))],
    ['hints', 'POST', '/pipelines/execute', manyIn('source_hints', listOf(40_000, '1'))],
    ['values', 'POST', '/pipelines/execute', manyIn('pros', listOf(1_000_000, '{}'))],
    ['a list for a design', 'POST', '/pipelines/execute', listOf(1_000_000, '1')],
    ['a deep design', 'POST', '/pipelines/execute', manyIn('agents', nested(400_000, ['[', ']']))],
    ['a deep schema', 'POST', '/pipelines/execute', schemaIn(nested(240, ['{"items":', '}']))],
    [
      'a deeper schema',
      'POST',
      '/pipelines/execute',
      schemaIn(nested(100_000, ['{"items":', '}'])),
    ],
    [
      'a schema of choices',
      'POST',
      '/pipelines/execute',
      schemaIn(nested(200, ['{"anyOf":[', ']}'])),
    ],
    ['a wide schema', 'POST', '/pipelines/execute', schemaIn(`{"enum":${listOf(40_000, '1')}}`)],
    ['words of a schema', 'POST', '/pipelines/execute', schemaIn(membersOf(1_000, '1'))],
    ['many wrong schemas', 'POST', '/pipelines/execute', manyIn('agents', badAgents)],
    [
      'wrong names of properties',
      'POST',
      '/pipelines/execute',
      schemaIn(`{"properties":${membersOf(1_500, '1').replaceAll('k', 'k ')}}`),
    ],
    ['a long name', 'POST', RERUN, `{"changes":{"${'x'.repeat(MIB)}":{}}}`],
    ['a long text', 'POST', '/conversations', `{"title":"${'x'.repeat(200_000)}"}`],
    ['brackets', 'POST', '/auth/login', '['.repeat(16_000)],
    ['brackets in a template', 'POST', '/templates', '['.repeat(4 * MIB)],
    ['half a template', 'POST', '/templates', `{"graph_data":${listOf(500_000, '1').slice(0, -1)}`],
    ['a template that is a list', 'POST', '/templates', listOf(1_000_000, '1')],
    [
      'a large document',
      'POST',
      '/templates',
      `{"name":"n","graph_data":{"a":${listOf(1_000_000, '1')}},"design_data":{}}`,
    ],
    ['fields of a template', 'POST', '/templates', membersOf(200_000, '1')],
    ['a name of a template', 'POST', '/templates', `{"name":${listOf(900_000, '1')}}`],
    [
      'a long address',
      'POST',
      '/auth/login',
      `{"email":"a@${'ü.'.repeat(5_000)}de","password":"x"}`,
    ],
  ])('%s', async (_, method, path, body) => {
    const { status, body: answer } = await send(method, path, body);
    expect(status).toBe(422);
    expect(answer.detail.length).toBeLessThanOrEqual(50);
    expect(JSON.stringify(answer).length).toBeLessThan(20_000);
  });

  test('many problems with many fields are listed fifty at a time', async () => {
    const edges = JSON.stringify(many(2_000, () => '').map(() => ({})));
    const { body } = await send('POST', '/pipelines/execute', manyIn('edges', edges));
    expect(body.detail).toHaveLength(50);
    expect(body.detail[0]).toEqual({ field: 'design.edges.0.source', msg: 'Field required' });
  });

  test('an unknown field of a template is passed over unread', async () => {
    const body = `{"name":"n","graph_data":{},"design_data":{},"x":${listOf(1_500_000, '1')}}`;
    expect((await send('POST', '/templates', body)).status).toBe(201);
  });

  test('invalid UTF-8 is no text', async () => {
    const response = await api.request('/api/v1/conversations', {
      method: 'POST',
      headers: { Authorization: `Bearer ${person.token}` },
      body: Buffer.concat([Buffer.from('{"title":"'), Buffer.from([0xff]), Buffer.from('"}')]),
    });
    expect(response.status).toBe(400);
  });
});

test('others are answered meanwhile', async () => {
  const body = `{"changes":${membersOf(200_000, '{}')}}`;
  let answered = 0;
  const attack = Promise.all(many(5, () => body).map((it) => send('POST', RERUN, it)));
  void attack.then(() => (answered = -1));
  const other = await api.register();
  const { status } = await api.send('GET', '/auth/me', { token: other.token });
  expect([status, answered <= 0]).toEqual([200, true]);
  expect((await attack).map((it) => it.status)).toEqual([422, 422, 422, 422, 422]);
});

describe('the cost of a text grows as the text does', () => {
  const SHAPES: readonly (readonly [string, (size: number) => string])[] = [
    ['brackets', (size) => '['.repeat(size)],
    ['braces', (size) => '{"a":'.repeat(size / 5)],
    ['quotes', (size) => '"'.repeat(size)],
    ['backslashes', (size) => `"${'\\'.repeat(size)}`],
    ['an open string', (size) => `["${'x'.repeat(size)}`],
    ['spaces', (size) => ' '.repeat(size)],
    ['numbers', (size) => listOf(size / 2, '1')],
    ['digits', (size) => '1'.repeat(size)],
    ['escapes', (size) => `["${'\\u0041'.repeat(size / 6)}"]`],
    ['pairs', (size) => `["${'🙂'.repeat(size / 2)}" x`],
    ['strings', (size) => listOf(size / 6, '"\\n"')],
    ['spaced', (size) => listOf(size / 4, ' 1 ')],
  ];

  test.each(SHAPES)('scanned: %s', (_, make) => {
    expectLinear((size) => {
      const text = flat(make(size));
      return () => scanJson(text, { maxNesting: Infinity, maxValues: Infinity });
    });
  });

  test.each(SHAPES)('parsed or refused: %s', (_, make) => {
    expectLinear((size) => {
      const text = flat(make(size));
      return () => {
        try {
          parseJson(text);
        } catch {
          // it is no JSON
        }
      };
    });
  });

  test.each(SHAPES.slice(6).filter(([name]) => !['digits', 'pairs'].includes(name)))(
    'kept as a document: %s',
    (_, make) => {
      expectLinear((size) => {
        const text = flat(make(size));
        return () => compactJson(text);
      });
    },
  );

  test('and no number of keys is looked at one by one', () => {
    expectLinear((size) => {
      const changes = Object.fromEntries(many(size / 8, String).map((key) => [key, {}]));
      return () => readInput(rerunBody, { changes }, 'body');
    });
  });
});

describe('the cost of a path grows as the path does', () => {
  const router = createRouter();
  const deps: any = { config: { passwordCost: 4, temporalUiOrigins: [] } }; // no route is called
  mountRoutes(router, createRoutes(deps), deps);

  test.each([
    ['slashes', '/'],
    ['slashes and letters', '/a'],
    ['hyphens', 'a-'],
    ['dots', '../'],
    ['escapes', '%41'],
    ['broken escapes', '%'],
    ['a known beginning', '/api/v1/pipelines'],
  ])('%s', (_, part) => {
    expectLinear((size) => {
      const path = flat(`/${part.repeat(size / part.length)}x`);
      const ctx: any = { path, method: 'GET', search: '', set: () => undefined };
      return () => {
        endpointOf(router, path);
        void answerUnrouted(router)(ctx, () => Promise.resolve());
      };
    }, 32_768);
  });
});

/** Not the rope that it was made as. */
function flat(text: string): string {
  return Buffer.from(text).toString();
}
