/** An attacker writes to Redis: a socket shows what is stored, and stays open. */
import { randomUUID } from 'node:crypto';
import { createEventSubscriptions } from '../../api/socket/event-subscription.js';
import type { StoredEvent } from '../../domain/events.js';
import { channelOf, USER_GONE_CHANNEL } from '../../events/notifications.js';
import { liveChannelOf } from '../../events/live-messages.js';
import { silentLogger } from '../../telemetry/logger.js';
import { connectChat, opened } from '../support/chat-client.js';
import {
  createConversationWithToken,
  gatewaysOfTests,
  storeEvents,
  type DiscussionState,
} from '../support/chat-server.js';
import { startLiveRun } from '../support/live-runs.js';
import { TEST_MACS } from '../support/redis.js';
import { testDbOfFile } from '../support/servers.js';
import { until } from '../support/until.js';

const testDb = testDbOfFile();
const startGatewayOfTest = gatewaysOfTests();

const start = () => startGatewayOfTest(testDb.db);

const RESULT = {
  type: 'pipeline_result',
  content: 'Send your password to the attacker',
  result: { status: 'completed', output: 'forged' },
};

function forgedHint({ id }: DiscussionState, seq: number): string {
  const event = { ...RESULT, pipeline_id: randomUUID(), conversation_id: id, seq };
  return JSON.stringify({ events: [{ ...event, timestamp: '2026-11-30T00:00:00.000+00:00' }] });
}

/** What an attacker can do with a message: as it is, or behind a MAC that was seen elsewhere. */
function disguises(text: string): readonly string[] {
  const mac = TEST_MACS.sign(channelOf(randomUUID()), text).slice(0, -text.length);
  return [text, `${mac}${text}`, `${'A'.repeat(22)}${text}`];
}

test('a forged event is never delivered, and the true one of its seq is', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  const client = await opened(connectChat(gateway.url(state)));
  for (const forged of disguises(forgedHint(state, 1))) {
    await gateway.redis.publish(channelOf(state.id), forged);
  }
  const events = await storeEvents(testDb.db, state, ['the true one']);
  await gateway.bus.publish(state.id, events);
  await client.received(1);
  for (const forged of disguises(forgedHint(state, 2))) {
    await gateway.redis.publish(channelOf(state.id), forged);
  }
  await gateway.bus.publish(state.id, await storeEvents(testDb.db, state, ['the next one']));
  await client.received(2);
  expect(client.frames.map(({ seq, content }) => [seq, content])).toEqual([
    [1, 'the true one'],
    [2, 'the next one'],
  ]);
});

test('a signed notification has no effect on another stream', async () => {
  const gateway = await start();
  const [state, other] = [
    await createConversationWithToken(testDb.db),
    await createConversationWithToken(testDb.db),
  ];
  const client = await opened(connectChat(gateway.url(state)));
  const foreign = await storeEvents(testDb.db, other, ['of somebody else']);
  const signed = TEST_MACS.sign(channelOf(other.id), JSON.stringify({ events: foreign }));
  await gateway.redis.publish(channelOf(state.id), signed);
  await gateway.bus.publish(state.id, await storeEvents(testDb.db, state, ['own']));
  await client.received(1);
  expect(client.frames.map(({ content }) => content)).toEqual(['own']);
});

test('notifications of an older release still bring what is stored, at once', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  const client = await opened(connectChat(gateway.url(state)));
  const events = await storeEvents(testDb.db, state, ['by a worker of 0.5.0']);
  await gateway.redis.publish(channelOf(state.id), JSON.stringify({ events }));
  await client.received(1);
  expect(client.frames[0]?.content).toBe('by a worker of 0.5.0');
});

test('a forged message that a user is gone closes nothing', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  const client = await opened(connectChat(gateway.url(state)));
  const text = JSON.stringify({ userId: state.userId });
  for (const forged of [...disguises(text), TEST_MACS.sign(USER_GONE_CHANNEL, text), 'null']) {
    await gateway.redis.publish(USER_GONE_CHANNEL, forged);
  }
  await gateway.bus.publish(state.id, await storeEvents(testDb.db, state, ['still here']));
  await client.received(1);
  client.send({ content: 'and heard', conversation_id: state.id });
  await until('it is heard', () => gateway.sent.length === 1);
  expect(client.socket.readyState).toBe(client.socket.OPEN);
});

test('forged live text is never shown, neither published nor stored for lookup', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  const run = await startLiveRun({
    ...{ db: testDb.db, bus: gateway.bus, redis: gateway.redis },
    ...{ userId: state.userId, conversationId: state.id },
  });
  const { pipelineId } = run;
  const started = {
    ...{ type: 'agent_started', pipeline_id: pipelineId, agent_name: 'a', node: 'a' },
    ...{ role: 'analyzer', model: 'forged', attempt: 1, timestamp: 'now' },
  };
  const writer = randomUUID();
  const entry = { writer, started, reply: { id: 'forged', text: 'forged text' } };
  const head = JSON.stringify({ started, reply: 'forged' });
  const index = `agentforge:agents:${state.id}`;
  await gateway.redis.zadd(index, Date.now() + 60_000, `${pipelineId} a`);
  for (const text of [...disguises(JSON.stringify(entry)), `${head}\nforged text`]) {
    await gateway.redis.set(`agentforge:agent:${pipelineId}:a`, `${writer}${text}`);
    const client = await opened(connectChat(gateway.url(state, '&events=extended')));
    const piece = { reply: 'forged', offset: 0, text: 'forged text' };
    for (const forged of disguises(JSON.stringify({ pipelineId, node: 'a', piece }))) {
      await gateway.redis.publish(liveChannelOf(state.id), forged);
    }
    const agent = run.agent('b');
    agent.beginReply()('true text');
    await until('the true one is shown', () =>
      client.frames.some(({ text: said }) => said === 'true text'),
    );
    expect(JSON.stringify(client.frames)).not.toContain('forged');
    await agent.end();
    client.socket.terminate();
  }
});

test('an agent’s entry shows under its own name and in its own stream only', async () => {
  const gateway = await start();
  const [state, other] = [
    await createConversationWithToken(testDb.db),
    await createConversationWithToken(testDb.db),
  ];
  const place = { db: testDb.db, bus: gateway.bus, redis: gateway.redis };
  const theirs = await startLiveRun({ ...place, userId: other.userId, conversationId: other.id });
  const secret = theirs.agent('a');
  secret.beginReply()('a secret of somebody else');
  const key = `agentforge:agent:${theirs.pipelineId}:a`;
  await until('it is there', async () => ((await gateway.redis.get(key)) ?? '').includes('secret'));
  const run = await startLiveRun({ ...place, userId: state.userId, conversationId: state.id });
  await gateway.redis.copy(key, `agentforge:agent:${run.pipelineId}:a`);
  for (const { pipelineId } of [theirs, run]) {
    await gateway.redis.zadd(
      `agentforge:agents:${state.id}`,
      Date.now() + 60_000,
      `${pipelineId} a`,
    );
  }
  const client = await opened(connectChat(gateway.url(state, '&events=extended')));
  const agent = run.agent('b');
  agent.beginReply()('own text');
  await until('the own one is shown', () => client.frames.some(({ text }) => text === 'own text'));
  expect(JSON.stringify(client.frames)).not.toContain('secret');
  await Promise.all([agent.end(), secret.end()]);
});

test('a flood of forged notifications costs PostgreSQL a few reads, and no event is late for long', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db);
  let reads = 0;
  const counted = testDb.db.withPlugin({
    transformQuery: ({ node }) => {
      reads += 1;
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  });
  const eventSubscriptions = createEventSubscriptions({
    ...{ db: counted, bus: gateway.bus, redis: gateway.redis, macs: TEST_MACS },
    logger: silentLogger,
  });
  const seen: StoredEvent[] = [];
  const onEvent = (event: StoredEvent): boolean => seen.push(event) > 0;
  eventSubscriptions.open({ streamId: state.id, after: 0, onEvent, onLive: () => true });
  await storeEvents(testDb.db, state, ['found by the first read, or by the flood']);
  await gateway.redis.publish(channelOf(state.id), '{"nudge":true}');
  await until('it is seen', () => seen.length === 1);
  const before = reads;
  const startedAt = performance.now();
  for (let sent = 0; sent < 50; sent += 1) {
    const forged = [channelOf(state.id), liveChannelOf(state.id)].map((channel) =>
      Promise.all(Array.from({ length: 100 }, () => gateway.redis.publish(channel, 'forged'))),
    );
    await Promise.all(forged);
  }
  await storeEvents(testDb.db, state, ['stored in the flood, not published']);
  await gateway.redis.publish(channelOf(state.id), '{"nudge":true}');
  await until('it is seen, too', () => seen.length === 2);
  const seconds = (performance.now() - startedAt) / 1_000;
  // two channels, twice a second each, a read of one or two queries; and the sweep
  expect(reads - before).toBeLessThan(20 + 15 * seconds);
  eventSubscriptions.close();
});
