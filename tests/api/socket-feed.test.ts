import { createEventSubscriptions } from '../../api/socket/event-subscription.js';
import { appendEvents } from '../../db/events.js';
import type { StreamEvent } from '../../domain/events.js';
import { connectDb } from '../../db/connect.js';
import {
  createConversationWithToken,
  startGateway,
  storeEvents,
  type Gateway,
  type GatewayOptions,
  type DiscussionState,
} from '../support/chat-server.js';
import { silentLogger } from '../../telemetry/logger.js';
import { connectChat, opened, type ChatClient } from '../support/chat-client.js';
import { testDbOfFile } from '../support/servers.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { startRedisProxy, TEST_MACS } from '../support/redis.js';
import { startProxyOf } from '../support/server-proxies.js';

const testDb = testDbOfFile();
const gateways: Gateway[] = [];
const proxies: TcpProxy[] = [];
afterEach(async () => {
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});

async function start(options: GatewayOptions = {}, db = testDb.db): Promise<Gateway> {
  const gateway = await startGateway(db, options);
  gateways.push(gateway);
  return gateway;
}

const join = (gateway: Gateway, state: DiscussionState, query = ''): Promise<ChatClient> =>
  opened(connectChat(gateway.url(state, query)));

async function say(gateway: Gateway, state: DiscussionState, ...contents: string[]): Promise<void> {
  await gateway.bus.publish(state.id, await storeEvents(testDb.db, state, contents));
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test('a stored event reaches the client exactly as stored', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  const client = await join(gateway, state);
  const events = await storeEvents(testDb.db, state, ['careful']);
  await gateway.bus.publish(state.id, events);
  expect(await client.received(1)).toEqual(events);
});

test('without `after` a client gets only what is stored from its connecting on', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  await say(gateway, state, 'old', 'older');
  const client = await join(gateway, state);
  await say(gateway, state, 'new');
  expect((await client.received(1)).map(({ content }) => content)).toEqual(['new']);
});

test('`after` replays what is stored, then goes live without gap or repeat', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  await storeEvents(testDb.db, state, Array<string>(250).fill('stored'));
  const [all, some] = [
    await join(gateway, state, '&after=0'),
    await join(gateway, state, '&after=248&events=extended'),
  ];
  await say(gateway, state, 'live', 'live');
  await all.received(252);
  await some.received(4);
  expect(all.seqs()).toEqual(upTo(252));
  expect(some.seqs()).toEqual([249, 250, 251, 252]);
});

test('where old events are gone, a client that asks for all gets the ones that are left', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  await storeEvents(testDb.db, state, Array<string>(5).fill('stored'));
  await testDb.db
    .deleteFrom('streamEvents')
    .where('streamId', '=', state.id)
    .where('seq', '<', 4)
    .execute();
  const all = await join(gateway, state, '&after=0');
  await all.received(2);
  const some = await join(gateway, state, '&after=4');
  await say(gateway, state, 'live');
  await all.received(3);
  await some.received(2);
  expect([all.seqs(), some.seqs()]).toEqual([
    [4, 5, 6],
    [5, 6],
  ]);
});

test('where all events are gone, a client gets the next one', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  await storeEvents(testDb.db, state, ['one', 'two']);
  await testDb.db.deleteFrom('streamEvents').where('streamId', '=', state.id).execute();
  const client = await join(gateway, state, '&after=0');
  await say(gateway, state, 'three');
  await client.received(1);
  expect(client.seqs()).toEqual([3]);
});

test('an `after` beyond the newest event means: live', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  await say(gateway, state, 'one');
  const client = await join(gateway, state, '&after=99');
  await say(gateway, state, 'two');
  await client.received(1);
  expect(client.seqs()).toEqual([2]);
});

test('all sockets of a conversation, on any process, see the same events in the same order', async () => {
  const [one, two] = [await start(), await start()];
  const state = await createConversationWithToken(testDb.db);
  const clients = await Promise.all([
    join(one, state),
    join(one, state, '&after=0'),
    join(two, state),
    join(two, state),
  ]);
  // many writers publish at once, so that notifications overtake each other
  await Promise.all(
    upTo(60).map((number) => say(number % 2 === 0 ? one : two, state, `event ${number}`)),
  );
  for (const client of clients) {
    await client.received(60);
    expect(client.seqs()).toEqual(upTo(60));
    expect(client.frames).toEqual(clients[0].frames);
  }
});

test('a notification that was lost is made up for by the next one', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  const client = await join(gateway, state);
  await storeEvents(testDb.db, state, ['never published']);
  await say(gateway, state, 'published');
  await client.received(2);
  expect(client.seqs()).toEqual([1, 2]);
});

test('a notification that is repeated or late is not sent twice', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  const client = await join(gateway, state);
  const events = await storeEvents(testDb.db, state, ['one', 'two']);
  await gateway.bus.publish(state.id, events);
  await gateway.bus.publish(state.id, events.slice(0, 1));
  await gateway.bus.publish(state.id, events);
  await say(gateway, state, 'three');
  await client.received(3);
  expect(client.seqs()).toEqual([1, 2, 3]);
});

test('an event whose notification never came is found within seconds', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  const client = await join(gateway, state);
  await storeEvents(testDb.db, state, ['its writer was killed before publishing']);
  await client.received(1);
});

test('events go on while redis is away, and nothing is lost or doubled when it is back', async () => {
  const { proxy, url: redisUrl } = await startRedisProxy();
  proxies.push(proxy);
  const gateway = await start({ redisUrl });
  const state = await createConversationWithToken(testDb.db);
  const client = await join(gateway, state);
  await say(gateway, state, 'before');
  await client.received(1);
  await proxy.cut();
  await until('the outage is noticed', () => !gateway.bus.isAvailable());
  await say(gateway, state, 'during', 'the outage');
  await client.received(3);
  const late = await join(gateway, state, '&after=1');
  await late.received(2);
  await proxy.restore();
  await until('redis is back', () => gateway.bus.isAvailable());
  await say(gateway, state, 'after');
  await client.received(4);
  await late.received(3);
  expect(client.seqs()).toEqual([1, 2, 3, 4]);
  expect(late.seqs()).toEqual([2, 3, 4]);
});

test('while postgresql is away a feed keeps trying, and then goes on where it was', async () => {
  const proxy = await startProxyOf('postgres');
  proxies.push(proxy);
  const url = new URL(testDb.url);
  url.port = String(proxy.port);
  const db = connectDb({ url: url.href, poolSize: 3, applicationName: 'test' });
  const failures: string[] = [];
  const logger = { ...silentLogger, warn: (event: string) => failures.push(event) };
  const gateway = await start({ logger }, db);
  const state = await createConversationWithToken(testDb.db);
  const client = await join(gateway, state);
  await storeEvents(testDb.db, state, ['its hint is lost']);
  await proxy.cut();
  await say(gateway, state, 'seen as a gap');
  await until('reading has failed', () => failures.includes('stream not readable, trying again'));
  expect(client.frames).toEqual([]);
  await proxy.restore();
  await client.received(2);
  expect(client.seqs()).toEqual([1, 2]);
  await gateways.pop()?.close();
  await db.destroy();
});

test('while redis and postgresql are both away, a read fails and is repeated', async () => {
  const { proxy: redis, url: redisUrl } = await startRedisProxy();
  const postgres = await startProxyOf('postgres');
  const url = new URL(testDb.url);
  url.port = String(postgres.port);
  const db = connectDb({ url: url.href, poolSize: 3, applicationName: 'test' });
  const failures: string[] = [];
  const logger = { ...silentLogger, warn: (event: string) => failures.push(event) };
  const gateway = await start({ logger, redisUrl }, db);
  const state = await createConversationWithToken(testDb.db);
  const client = await join(gateway, state);
  await Promise.all([redis.cut(), postgres.cut()]);
  await storeEvents(testDb.db, state, ['meanwhile']);
  await until('asking has failed', () => failures.includes('streams not readable'));
  await postgres.restore();
  await client.received(1);
  expect(client.seqs()).toEqual([1]);
  await gateways.pop()?.close();
  await db.destroy();
  await Promise.all([redis.close(), postgres.close()]);
});

test('a client that comes back with the last seq it has misses nothing, on another process', async () => {
  const [one, two] = [await start(), await start()];
  const state = await createConversationWithToken(testDb.db);
  const first = await join(one, state);
  await say(one, state, 'one', 'two');
  await first.received(2);
  first.socket.terminate();
  await say(two, state, 'three');
  const second = await join(two, state, '&after=2');
  await say(one, state, 'four');
  await second.received(2);
  expect(second.seqs()).toEqual([3, 4]);
});

test('sockets of one conversation share one subscription, and the last one ends it', async () => {
  const subscribed: string[] = [];
  const ended: string[] = [];
  const { bus } = await start();
  const gateway = await start({
    bus: {
      ...bus,
      subscribe: async (streamId, listener) => {
        subscribed.push(streamId);
        const stop = await bus.subscribe(streamId, listener);
        return () => {
          ended.push(streamId);
          stop();
        };
      },
    },
  });
  const state = await createConversationWithToken(testDb.db);
  const clients = [
    await join(gateway, state),
    await join(gateway, state),
    await join(gateway, state),
  ];
  expect(subscribed).toEqual([state.id]);
  for (const client of clients) {
    expect(ended).toEqual([]);
    client.socket.close();
    await client.closed();
  }
  await until('the subscription has ended', () => ended.length === 1);
});

test('a client without room gets nothing more until it asks, and then everything in order', async () => {
  const { bus, redis } = await start();
  const state = await createConversationWithToken(testDb.db);
  const eventSubscriptions = createEventSubscriptions({
    db: testDb.db,
    bus,
    redis,
    macs: TEST_MACS,
    logger: silentLogger,
  });
  const [slow, quick]: [number[], number[]] = [[], []];
  const eventSubscription = eventSubscriptions.open({
    streamId: state.id,
    after: 0,
    onEvent: ({ seq }) => slow.push(seq) % 2 === 0,
  });
  eventSubscriptions.open({
    streamId: state.id,
    after: 0,
    onEvent: ({ seq }) => quick.push(seq) > 0,
  });
  await bus.publish(state.id, await storeEvents(testDb.db, state, Array<string>(5).fill('x')));
  await until('the other one has all', () => quick.length === 5);
  expect(slow).toEqual([1]);
  eventSubscription.wake();
  await until('it got what fits', () => slow.length === 3);
  eventSubscription.wake();
  await until('it got the rest', () => slow.length === 5);
  expect([slow, quick]).toEqual([upTo(5), upTo(5)]);
  eventSubscriptions.close();
});

test('a kind of event that old clients do not know goes only to those who asked for it', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  const [plain, extended] = [
    await join(gateway, state),
    await join(gateway, state, '&events=extended'),
  ];
  const asked = { type: 'approval_requested', content: 'new' } as unknown as StreamEvent;
  const events = await testDb.db.transaction().execute((tx) =>
    appendEvents(tx, {
      streamId: state.id,
      conversationId: state.id,
      steps: [{ stepKey: 'new', event: asked }],
    }),
  );
  await gateway.bus.publish(state.id, events);
  await say(gateway, state, 'known');
  await extended.received(2);
  await plain.received(1);
  expect(extended.seqs()).toEqual([1, 2]);
  expect(plain.seqs()).toEqual([2]);
});
