/**
 * A caller cannot distinguish what is another user's from what is missing: not by the answer, and not by its
 * time, since the same statements are executed for both.
 */
import { USUAL_QUIRKS } from '../../domain/agents/endpoints.js';
import type { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { createWorkflows } from '../../api/runs/workflows.js';
import { connectDb, type Db } from '../../db/connect.js';
import { createBus, type Bus } from '../../events/bus.js';
import { connectRedis } from '../../events/redis.js';
import { silentLogger } from '../../telemetry/logger.js';
import { connectTemporal, type TemporalClient } from '../../temporal/connection.js';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';
import { connectChat } from '../support/chat-client.js';
import { startGateway, type Gateway } from '../support/chat-server.js';
import { designOf } from '../support/designs.js';
import { admittedRun, createTestConversation } from '../support/runs.js';
import { TEST_MACS } from '../support/redis.js';
import { createTestDb, testServers, type TestDb } from '../support/servers.js';

let testDb: TestDb;
let watched: Db;
let bus: Bus;
let redis: Redis;
let temporal: TemporalClient;
let api: ApiServer;
let gateway: Gateway;
let owner: Person;
let stranger: Person;
const statements: string[] = [];

beforeAll(async () => {
  testDb = await createTestDb();
  watched = connectDb({
    url: testDb.url,
    poolSize: 5,
    applicationName: 'test',
    onStatement: (statement) => statements.push(statement),
  });
  const servers = testServers();
  const { redisUrl } = servers;
  bus = createBus({ redisUrl, logger: silentLogger, macs: TEST_MACS });
  redis = connectRedis({ url: redisUrl, name: 'test', logger: silentLogger });
  temporal = await connectTemporal(
    {
      address: servers.temporalAddress,
      namespace: servers.temporalNamespace,
      apiKey: null,
      tls: null,
    },
    [Buffer.alloc(32)],
  );
  const workflows = createWorkflows({
    db: watched,
    bus,
    redis,
    temporal: {
      client: temporal.client,
      taskQueue: 'no-worker',
      limits: { idleMs: 1_000, maxHistoryEvents: 200 },
    },
    keySources: { serverKeys: true, simulated: true, readableSeals: [] },
    logger: silentLogger,
    stopping: new AbortController().signal,
  });
  api = await startApiServer({ deps: { db: watched, workflows } });
  gateway = await startGateway(watched, { readAccess: api.tokens.readAccess });
  owner = await api.register();
  stranger = await api.register();
});
afterAll(async () => {
  await gateway.close();
  await api.close();
  await temporal.close();
  await bus.close();
  redis.disconnect();
  await watched.destroy();
  await testDb.drop();
});

/** Something of a user's. @returns its id */
type Make = (userId: string) => Promise<string>;

const aConversation: Make = (userId) => createTestConversation(testDb.db, userId);

/** Under the same id as its conversation, so that both are asked for. */
const anArchive: Make = async (userId) => {
  const conversationId = await aConversation(userId);
  const bytes = Buffer.alloc(1);
  const sealed = { head: 'h', bundle: bytes, nonce: bytes, sealedBy: 'no-key' };
  const archive = { ...sealed, id: conversationId, conversationId };
  await testDb.db.insertInto('archives').values(archive).execute();
  return conversationId;
};

const aTemplate =
  (isPublic: boolean): Make =>
  async (userId) => {
    const id = randomUUID();
    const template = { id, userId, name: 'T', isPublic, graphData: '{}', designData: '{}' };
    await testDb.db.insertInto('pipelineTemplates').values(template).execute();
    return id;
  };

const anApiKey: Make = async (userId) => {
  const id = randomUUID();
  const key = { id, userId, name: 'k', keyHash: randomUUID(), keyPrefix: 'sk-0' };
  await testDb.db.insertInto('apiKeys').values(key).execute();
  return id;
};

const anLlmKey: Make = async (userId) => {
  const id = randomUUID();
  await testDb.db.deleteFrom('userLlmKeys').where('userId', '=', userId).execute();
  await testDb.db
    .insertInto('userLlmKeys')
    .values({
      id,
      userId,
      provider: 'openai',
      encryptedKey: Buffer.from('sealed'),
      nonce: Buffer.alloc(12),
      keyPrefix: 'sk-0',
      sealedBy: 'no-key',
      isValid: true,
    })
    .execute();
  return id;
};

const anEndpoint: Make = async (userId) => {
  const id = randomUUID();
  await testDb.db.deleteFrom('modelEndpoints').where('userId', '=', userId).execute();
  await testDb.db
    .insertInto('modelEndpoints')
    .values({
      ...{ id, userId, name: 'own', baseUrl: 'https://example.com/v1' },
      ...{ models: '[]', quirks: JSON.stringify(USUAL_QUIRKS) },
    })
    .execute();
  return id;
};

const aRun =
  (status: 'pending' | 'completed'): Make =>
  async (userId) => {
    const { db } = testDb;
    await db.deleteFrom('pipelineExecutions').where('userId', '=', userId).execute();
    const id = await admittedRun(db, { userId, design: designOf(['a']) }, new Date());
    if (status === 'completed') {
      const ended = { status, holdsSlot: false, result: JSON.stringify({ output: 'secret' }) };
      await db.updateTable('pipelineExecutions').set(ended).where('id', '=', id).execute();
    }
    return id;
  };

interface Case {
  /** As the API's description names it, below `/api/v1`. */
  readonly route: string;
  readonly make: Make;
  readonly what: string;
  /** Where the id is in the body. */
  readonly bodyOf?: (id: string) => object;
  readonly detail: string;
  readonly malformed: { readonly status: number; readonly field?: string };
}

const TEMPLATE = 'Template not found';
const RUN = 'Pipeline run not found';
const inPath = (name: string) => ({ status: 422, field: `path.${name}` });
const ofTemplate = { detail: TEMPLATE, malformed: inPath('template_id') };
const ofRun = { detail: RUN, malformed: { status: 404 } };
const templates = [
  { what: 'a private template', make: aTemplate(false) },
  { what: 'a public template', make: aTemplate(true) },
];
const runs = [
  { what: 'a run under way', make: aRun('pending') },
  { what: 'an ended run', make: aRun('completed') },
];

const CASES: readonly Case[] = [
  {
    route: 'GET /conversations/{conversation_id}',
    what: 'a conversation',
    make: aConversation,
    detail: 'Conversation not found',
    malformed: inPath('conversation_id'),
  },
  {
    route: 'GET /conversations/{conversation_id}/messages',
    what: 'a conversation',
    make: aConversation,
    detail: 'Conversation not found',
    malformed: inPath('conversation_id'),
  },
  {
    route: 'GET /conversations/{conversation_id}/audit',
    what: 'a conversation',
    make: aConversation,
    detail: 'Conversation not found',
    malformed: inPath('conversation_id'),
  },
  {
    route: 'GET /conversations/{conversation_id}/audit/{run_id}',
    what: 'an archive of a conversation',
    make: anArchive,
    detail: 'Archive not found',
    malformed: inPath('conversation_id'),
  },
  {
    route: 'POST /pipelines/execute',
    what: 'a conversation',
    make: aConversation,
    bodyOf: (id) => ({ conversation_id: id }),
    detail: 'Conversation not found',
    malformed: { status: 422, field: 'conversation_id' },
  },
  ...templates.flatMap((template) => [
    { route: 'GET /templates/{template_id}', ...template, ...ofTemplate },
    { route: 'DELETE /templates/{template_id}', ...template, ...ofTemplate },
    {
      route: 'PUT /templates/{template_id}',
      bodyOf: () => ({ name: 'Mine now', is_public: true }),
      ...template,
      ...ofTemplate,
    },
  ]),
  {
    route: 'POST /templates/{template_id}/fork',
    what: 'a private template',
    make: aTemplate(false),
    ...ofTemplate,
  },
  {
    route: 'POST /pipelines/execute-direct',
    what: 'a private template',
    make: aTemplate(false),
    bodyOf: (id) => ({ template_id: id }),
    detail: TEMPLATE,
    malformed: { status: 422, field: 'template_id' },
  },
  ...runs.flatMap((run) => [
    { route: 'GET /pipelines/{pipeline_id}/status', ...run, ...ofRun },
    { route: 'GET /pipelines/{pipeline_id}/result', ...run, ...ofRun },
    { route: 'GET /pipelines/{pipeline_id}/events', ...run, ...ofRun },
    { route: 'GET /pipelines/{pipeline_id}/audit', ...run, ...ofRun },
    { route: 'POST /pipelines/{pipeline_id}/cancel', ...run, ...ofRun },
    { route: 'POST /pipelines/{pipeline_id}/pause', ...run, ...ofRun },
    { route: 'POST /pipelines/{pipeline_id}/resume', ...run, ...ofRun },
    { route: 'GET /pipelines/{pipeline_id}/approvals', ...run, ...ofRun },
    {
      route: 'POST /pipelines/{pipeline_id}/approvals/{node}',
      bodyOf: () => ({ decision: 'approve' }),
      ...run,
      ...ofRun,
    },
    { route: 'POST /pipelines/{pipeline_id}/rerun', bodyOf: () => ({}), ...run, ...ofRun },
    { route: 'GET /pipelines/{pipeline_id}/compare/{other}', ...run, ...ofRun },
  ]),
  {
    route: 'DELETE /api-keys/{key_id}',
    what: 'an API key',
    make: anApiKey,
    detail: 'API key not found',
    malformed: inPath('key_id'),
  },
  {
    route: 'DELETE /llm-keys/{key_id}',
    what: 'a vendor key',
    make: anLlmKey,
    detail: 'LLM key not found',
    malformed: inPath('key_id'),
  },
  {
    route: 'POST /llm-keys/{key_id}/validate',
    what: 'a vendor key',
    make: anLlmKey,
    detail: 'LLM key not found',
    malformed: inPath('key_id'),
  },
  ...['DELETE /model-endpoints/{endpoint_id}', 'POST /model-endpoints/{endpoint_id}/check'].map(
    (route) => ({
      ...{ route, what: 'a model endpoint', make: anEndpoint },
      ...{ detail: 'Model endpoint not found', malformed: inPath('endpoint_id') },
    }),
  ),
];

/** Everything the caller could see, and the statements that found the answer. */
async function ask({ route, bodyOf }: Case, id: string, person = stranger) {
  const [method = '', path = ''] = route.split(' ');
  statements.length = 0;
  const { status, body, headers } = await api.send(method, path.replace(/\{\w+\}/g, id), {
    token: person.token,
    ...(bodyOf === undefined ? {} : { body: bodyOf(id) }),
  });
  const seen = new Map(headers);
  seen.delete('date');
  seen.delete('x-request-id');
  return { status, body, headers: seen, statements: [...statements] };
}

describe.each(CASES)('$route of $what', (it) => {
  test('is the same for a missing and for a foreign one, statement by statement', async () => {
    const foreign = await it.make(owner.id);
    const [ofForeign, ofMissing] = [await ask(it, foreign), await ask(it, randomUUID())];
    expect(ofForeign).toMatchObject({ status: 404, body: { detail: it.detail } });
    expect(ofForeign).toEqual(ofMissing);
    expect(ofForeign.statements.length).toBeGreaterThan(1); // the caller, and the object
  });

  test('a malformed id is refused without a query', async () => {
    const { status, field } = it.malformed;
    for (const id of ['42', `${randomUUID()}0`, '%27%20or%201=1', '%00', '{}']) {
      const answer = await ask(it, id);
      const detail = field === undefined ? it.detail : [expect.objectContaining({ field })];
      expect(answer).toMatchObject({ status, body: { detail } });
      expect(answer.statements).toHaveLength(1); // the caller
    }
  });

  test('leaves another user’s data as it was', async () => {
    const foreign = await it.make(owner.id);
    const before = await everythingOf(owner);
    await ask(it, foreign);
    expect(await everythingOf(owner)).toEqual(before);
  });
});

async function everythingOf({ id }: Person): Promise<unknown> {
  const { db } = testDb;
  return Promise.all([
    db.selectFrom('conversations').selectAll().where('userId', '=', id).orderBy('id').execute(),
    db.selectFrom('pipelineTemplates').selectAll().where('userId', '=', id).orderBy('id').execute(),
    db.selectFrom('apiKeys').selectAll().where('userId', '=', id).orderBy('id').execute(),
    db.selectFrom('userLlmKeys').selectAll().where('userId', '=', id).orderBy('id').execute(),
    db.selectFrom('modelEndpoints').selectAll().where('userId', '=', id).orderBy('id').execute(),
    db.selectFrom('pipelineExecutions').selectAll().where('userId', '=', id).execute(),
  ]);
}

test('no route with an id is left out', async () => {
  const { paths } = (await (await api.request('/openapi.json')).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const withId = Object.entries(paths)
    .filter(([path]) => path.includes('{'))
    .flatMap(([path, operations]) =>
      Object.keys(operations).map(
        (method) => `${method.toUpperCase()} ${path.replace('/api/v1', '')}`,
      ),
    );
  const covered = new Set(CASES.map(({ route }) => route));
  expect(withId.filter((route) => !covered.has(route))).toEqual([
    'PUT /auth/users/{user_id}/role',
    'PUT /auth/users/{user_id}/budget',
    'DELETE /auth/users/{user_id}',
    'GET /audit/tombstones/{head}', // it names no owner any more
    'POST /admin/users/{user_id}/disable',
    'POST /admin/users/{user_id}/enable',
    'POST /admin/users/{user_id}/approve',
    'POST /admin/runs/{run_id}/release',
  ]);
});

describe.each([
  ['PUT /auth/users/{user_id}/role', { role: 'pro' }],
  ['PUT /auth/users/{user_id}/budget', { daily_budget_usd: 1 }],
  ['DELETE /auth/users/{user_id}', null],
  ['POST /admin/users/{user_id}/disable', { reason: 'x' }],
  ['POST /admin/users/{user_id}/enable', null],
  ['POST /admin/users/{user_id}/approve', null],
  ['POST /admin/runs/{run_id}/release', null],
])('%s', (route, body) => {
  const orderOfAdmin: Case = {
    route,
    what: 'a user',
    make: () => Promise.resolve(owner.id),
    ...(body === null ? {} : { bodyOf: () => body }),
    detail: 'User not found',
    malformed: inPath('user_id'),
  };

  test('tells other users nothing, not even that an id is malformed', async () => {
    const refused = await ask(orderOfAdmin, owner.id);
    expect(refused).toMatchObject({ status: 403, body: { detail: 'Insufficient permissions' } });
    expect(await ask(orderOfAdmin, randomUUID())).toEqual(refused);
    expect(await ask(orderOfAdmin, '42')).toEqual(refused);
  });
});

describe('the public template of another user', () => {
  test('can be copied, and nothing more', async () => {
    const id = await aTemplate(true)(owner.id);
    const { status, body } = await api.send('POST', `/templates/${id}/fork`, {
      token: stranger.token,
    });
    expect([status, body.is_public]).toEqual([201, false]);
    expect(body.id).not.toBe(id);
  });
});

describe('the socket', () => {
  async function connect(id: string) {
    const state = { id, userId: stranger.id, token: stranger.token };
    const refused = await connectChat(gateway.url(state)).refused();
    statements.length = 0;
    const chat = connectChat(gateway.url(state, '&events=basic'));
    const closed = await chat.closed();
    const frames = chat.frames.map(({ timestamp: _, ...frame }) => frame);
    return { refused, ...closed, statements: [...statements], frames };
  }

  test('closes alike for a missing and for a foreign conversation', async () => {
    const foreign = await connect(await aConversation(owner.id));
    const missing = await connect(randomUUID());
    expect(foreign).toMatchObject({
      code: 1008,
      reason: 'conversation not found or access denied',
    });
    expect(foreign).toEqual(missing);
    expect(foreign.statements).toHaveLength(2); // the session, then the conversation
  });

  test('closes for a malformed one without a query', async () => {
    expect(await connect('42')).toMatchObject({ code: 1008, statements: [] });
  });
});
