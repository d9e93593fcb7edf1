import { randomUUID } from 'node:crypto';
import { createLeases } from '../../api/socket/leases.js';
import { connectDb } from '../../db/connect.js';
import { connectRedis } from '../../events/redis.js';
import { silentLogger, type Logger } from '../../telemetry/logger.js';
import {
  createConversationWithToken,
  startGateway,
  type Gateway,
  type DiscussionState,
} from '../support/chat-server.js';
import { openPageChat } from '../support/browser.js';
import { connectChat, opened, type ChatClient } from '../support/chat-client.js';
import { createTestDb, testServers, type TestDb } from '../support/servers.js';
import { startProxyOf } from '../support/server-proxies.js';
import { until } from '../support/until.js';
import { startRedisProxy } from '../support/redis.js';

let testDb: TestDb;
let gateway: Gateway;
const clients: ChatClient[] = [];
const more: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  testDb = await createTestDb();
  gateway = await startGateway(testDb.db);
});
afterEach(async () => {
  clients.splice(0).forEach(({ socket }) => {
    socket.terminate();
  });
  await Promise.all(more.splice(0).map((each) => each.close()));
});
afterAll(async () => {
  await gateway.close();
  await testDb.drop();
});

/** Such a client learns why it is refused. */
const ASKS_FOR_EVENTS = '&events=extended';

function recordingLogger() {
  const lines: object[] = [];
  const info: Logger['info'] = (event, fields) => lines.push({ event, ...fields });
  return { lines, logger: { ...silentLogger, info } };
}

function connect(
  state: DiscussionState,
  options: { query?: string; at?: Gateway } = {},
): ChatClient {
  const client = connectChat((options.at ?? gateway).url(state, options.query ?? ASKS_FOR_EVENTS));
  clients.push(client);
  return client;
}

/** Tries for one more connection. @returns whether there are `count` now */
async function isTaken(state: DiscussionState, at: Gateway, count: number): Promise<boolean> {
  const { socket } = connect(state, { at });
  let isRefused = false;
  socket.once('close', () => (isRefused = true));
  await until('it is decided', () => isRefused || at.connected() === count);
  return !isRefused;
}

interface Refusal {
  readonly what: string;
  readonly change?: (state: DiscussionState) => Partial<DiscussionState>;
  readonly query?: string;
  readonly reason: string;
  /** In the log and the metric. */
  readonly label: string;
}

const refusals: readonly Refusal[] = [
  {
    what: 'an id that is no uuid',
    change: () => ({ id: 'x' }),
    reason: 'validation error',
    label: 'malformed',
  },
  {
    what: 'a malformed `after`',
    query: '&after=-1',
    reason: 'validation error',
    label: 'malformed',
  },
  {
    what: 'no token',
    change: () => ({ token: '' }),
    reason: 'missing authentication token',
    label: 'no-token',
  },
  {
    what: 'a token that does not decode',
    change: () => ({ token: 'nonsense' }),
    reason: 'Invalid token',
    label: 'bad-token',
  },
  {
    what: 'a refresh token',
    change: ({ userId }) => ({ token: `refresh:${userId}` }),
    reason: 'Invalid token type',
    label: 'bad-token',
  },
  {
    what: 'a missing conversation',
    change: () => ({ id: randomUUID() }),
    reason: 'conversation not found or access denied',
    label: 'not-found',
  },
];

describe.each(refusals)('$what', ({ change, query = '', reason, label }) => {
  const changed = async () => {
    const state = await createConversationWithToken(testDb.db);
    return { ...state, ...change?.(state) };
  };

  test('gets one `error` event and is closed with 1008 where `events` are asked for', async () => {
    const client = connect(await changed(), { query: `${query}${ASKS_FOR_EVENTS}` });
    expect(await client.closed()).toEqual({ code: 1008, reason });
    expect(client.frames).toEqual([
      { type: 'error', content: reason, code: 1008, timestamp: expect.any(String) },
    ]);
  });

  test('gets 403 at the upgrade where they are not', async () => {
    const client = connect(await changed(), { query });
    expect(await client.refused()).toEqual({
      status: 403,
      body: JSON.stringify({ detail: reason }),
    });
    expect((await client.closed()).code).toBe(1006);
  });

  test('is a line of the log and a count of the metric, without the token', async () => {
    const { logger, lines } = recordingLogger();
    const at = await startGateway(testDb.db, { logger });
    more.push(at);
    await connect(await changed(), { at, query }).refused();
    expect(at.refusals).toEqual([label]);
    expect(lines).toMatchObject([{ event: 'socket refused', reason: label }]);
    expect(JSON.stringify(lines)).not.toContain('token=');
  });
});

test('a foreign conversation is refused with the words for a missing one', async () => {
  const [mine, foreign] = [
    await createConversationWithToken(testDb.db),
    await createConversationWithToken(testDb.db),
  ];
  const client = connect({ ...foreign, token: mine.token });
  expect(await client.closed()).toEqual({
    code: 1008,
    reason: 'conversation not found or access denied',
  });
});

test('the checks come in order: a bad id before a missing token, a token before its conversation', async () => {
  const first = connect({ id: 'nonsense', token: '', userId: '' });
  expect((await first.closed()).reason).toBe('validation error');
  const second = connect({ id: randomUUID(), token: 'nonsense', userId: '' });
  expect((await second.closed()).reason).toBe('Invalid token');
});

test('an ownership check that fails closes with 1008 and says so', async () => {
  const proxy = await startProxyOf('postgres');
  more.push(proxy);
  const url = new URL(testDb.url);
  url.port = String(proxy.port);
  const db = connectDb({ url: url.href, poolSize: 2, applicationName: 'test' });
  const state = await createConversationWithToken(testDb.db);
  const at = await startGateway(db);
  more.push(at);
  await proxy.cut();
  expect(await connect(state, { at }).closed()).toEqual({
    code: 1008,
    reason: 'access verification failed',
  });
  await db.destroy();
});

test('a free user has two connections over all conversations and gateways; a third gets 1013', async () => {
  const state = await createConversationWithToken(testDb.db, 'free');
  const other = await createConversationWithToken(testDb.db, 'free', state.userId);
  const second = await startGateway(testDb.db);
  more.push(second);
  const kept = [await opened(connect(state)), await opened(connect(other, { at: second }))];
  expect(await connect(state).closed()).toEqual({
    code: 1013,
    reason: 'too many concurrent connections',
  });
  expect((await connect(state, { at: second }).closed()).code).toBe(1013);
  kept[0]?.socket.close();
  await kept[0]?.closed();
  await until('the place is free again', () => isTaken(state, second, 2));
});

test('a client without `events` that has no place left gets 403, and 1013 is counted as such', async () => {
  const state = await createConversationWithToken(testDb.db, 'free');
  await Promise.all([connect(state), connect(state)].map(opened));
  const { status, body } = await connect(state, { query: '' }).refused();
  expect([status, body]).toEqual([403, '{"detail":"too many concurrent connections"}']);
  expect(gateway.refusals.at(-1)).toBe('too-many-connections');
});

test('the existing front end tries five times again, then stops', async () => {
  const stranger = await createConversationWithToken(testDb.db);
  const state = await createConversationWithToken(testDb.db);
  const { logger, lines } = recordingLogger();
  const at = await startGateway(testDb.db, { logger });
  more.push(at);
  const chat = openPageChat(() => at.url({ ...state, token: stranger.token }), state.id, 10);
  await until('it has given up', () => chat.hasGivenUp());
  expect(chat.events).toEqual([]);
  expect(chat.refusals).toEqual([403, 403, 403, 403, 403, 403]);
  expect(lines).toHaveLength(6);
  expect(at.refusals).toEqual(Array.from({ length: 6 }, () => 'not-found'));
});

test('an administrator has as many connections as wanted', async () => {
  const state = await createConversationWithToken(testDb.db, 'admin');
  const many = Array.from({ length: 12 }, () => connect(state));
  await Promise.all(many.map(opened));
  await until('all are counted', () => gateway.connected() >= 12);
});

test('the role of the database counts, not the one of the token', async () => {
  const state = await createConversationWithToken(testDb.db, 'pro'); // the tokens of these tests all say `free`
  await Promise.all([connect(state), connect(state), connect(state)].map(opened));
});

test('what a killed gateway held is free as soon as it starts again under its name', async () => {
  const state = await createConversationWithToken(testDb.db, 'free');
  const name = `gateway-${randomUUID()}`;
  const killed = await startGateway(testDb.db, { name });
  await Promise.all([connect(state, { at: killed }), connect(state, { at: killed })].map(opened));
  await killed.abandon();
  expect((await connect(state).closed()).code).toBe(1013); // others wait for the leases to run out
  const restarted = await startGateway(testDb.db, { name });
  more.push(restarted);
  await Promise.all(
    [connect(state, { at: restarted }), connect(state, { at: restarted })].map(opened),
  );
  await until('both are counted', () => restarted.connected() === 2);
});

test('leases of a gateway that never comes back run out, renewed ones do not', async () => {
  const state = await createConversationWithToken(testDb.db, 'free');
  const killed = await startGateway(testDb.db, { leaseSeconds: 1 });
  const living = await startGateway(testDb.db, { leaseSeconds: 1 });
  more.push(living);
  await opened(connect(state, { at: living }));
  await opened(connect(state, { at: killed }));
  await killed.abandon();
  await until('one place is free', () => isTaken(state, living, 2));
  expect((await connect(state, { at: living }).closed()).code).toBe(1013);
});

test('while redis is away connections are allowed and counted per process', async () => {
  const { proxy, url: redisUrl } = await startRedisProxy();
  more.push(proxy);
  const at = await startGateway(testDb.db, { redisUrl });
  more.push(at);
  await proxy.cut();
  const state = await createConversationWithToken(testDb.db, 'free');
  await Promise.all([connect(state, { at }), connect(state, { at })].map(opened));
  expect((await connect(state, { at }).closed()).code).toBe(1013);
});

test('while redis is away, twenty at the very same time are counted one after the other', async () => {
  const { redisUrl } = testServers();
  const redis = connectRedis({ url: redisUrl, name: 'test', logger: silentLogger });
  redis.disconnect();
  const leases = createLeases({ redis, leaseSeconds: 30, gateway: 'x', logger: silentLogger });
  const asked = Array.from({ length: 20 }, () => leases.acquire('somebody', 2));
  const granted = (await Promise.all(asked)).filter((lease) => lease !== null);
  expect(granted).toHaveLength(2);
  await leases.close();
});
