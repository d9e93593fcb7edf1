import { randomUUID } from 'node:crypto';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';

let api: ApiServer;
let person: Person;
let stranger: Person;
beforeAll(async () => {
  api = await startApiServer();
});
beforeEach(async () => {
  [person, stranger] = [await api.register(), await api.register()];
});
afterAll(() => api.close());

type Body = Record<string, unknown> | string;

const DRAFT = { name: 'T', graph_data: { nodes: [], edges: [] }, design_data: {} };
const ask = (method: string, path = '', body?: Body, by: Person = person) =>
  api.send(method, `/templates${path}`, {
    token: by.token,
    ...(body === undefined ? {} : { body }),
  });
const save = (fields: Record<string, unknown> = {}, by?: Person) =>
  ask('POST', '', { ...DRAFT, ...fields }, by);
const share = (id: string, by?: Person) => ask('PUT', `/${id}`, { is_public: true }, by);
const ids = (body: { id: string }[]) => body.map(({ id }) => id);

test('a saved template is private, dated in UTC, and returned whole', async () => {
  const graph_data = { nodes: [{ id: 'a', type: '새것', position: { x: 1.5, y: -2 } }], edges: [] };
  const { status, body } = await save({ description: '설명', graph_data, unknown: 1 });
  expect(status).toBe(201);
  expect(body).toEqual({
    id: expect.stringMatching(/^[\da-f-]{36}$/),
    name: 'T',
    description: '설명',
    is_public: false,
    created_at: expect.stringMatching(/Z$/),
    updated_at: expect.stringMatching(/Z$/),
    graph_data,
    design_data: {},
  });
  expect((await ask('GET', `/${body.id}`)).body).toEqual(body);
});

test.each([[{}], [{ description: '' }]])(
  'without a description (%j) it is null',
  async (fields) => {
    expect((await save(fields)).body.description).toBeNull();
  },
);

test.each([
  [{ name: undefined }, 'name', 'Field required'],
  [{ name: null }, 'name', 'Input should be a valid string'],
  [{ name: '' }, 'name', 'String should have at least 1 character'],
  [{ name: 'x'.repeat(256) }, 'name', 'String should have at most 255 characters'],
  [{ name: 'a\0' }, 'name', 'Value error, text must not contain NUL characters'],
  [{ name: 1.5 }, 'name', 'Input should be a valid string'],
  [{ description: null }, 'description', 'Input should be a valid string'],
  [{ graph_data: undefined }, 'graph_data', 'Field required'],
  [{ graph_data: null }, 'graph_data', 'Input should be a valid dictionary'],
  [{ graph_data: [] }, 'graph_data', 'Input should be a valid dictionary'],
  [{ design_data: 'x' }, 'design_data', 'Input should be a valid dictionary'],
  [{ design_data: 7 }, 'design_data', 'Input should be a valid dictionary'],
])('saving %j is 422 on its field', async (fields, field, msg) => {
  const { status, body } = await save(fields);
  expect([status, body]).toEqual([422, { detail: [{ field, msg }] }]);
});

test('numbers that JavaScript writes differently are kept as they came', async () => {
  const document =
    '{"a":1.0,"long":12345678901234567890,"big":1e400,"minus":-0,"exp":1E2,"list":[[0.10]]}';
  const saved = await ask('POST', '', `{"name":"n","graph_data":${document},"design_data":{}}`);
  expect(saved.status).toBe(201);
  const read = await api.request(`/api/v1/templates/${saved.body.id}`, {
    headers: { authorization: `Bearer ${person.token}` },
  });
  expect(await read.text()).toContain(`"graph_data":${document}`);
  expect((await save({}, stranger)).status).toBe(201);
  const change = await ask('PUT', `/${saved.body.id}`, `{"design_data":{"x":[2.0]}}`);
  expect(change.status).toBe(200);
  const again = await api.request(`/api/v1/templates/${saved.body.id}`, {
    headers: { authorization: `Bearer ${person.token}` },
  });
  expect(await again.text()).toContain('"design_data":{"x":[2.0]}');
});

test('a number is no document, however it is written', async () => {
  const { status, body } = await ask('POST', '', '{"name":"n","graph_data":1.0,"design_data":{}}');
  expect([status, body.detail[0].field]).toEqual([422, 'graph_data']);
});

test('documents of any content come back unchanged', async () => {
  const graph_data = {
    '': '',
    nul: 'a\0b',
    'nul\0name': 1,
    lone: '\ud800',
    text: '한글 🙂 "quoted" \\ </script>',
    nested: { deep: [[[{}]], [], null, true, 1e-7] },
    camelCase: { snake_case: { '10': 1, '2': 2 } },
  };
  const { status, body } = await save({ graph_data });
  expect(status).toBe(201);
  expect((await ask('GET', `/${body.id}`)).body.graph_data).toEqual(graph_data);
});

test('a member named __proto__ is data like any other', async () => {
  const saved = await ask(
    'POST',
    '',
    '{"name":"n","graph_data":{"__proto__":{"x":1.0}},"design_data":{}}',
  );
  const [, text] = /"graph_data":(.*),"design_data"/.exec(JSON.stringify(saved.body)) ?? [];
  expect(text).toBe('{"__proto__":{"x":1}}');
});

describe('a document', () => {
  const LIMIT = 524_288;
  /** Of so many bytes as JSON, all of them ASCII. */
  const sized = (bytes: number) => ({ d: 'x'.repeat(bytes - '{"d":""}'.length) });

  test.each(['graph_data', 'design_data'])(
    '%s may have 512 KiB and no byte more',
    async (field) => {
      expect((await save({ [field]: sized(LIMIT) })).status).toBe(201);
      const { status, body } = await save({ [field]: sized(LIMIT + 1) });
      const msg = `Value error, ${field} exceeds 512KB limit`;
      expect([status, body]).toEqual([422, { detail: [{ field, msg }] }]);
    },
  );

  test('costs six bytes per UTF-16 unit beyond ASCII', async () => {
    const korean = (units: number) => ({ d: '가'.repeat(units) });
    const most = Math.floor((LIMIT - '{"d":""}'.length) / 6);
    expect((await save({ graph_data: korean(most) })).status).toBe(201);
    expect((await save({ graph_data: korean(most + 1) })).status).toBe(422);
    expect((await save({ graph_data: { d: '🙂'.repeat(most / 2 + 1) } })).status).toBe(422);
  });

  test('of 512 KiB fits twice into one request, escaped or not', async () => {
    const both = { graph_data: sized(LIMIT), design_data: sized(LIMIT) };
    expect((await save(both)).status).toBe(201);
    const escaped = `{"d":"${'\\uac00'.repeat(87_000)}"}`;
    const body = `{"name":"n","graph_data":${escaped},"design_data":${escaped}}`;
    const { status, body: saved } = await ask('POST', '', body);
    expect([status, saved.graph_data.d.length]).toEqual([201, 87_000]);
    expect((await ask('PUT', `/${saved.id}`, both)).status).toBe(200);
  });

  test('too large is refused on a change too, and nothing changes', async () => {
    const { body } = await save();
    const refused = await ask('PUT', `/${body.id}`, { name: 'new', design_data: sized(LIMIT + 1) });
    expect([refused.status, refused.body.detail[0].field]).toEqual([422, 'design_data']);
    expect((await ask('GET', `/${body.id}`)).body).toEqual(body);
  });

  test.each([498, 499, 100_000])(
    'nested %d levels deep is kept or refused, never an error',
    async (depth) => {
      const list = `${'['.repeat(depth)}"]"${']'.repeat(depth)}`;
      const body = `{"name":"n","graph_data":{"d":${list}},"design_data":{}}`;
      const answer = await ask('POST', '', body);
      if (depth < 499) {
        expect(answer.status).toBe(201);
        expect((await ask('GET', `/${answer.body.id}`)).status).toBe(200);
      } else {
        expect([answer.status, answer.body.detail[0].msg]).toEqual([
          422,
          'Value error, objects and lists may be nested 500 levels deep at most',
        ]);
      }
    },
  );
});

test('own templates are listed by their latest change, without documents', async () => {
  const [first, second] = [await save({ name: 'first' }), await save({ name: 'second' })];
  await save({}, stranger);
  expect(ids((await ask('GET')).body)).toEqual([second.body.id, first.body.id]);
  await ask('PUT', `/${first.body.id}`, { name: 'changed' });
  const { status, body } = await ask('GET');
  expect(status).toBe(200);
  expect(ids(body)).toEqual([first.body.id, second.body.id]);
  expect(Object.keys(body[0]).sort()).toEqual([
    'created_at',
    'description',
    'id',
    'is_public',
    'name',
    'updated_at',
  ]);
});

test('a change keeps what it does not name', async () => {
  const { body } = await save({ description: 'd', graph_data: { a: 1 }, design_data: { b: 2 } });
  const changed = await ask('PUT', `/${body.id}`, { is_public: true });
  expect(changed.status).toBe(200);
  expect(changed.body).toEqual({
    ...body,
    is_public: true,
    updated_at: expect.any(String),
  });
  expect(changed.body.updated_at > body.updated_at).toBe(true);
  const all = {
    name: 'n',
    description: 'e',
    graph_data: { c: 3 },
    design_data: {},
    is_public: false,
  };
  expect((await ask('PUT', `/${body.id}`, all)).body).toMatchObject(all);
  expect((await ask('GET', `/${body.id}`)).body).toMatchObject(all);
});

test('a change of nothing is accepted and changes nothing', async () => {
  const { body } = await save();
  expect(await ask('PUT', `/${body.id}`, {})).toMatchObject({ status: 200, body });
});

test('on a change an empty description stays empty, and null takes it away', async () => {
  const { body } = await save({ description: 'd' });
  const change = async (description: unknown) =>
    (await ask('PUT', `/${body.id}`, { description })).body.description;
  expect(await change('')).toBe('');
  expect(await change(null)).toBeNull();
});

test.each([
  [{ name: null }, 'name', 'Input should be a valid string'],
  [{ name: '' }, 'name', 'String should have at least 1 character'],
  [{ name: 'x'.repeat(256) }, 'name', 'String should have at most 255 characters'],
  [{ graph_data: null }, 'graph_data', 'Input should be a valid dictionary'],
  [{ design_data: null }, 'design_data', 'Input should be a valid dictionary'],
  [{ design_data: [1] }, 'design_data', 'Input should be a valid dictionary'],
  [{ is_public: null }, 'is_public', 'Input should be a valid boolean'],
  [{ is_public: 'yes' }, 'is_public', 'Input should be a valid boolean'],
])('changing to %j is 422 on its field', async (fields, field, msg) => {
  const saved = await save();
  const { status, body } = await ask('PUT', `/${saved.body.id}`, fields);
  expect([status, body]).toEqual([422, { detail: [{ field, msg }] }]);
});

test('a deleted template is gone', async () => {
  const { body } = await save();
  const deleted = await ask('DELETE', `/${body.id}`);
  expect([deleted.status, deleted.body]).toEqual([204, null]);
  expect((await ask('GET', `/${body.id}`)).status).toBe(404);
  expect((await ask('DELETE', `/${body.id}`)).status).toBe(404);
});

test('someone else’s, even a public one, is exactly like a missing one', async () => {
  const theirs = (await save({}, stranger)).body.id as string;
  await share(theirs, stranger);
  for (const [method, change] of [
    ['GET', undefined],
    ['PUT', { name: 'mine' }],
    ['PUT', {}],
    ['DELETE', undefined],
  ] as const) {
    const [foreign, missing] = [
      await ask(method, `/${theirs}`, change),
      await ask(method, `/${randomUUID()}`, change),
    ];
    expect([foreign.status, foreign.body]).toEqual([404, { detail: 'Template not found' }]);
    expect([missing.status, missing.body]).toEqual([foreign.status, foreign.body]);
    expect([...missing.headers.keys()]).toEqual([...foreign.headers.keys()]);
  }
  expect((await ask('GET', `/${theirs}`, undefined, stranger)).body.name).toBe('T');
});

test.each(['GET', 'PUT', 'DELETE'])('%s of what is no id is 422 on the path', async (method) => {
  const { status, body } = await ask(method, '/no-id', method === 'PUT' ? {} : undefined);
  expect([status, body]).toEqual([
    422,
    { detail: [{ field: 'path.template_id', msg: 'Input should be a valid UUID' }] },
  ]);
});

test('without signing in there is nothing to see', async () => {
  const id = randomUUID();
  for (const [method, path] of [
    ['POST', '/templates'],
    ['GET', '/templates'],
    ['GET', '/templates/shared'],
    ['GET', `/templates/${id}`],
    ['PUT', `/templates/${id}`],
    ['DELETE', `/templates/${id}`],
    ['POST', `/templates/${id}/fork`],
  ] as const) {
    expect((await api.send(method, path)).status).toBe(401);
  }
});

describe('the shared list', () => {
  const shared = async () => (await ask('GET', '/shared')).body as { id: string }[];

  test('holds the public templates of all users, the latest change first', async () => {
    const mine = (await save()).body.id as string;
    const theirs = (await save({}, stranger)).body.id as string;
    const hidden = (await save({}, stranger)).body.id as string;
    await share(theirs, stranger);
    await share(mine);
    const found = ids(await shared()).filter((id) => [mine, theirs, hidden].includes(id));
    expect(found).toEqual([mine, theirs]);
    await ask('PUT', `/${mine}`, { is_public: false });
    expect(ids(await shared())).not.toContain(mine);
  });

  test('ends after 50, and shows no owner and no document', async () => {
    const others = [await api.register(), await api.register()];
    for (const other of others) {
      const rows = Array.from({ length: 30 }, () => ({
        ...{ id: randomUUID(), userId: other.id, name: 'P', isPublic: true },
        ...{ graphData: '{}', designData: '{}' },
      }));
      await api.db.insertInto('pipelineTemplates').values(rows).execute();
    }
    const list = await shared();
    expect(list).toHaveLength(50);
    expect(Object.keys(list[0] ?? {})).not.toContain('user_id');
    expect(Object.keys(list[0] ?? {})).not.toContain('graph_data');
  });
});

describe('a fork', () => {
  const fork = (id: string, by?: Person) => ask('POST', `/${id}/fork`, undefined, by);

  test('is a private copy of a public template; its source stays as it was', async () => {
    const source = '{"name":"원본","description":"d","graph_data":{"n":1.0},"design_data":{"b":2}}';
    const { body } = await ask('POST', '', source, stranger);
    const before = (await share(body.id, stranger)).body;
    const copy = await fork(body.id);
    expect(copy.status).toBe(201);
    expect(copy.body).toMatchObject({
      name: '원본 (fork)',
      description: 'd',
      is_public: false,
      graph_data: { n: 1 },
      design_data: { b: 2 },
    });
    expect(copy.body.id).not.toBe(body.id);
    expect(ids((await ask('GET')).body)).toEqual([copy.body.id]);
    expect((await ask('GET', `/${body.id}`, undefined, stranger)).body).toEqual(before);
  });

  test('of an own public template is a second one', async () => {
    const { body } = await save({ name: 'mine' });
    await share(body.id);
    expect((await fork(body.id)).body.name).toBe('mine (fork)');
  });

  test('has a name of 255 characters at most, with its mark', async () => {
    const { body } = await save({ name: '🙂'.repeat(255) }, stranger);
    await share(body.id, stranger);
    const copy = await fork(body.id);
    expect(copy.status).toBe(201);
    expect(Array.from(copy.body.name)).toHaveLength(255);
    expect(copy.body.name).toMatch(/🙂 \(fork\)$/u);
  });

  test('needs a public source, even of an own one', async () => {
    const own = await save();
    const theirs = await save({}, stranger);
    for (const id of [own.body.id, theirs.body.id, randomUUID()]) {
      const { status, body } = await fork(id);
      expect([status, body]).toEqual([404, { detail: 'Template not found' }]);
    }
    expect((await fork('no-id')).status).toBe(422);
  });
});

describe('the limit of 50', () => {
  const fill = async (count: number) => {
    const rows = Array.from({ length: count }, () => ({
      ...{ id: randomUUID(), userId: person.id, name: 'F', graphData: '{}', designData: '{}' },
    }));
    await api.db.insertInto('pipelineTemplates').values(rows).execute();
  };

  test('refuses one more, saved or forked, and says the number', async () => {
    await fill(50);
    const { body: source } = await save({}, stranger);
    await share(source.id, stranger);
    for (const answer of [await save(), await ask('POST', `/${source.id}/fork`)]) {
      expect([answer.status, answer.body]).toEqual([
        400,
        { detail: 'Template limit reached (max 50)' },
      ]);
    }
    const [first] = (await ask('GET')).body;
    await ask('DELETE', `/${first.id}`);
    expect((await save()).status).toBe(201);
    expect((await save({}, stranger)).status).toBe(201);
  });

  test('is exact when saves and forks come all at once', async () => {
    await fill(40);
    const { body: source } = await save({}, stranger);
    await share(source.id, stranger);
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        at % 2 === 0 ? save() : ask('POST', `/${source.id}/fork`),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(10);
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(30);
    expect((await ask('GET')).body).toHaveLength(50);
  });
});

describe('running a stored template', () => {
  test('names the field of design_data that is no design', async () => {
    const agents = [{ name: 'a', role: 'analyzer', llm_model: 'gpt-4o' }];
    const { body } = await save({ design_data: { name: 'D', description: '', agents } });
    const answer = await api.send('POST', '/pipelines/execute-direct', {
      token: person.token,
      body: { template_id: body.id },
    });
    expect([answer.status, answer.body.detail]).toEqual([
      422,
      [{ field: 'design_data.agents.0.description', msg: 'Field required' }],
    ]);
  });
});

test('a path that is spelt out is no id: "shared" cannot be changed or deleted', async () => {
  const { token } = await api.register();
  for (const method of ['PUT', 'DELETE']) {
    const answer = await api.send(method, '/templates/shared', { token });
    expect([answer.status, answer.body]).toEqual([405, { detail: 'Method Not Allowed' }]);
    expect(answer.headers.get('allow')).toBe('HEAD, GET');
  }
});
