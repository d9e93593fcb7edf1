/** Sockets of users who are deleted while they are connected. */
import { createCredentialWatch } from '../../api/auth/credential-watch.js';
import { connectDb } from '../../db/connect.js';
import { closeAccount } from '../../db/users/user-deletion.js';
import { silentLogger } from '../../telemetry/logger.js';
import { connectChat, opened } from '../support/chat-client.js';
import {
  createConversationWithToken,
  gatewaysOfTests,
  type GatewayOptions,
} from '../support/chat-server.js';
import { startProxyOf } from '../support/server-proxies.js';
import { testDbOfFile } from '../support/servers.js';
import { until } from '../support/until.js';
import { startRedisProxy } from '../support/redis.js';

const testDb = testDbOfFile();
const startGatewayOfTest = gatewaysOfTests();

const start = (options: GatewayOptions = {}) => startGatewayOfTest(testDb.db, options);

const GONE = { code: 1008, reason: 'user not found' };

test('are closed on every process when the deletion is published; those of others are not', async () => {
  const [one, two] = [await start(), await start()];
  const state = await createConversationWithToken(testDb.db);
  const second = await createConversationWithToken(testDb.db, 'pro', state.userId);
  const others = await createConversationWithToken(testDb.db);
  const theirs = [
    await opened(connectChat(one.url(state))),
    await opened(connectChat(one.url(second))),
    await opened(connectChat(two.url(state))),
  ];
  const other = await opened(connectChat(one.url(others)));
  await closeAccount(testDb.db, state.userId, new Date());
  await one.bus.publishUserGone(state.userId);
  expect(await Promise.all(theirs.map((client) => client.closed()))).toMatchObject([
    GONE,
    GONE,
    GONE,
  ]);
  await until('one is left', () => one.connected() === 1);
  other.send({ content: 'still there?', conversation_id: others.id });
  await until('the other one speaks', () => one.sent.length === 1);
});

test('are closed while Redis is away, by polling', async () => {
  const { proxy, url: redisUrl } = await startRedisProxy();
  const gateway = await start({ redisUrl, watchMs: 50 });
  const state = await createConversationWithToken(testDb.db);
  const client = await opened(connectChat(gateway.url(state)));
  await proxy.cut();
  await until('redis is away', () => !gateway.bus.isAvailable());
  await closeAccount(testDb.db, state.userId, new Date());
  expect(await client.closed()).toMatchObject(GONE);
  await proxy.close();
});

test('are closed when PostgreSQL is back, if it was away meanwhile', async () => {
  const proxy = await startProxyOf('postgres');
  const url = new URL(testDb.url);
  url.port = String(proxy.port);
  const db = connectDb({ url: url.href, applicationName: 'test', poolSize: 2 });
  const warnings: string[] = [];
  const gone: string[] = [];
  const { userId } = await createConversationWithToken(testDb.db);
  await closeAccount(testDb.db, userId, new Date());
  await proxy.cut();
  const watch = createCredentialWatch({
    db,
    bus: { onUserGone: () => Promise.resolve(() => undefined) },
    logger: { ...silentLogger, warn: (event) => warnings.push(event) },
    everyMs: 20,
  });
  watch.add({
    credential: { userId, sessionId: null, apiKeyId: null, issuedAt: new Date() },
    onEnded: () => gone.push(userId),
    onUser: () => undefined,
  });
  await until('it is logged', () => warnings.includes('credentials not checked, asking again'));
  expect(gone).toEqual([]);
  await proxy.restore();
  await until('it is noticed', () => gone.includes(userId));
  watch.close();
  await db.destroy();
  await proxy.close();
});

test('are ended where the client never answers the close', async () => {
  const gateway = await start({ limits: { closeTimeoutMs: 50 } });
  const state = await createConversationWithToken(testDb.db);
  const client = await opened(connectChat(gateway.url(state)));
  client.socket.pause();
  await closeAccount(testDb.db, state.userId, new Date());
  await gateway.bus.publishUserGone(state.userId);
  await until('no client is connected', () => gateway.connected() === 0);
  client.socket.terminate();
});

test('forget what they have taken and not sent on', async () => {
  const { promise: held, resolve: letGo } = Promise.withResolvers<undefined>();
  const offered: string[] = [];
  const gateway = await start({
    sendMessage: async ({ content }) => {
      offered.push(content);
      await held;
    },
  });
  const state = await createConversationWithToken(testDb.db);
  const client = await opened(connectChat(gateway.url(state)));
  for (const content of ['first', 'second', 'third']) {
    client.send({ content, conversation_id: state.id });
  }
  await until('the first one is on its way', () => offered.length === 1);
  await closeAccount(testDb.db, state.userId, new Date());
  await gateway.bus.publishUserGone(state.userId);
  await client.closed();
  letGo(undefined);
  await until('no client is connected', () => gateway.connected() === 0);
  expect(offered).toEqual(['first']);
});

test('are not opened any more', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  await closeAccount(testDb.db, state.userId, new Date());
  expect(await connectChat(gateway.url(state, '&events=basic')).closed()).toMatchObject({
    code: 1008,
    reason: 'conversation not found or access denied',
  });
});
