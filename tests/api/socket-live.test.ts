/** Live text of agents at work reaches clients that asked for extended events, and no others. */
import { createEventSubscriptions } from '../../api/socket/event-subscription.js';
import type { ClientEvent } from '../../domain/events.js';
import { liveChannelOf } from '../../events/live-messages.js';
import { silentLogger } from '../../telemetry/logger.js';
import { connectChat, opened, type ChatClient, type ClientFrame } from '../support/chat-client.js';
import {
  createConversationWithToken,
  startGateway,
  storeEvents,
  type Gateway,
  type GatewayOptions,
  type DiscussionState,
} from '../support/chat-server.js';
import { startLiveRun, type LiveRun } from '../support/live-runs.js';
import { testDbOfFile } from '../support/servers.js';
import { until } from '../support/until.js';
import { startRedisProxy, TEST_MACS } from '../support/redis.js';

const testDb = testDbOfFile();
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const part of open.splice(0).reverse()) {
    await part.close();
  }
});

async function start(options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = await startGateway(testDb.db, options);
  open.push(gateway);
  return gateway;
}

interface Scene {
  readonly gateway: Gateway;
  readonly talk: DiscussionState;
  readonly run: LiveRun;
}

async function setScene(): Promise<Scene> {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  const run = await startLiveRun({ db: testDb.db, ...gateway, ...ownerOf(state) });
  return { gateway, talk: state, run };
}

const ownerOf = ({ userId, id }: DiscussionState) => ({ userId, conversationId: id });
const join = ({ gateway, talk: state }: Omit<Scene, 'run'>, query = '&events=extended') =>
  opened(connectChat(gateway.url(state, query)));

const ofType = (client: ChatClient, type: string): readonly ClientFrame[] =>
  client.frames.filter((frame) => frame.type === type);

/** The text of an agent's last reply, if each piece begins where the one before ended. */
function textOf(frames: readonly ClientFrame[], node = 'a'): string {
  const deltas = frames.filter((frame) => frame.type === 'agent_delta' && frame['node'] === node);
  const last = deltas.at(-1)?.['reply'];
  let text = '';
  for (const delta of deltas.filter(({ reply }) => reply === last)) {
    expect(delta['offset']).toBe(text.length);
    text += String(delta['text']);
  }
  return text;
}

const shows = (client: ChatClient, text: string, node?: string) =>
  until(`"${text}" is shown`, () => textOf(client.frames, node) === text);

test('an extended client sees an agent begin, its reply in order, and then its end', async () => {
  const scene = await setScene();
  const [client, plain] = [await join(scene), await join(scene, '')];
  const { run } = scene;
  const agent = run.agent('a');
  await until('its start', () => ofType(client, 'agent_started').length === 1);
  const tell = agent.beginReply();
  tell('one ');
  await shows(client, 'one ');
  tell('two ');
  await shows(client, 'one two ');
  tell('three');
  await agent.end();
  await run.endAgent('a');
  await run.end();
  await until('the result', () => ofType(client, 'pipeline_result').length === 1);
  await plain.received(2);
  expect(client.frames.map(({ type }) => type)).toEqual([
    'agent_started',
    'agent_delta',
    'agent_delta',
    'agent_delta',
    'agent_completed',
    'pipeline_result',
  ]);
  expect(textOf(client.frames)).toBe('one two three');
  const place = { pipeline_id: run.pipelineId, agent_name: 'a', node: 'a' };
  const common = { ...place, timestamp: expect.any(String), conversation_id: scene.talk.id };
  expect(client.frames[0]).toEqual({
    type: 'agent_started',
    ...common,
    role: 'analyzer',
    model: 'gpt-4o-mini',
    attempt: 1,
  });
  expect(client.frames[1]).toEqual({
    type: 'agent_delta',
    ...common,
    reply: expect.any(String),
    offset: 0,
    text: 'one ',
  });
  expect(plain.frames.map(({ type }) => type)).toEqual(['agent_completed', 'pipeline_result']);
});

test('what an agent publishes just before its end is shown before it', async () => {
  const scene = await setScene();
  const client = await join(scene);
  for (const node of ['a', 'b']) {
    const agent = scene.run.agent(node);
    await until('its start', () => client.frames.some((frame) => frame['node'] === node));
    agent.beginReply()(`all of ${node}`);
    await agent.end();
    await scene.run.endAgent(node);
  }
  await until('both ends', () => ofType(client, 'agent_completed').length === 2);
  for (const node of ['a', 'b']) {
    const frames = client.frames.filter((frame) => frame['node'] === node);
    const types = frames.map(({ type }) => type);
    expect(types).toEqual(['agent_started', 'agent_delta', 'agent_completed']);
    expect(textOf(client.frames, node)).toBe(`all of ${node}`);
  }
});

test('a client that comes in the middle, to any process, gets the reply from its start, and goes on', async () => {
  const scene = await setScene();
  const first = await join(scene);
  const agent = scene.run.agent('a');
  const tell = agent.beginReply();
  tell('안녕 🙂 ');
  await shows(first, '안녕 🙂 ');
  const other = { ...scene, gateway: await start() };
  const [late, again] = [await join(other), await join(other, '&after=0&events=extended')];
  await shows(late, '안녕 🙂 ');
  await shows(again, '안녕 🙂 ');
  tell('and on');
  for (const client of [first, late, again]) {
    await shows(client, '안녕 🙂 and on');
    expect(ofType(client, 'agent_started')).toHaveLength(1);
  }
  // what is stored comes first
  expect(again.frames.map(({ type }) => type).slice(0, 2)).toEqual([
    'pipeline_started',
    'agent_started',
  ]);
  await agent.end();
});

test('a piece that was lost on its way is made up for', async () => {
  const scene = await setScene();
  const client = await join(scene);
  const agent = scene.run.agent('a');
  const tell = agent.beginReply();
  tell('one ');
  await shows(client, 'one ');
  const { redis } = scene.gateway;
  const reply = String(ofType(client, 'agent_delta')[0]?.['reply']);
  const append = async (offset: number, text: string): Promise<string> => {
    const message = { pipelineId: scene.run.pipelineId, node: 'a', piece: { reply, offset, text } };
    const signed = TEST_MACS.sign(liveChannelOf(scene.talk.id), JSON.stringify(message));
    await redis.append(keyOfA(scene.run), `\n${signed}`);
    return signed;
  };
  await append(4, 'two '); // and not published
  const told = await append(8, 'three');
  await redis.publish(liveChannelOf(scene.talk.id), told);
  await shows(client, 'one two three');
  await redis.publish(liveChannelOf(scene.talk.id), told); // twice is once
  await append(13, '!');
  await redis.publish(liveChannelOf(scene.talk.id), 'no message of ours'); // means: read
  await shows(client, 'one two three!');
  await agent.end();
});

test('a retry begins anew: another start, another reply from 0', async () => {
  const scene = await setScene();
  const client = await join(scene);
  const lost = scene.run.agent('a');
  lost.beginReply()('from a worker that is killed');
  await shows(client, 'from a worker that is killed');
  const agent = scene.run.agent('a', 2);
  const tell = agent.beginReply();
  tell('first call');
  await shows(client, 'first call');
  agent.beginReply()('fail-over');
  await shows(client, 'fail-over');
  expect(ofType(client, 'agent_started').map((frame) => frame['attempt'])).toEqual([1, 2]);
  const replies = new Set(ofType(client, 'agent_delta').map(({ reply }) => reply));
  expect(replies.size).toBe(3);
  await agent.end();
});

test('after its end nothing of an agent is shown, even if its worker publishes on', async () => {
  const scene = await setScene();
  const { run, talk: state, gateway } = scene;
  const client = await join(scene);
  const zombie = run.agent('a');
  const tell = zombie.beginReply();
  tell('before its end');
  await shows(client, 'before its end');
  await run.endAgent('a'); // by another worker
  await until('its end', () => ofType(client, 'agent_completed').length === 1);
  tell(' and after');
  zombie.beginReply()('and anew');
  const late = await join(scene, '&after=1&events=extended');
  const other = run.agent('b'); // published after all that the zombie had to say
  await until('another agent', () => ofType(late, 'agent_started').length === 1);
  await until('another agent', () => ofType(client, 'agent_started').length === 2);
  expect(client.frames.at(-2)?.type).toBe('agent_completed');
  expect(late.frames.map(({ type, node }) => `${type} ${String(node)}`)).toEqual([
    'agent_completed a',
    'agent_started b',
  ]);
  await run.end(); // `b` is cut
  other.beginReply()('too late');
  await gateway.bus.publish(state.id, await storeEvents(testDb.db, state, ['the talk goes on']));
  const last = await join(scene, '&after=0&events=extended');
  for (const one of [client, late, last]) {
    await until('the talk', () => one.frames.at(-1)?.type === 'security_warning');
    expect(one.frames.at(-2)?.type).toBe('pipeline_result');
  }
  await Promise.all([zombie.end(), other.end()]);
});

test('an agent whose end was never published is not shown to a client that knows of it', async () => {
  const scene = await setScene();
  const agent = scene.run.agent('a');
  agent.beginReply()('its worker was killed before it could tell');
  await until('it is there', () => scene.gateway.redis.exists(keyOfA(scene.run)));
  await scene.run.endAgent('a', { isTold: false });
  const client = await join(scene);
  const other = scene.run.agent('b');
  await until('another agent', () => ofType(client, 'agent_started').length > 0);
  expect(client.frames.map(({ node }) => node)).toEqual(['b']);
  await Promise.all([agent.end(), other.end()]);
});

const keyOfA = ({ pipelineId }: LiveRun): string => `agentforge:agent:${pipelineId}:a`;

test('while redis is away nothing is published, and when it is back the reply goes on', async () => {
  const { proxy, url: redisUrl } = await startRedisProxy();
  open.push(proxy);
  const gateway = await start({ redisUrl });
  const worker = await start();
  const state = await createConversationWithToken(testDb.db);
  const run = await startLiveRun({ db: testDb.db, ...worker, ...ownerOf(state) });
  const client = await join({ gateway, talk: state });
  const agent = run.agent('a');
  const tell = agent.beginReply();
  tell('before, ');
  await shows(client, 'before, ');
  await proxy.cut();
  await until('the outage is noticed', () => !gateway.bus.isAvailable());
  tell('during, ');
  await storeEvents(testDb.db, state, ['stored events go on']);
  await until('the stored one', () => ofType(client, 'security_warning').length === 1);
  const late = await join({ gateway, talk: state });
  await proxy.restore();
  await shows(client, 'before, during, ');
  await shows(late, 'before, during, ');
  tell('after');
  await shows(client, 'before, during, after');
  await agent.end();
});

test('a client without room gets what is stored first, and then the pieces as one', async () => {
  const { gateway, talk: state, run } = await setScene();
  const eventSubscriptions = createEventSubscriptions({
    ...{ db: testDb.db, macs: TEST_MACS },
    ...gateway,
    logger: silentLogger,
  });
  open.push(eventSubscriptions);
  const seen: ClientEvent[] = [];
  let hasRoom = false;
  const take = (event: ClientEvent): boolean => {
    seen.push(event);
    return hasRoom;
  };
  const eventSubscription = eventSubscriptions.open({
    streamId: state.id,
    after: 0,
    onEvent: take,
    onLive: take,
  });
  await until('it is full', () => seen.length === 1);
  const agent = run.agent('a');
  const tell = agent.beginReply();
  const received: unknown[] = [];
  await gateway.bus.subscribeLive(state.id, (message) => received.push(message));
  tell('one ');
  await until('one has arrived', () => received.length > 0);
  tell('two');
  await until('two has arrived', () => received.length > 1);
  await storeEvents(testDb.db, state, ['stored']);
  expect(seen).toHaveLength(1);
  hasRoom = true;
  eventSubscription.wake();
  await until('all is seen', () => seen.some(({ type }) => type === 'agent_delta'));
  expect(seen.map(({ type }) => type)).toEqual([
    'pipeline_started',
    'security_warning',
    'agent_started',
    'agent_delta',
  ]);
  expect(seen.at(-1)).toMatchObject({ offset: 0, text: 'one two' });
  await agent.end();
});

test('a client with much to catch up gets all that is stored before anything live', async () => {
  const scene = await setScene();
  await storeEvents(testDb.db, scene.talk, Array<string>(350).fill('stored'));
  const agent = scene.run.agent('a');
  agent.beginReply()('live');
  await until('it is there', () => scene.gateway.redis.exists(keyOfA(scene.run)));
  const client = await join(scene, '&after=0&events=extended');
  await shows(client, 'live');
  expect(client.frames.findIndex(({ type }) => type === 'agent_started')).toBe(351);
  await agent.end();
});

test('the end of an agent waits for its earlier text that is still being looked up', async () => {
  const { gateway, talk: state, run } = await setScene();
  const answer = Promise.withResolvers<undefined>();
  const asked: unknown[] = [];
  const slow = Object.assign(Object.create(gateway.redis) as typeof gateway.redis, {
    getrange: async (key: string, start: number, end: number) => {
      asked.push(key);
      await answer.promise;
      return gateway.redis.getrange(key, start, end);
    },
  });
  const eventSubscriptions = createEventSubscriptions({
    ...{ db: testDb.db, macs: TEST_MACS },
    ...gateway,
    redis: slow,
    logger: silentLogger,
  });
  open.push(eventSubscriptions);
  const seen: ClientEvent[] = [];
  const take = (event: ClientEvent): boolean => seen.push(event) > 0;
  eventSubscriptions.open({ streamId: state.id, after: 0, onEvent: take, onLive: take });
  await until('what is stored is seen', () => seen.length === 1);
  const agent = run.agent('a');
  agent.beginReply()('all');
  await until('it is looked up', () => asked.length > 0);
  await agent.end();
  const notifications: unknown[] = [];
  await gateway.bus.subscribe(state.id, (notification) => notifications.push(notification));
  await run.endAgent('a');
  await until('the end is published', () => notifications.length > 0);
  answer.resolve(undefined);
  await until('the end is seen', () => seen.some(({ type }) => type === 'agent_completed'));
  expect(seen.map(({ type }) => type).slice(1)).toEqual([
    'agent_started',
    'agent_delta',
    'agent_completed',
  ]);
});

test('a client that does not read gets no more than fits; then it goes on where it was', async () => {
  const gateway = await start({ limits: { maxBufferedBytes: 1_000 } });
  const state = await createConversationWithToken(testDb.db);
  const run = await startLiveRun({ db: testDb.db, ...gateway, ...ownerOf(state) });
  const client = await join({ gateway, talk: state });
  const agent = run.agent('a');
  await until('its start', () => client.frames.length === 1);
  client.socket.pause();
  const tell = agent.beginReply();
  const word = '123456789 ';
  for (let told = 0; told < 200_000; told += 2_000) {
    tell(word.repeat(200));
  }
  await until('all has arrived', async () => {
    const length = await gateway.redis.strlen(keyOfA(run));
    return length > 200_000;
  });
  client.socket.resume();
  await shows(client, word.repeat(20_000));
  await agent.end();
});

test('a process subscribes only while a client wants live text', async () => {
  const scene = await setScene();
  const hearing = async () =>
    Number((await scene.gateway.redis.pubsub('NUMSUB', liveChannelOf(scene.talk.id)))[1]);
  const plain = await join(scene, '');
  expect(await hearing()).toBe(0);
  const clients = [await join(scene), await join(scene)];
  await until('it is received', async () => (await hearing()) === 1);
  for (const client of clients) {
    client.socket.close();
    await client.closed();
  }
  await until('it is received no more', async () => (await hearing()) === 0);
  await scene.run.end();
  await plain.received(1);
});
