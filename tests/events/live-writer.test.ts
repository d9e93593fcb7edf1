import { randomUUID } from 'node:crypto';
import { createBus, type Bus, type LiveMessage } from '../../events/bus.js';
import { listLive, readLive } from '../../events/live-store.js';
import { createLiveWriters, type LiveWriter } from '../../events/live-writer.js';
import { connectRedis } from '../../events/redis.js';
import { silentLogger } from '../../telemetry/logger.js';
import { testServers } from '../support/servers.js';
import { type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { startRedisProxy, TEST_MACS } from '../support/redis.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((part) => part.close()));
});

async function startRedis(url = testServers().redisUrl) {
  const redis = connectRedis({ url, name: 'test', logger: silentLogger });
  open.push({
    close: () => {
      redis.disconnect();
    },
  });
  await until('redis is there', () => redis.status === 'ready');
  return redis;
}

async function startProxy(): Promise<{ proxy: TcpProxy; url: string }> {
  const started = await startRedisProxy();
  open.push(started.proxy);
  return started;
}

/** One agent, its writers, and all that subscribers receive of it. */
async function fixture(redisUrl?: string) {
  const [redis, direct] = [await startRedis(redisUrl), await startRedis()];
  const bus: Bus = createBus({
    redisUrl: testServers().redisUrl,
    logger: silentLogger,
    macs: TEST_MACS,
  });
  open.push(bus);
  await until('the bus is available', () => bus.isAvailable());
  const place = { pipelineId: randomUUID(), node: 'writer' };
  const streamId = randomUUID();
  const received: LiveMessage[] = [];
  await bus.subscribeLive(streamId, (message) => {
    if (message !== null) {
      received.push(message);
    }
  });
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (event: string) => warnings.push(event) };
  const openWriter = createLiveWriters({ redis, macs: TEST_MACS, logger });
  const write = (attempt = 1): LiveWriter =>
    openWriter({
      streamId,
      started: {
        pipeline_id: place.pipelineId,
        agent_name: 'The writer',
        node: place.node,
        role: 'reporter',
        model: 'gpt-4o',
        attempt,
      },
      silenceMs: 60_000,
    });
  return {
    received,
    warnings,
    redis: direct,
    pieces: () => received.flatMap(({ piece }) => piece ?? []),
    entry: async () =>
      (await readLive({ redis: direct, macs: TEST_MACS }, streamId, [place]))[0] ?? null,
    key: `agentforge:agent:${place.pipelineId}:writer`,
    listed: () => listLive(direct, streamId),
    write,
    /** A writer whose agent has been announced before its reply begins. */
    writeAnnounced: async () => {
      const writer = write();
      await until('it is announced', () => received.length === 1);
      return writer;
    },
  };
}

/** The text that the pieces of the last reply make, if each begins where the one before ended. */
function textOf(pieces: readonly { reply: string; offset: number; text: string }[]): string {
  const last = pieces.at(-1)?.reply;
  let text = '';
  for (const piece of pieces.filter(({ reply }) => reply === last)) {
    expect(piece.offset).toBe(text.length);
    text += piece.text;
  }
  return text;
}

test('an agent is announced before its reply, which is published in pieces that fit together', async () => {
  const { write, received, pieces, entry } = await fixture();
  const writer = write();
  await until('it is announced', () => received.length === 1);
  expect(received[0]?.piece).toBeUndefined();
  expect(await entry()).toMatchObject({
    started: { type: 'agent_started', agent_name: 'The writer', attempt: 1 },
    reply: null,
  });
  const tell = writer.beginReply();
  tell('one ');
  await until('the first piece', () => pieces().length === 1);
  tell('two ');
  tell('three');
  await until('the second piece', () => pieces().length === 2);
  expect(textOf(pieces())).toBe('one two three');
  expect((await entry())?.reply).toEqual({ id: pieces()[0]?.reply, text: 'one two three' });
  await writer.end();
});

test('an agent that answers at once is published once, with its whole reply', async () => {
  const { write, received, entry, listed, redis, key } = await fixture();
  const writer = write();
  writer.beginReply()('an answer');
  await writer.end();
  await until('it is received', () => received.length === 1);
  expect(received[0]?.piece).toBeUndefined(); // a subscriber reads the entry
  expect(await entry()).toMatchObject({
    started: { type: 'agent_started', agent_name: 'The writer' },
    reply: { text: 'an answer' },
  });
  expect(await redis.pttl(key)).toBeLessThanOrEqual(5_000);
  expect(await listed()).toEqual([]);
});

test('a fast reply is published in few pieces, and the rest of it with the end', async () => {
  const { writeAnnounced, pieces, entry, listed, redis, key } = await fixture();
  const writer = await writeAnnounced();
  const tell = writer.beginReply();
  const words = Array.from({ length: 2_000 }, (_, index) => `word ${index} `);
  words.forEach(tell);
  await writer.end();
  await until('all is received', () => textOf(pieces()).length === words.join('').length);
  expect(textOf(pieces())).toBe(words.join(''));
  expect(pieces().length).toBeLessThan(5);
  expect((await entry())?.reply?.text).toBe(words.join('')); // for a late subscriber
  expect(await redis.pttl(key)).toBeLessThanOrEqual(5_000);
  expect(await listed()).toEqual([]);
  tell('too late');
  expect(textOf(pieces())).not.toContain('too late');
});

test('a last message that has nothing to say ends the entry as well', async () => {
  const { writeAnnounced, pieces, listed, redis, key } = await fixture();
  const writer = await writeAnnounced();
  writer.beginReply()('all of it');
  await until('the piece', () => pieces().length === 1);
  expect(await listed()).toHaveLength(1);
  await writer.end();
  expect(await redis.pttl(key)).toBeLessThanOrEqual(5_000);
  expect(await listed()).toEqual([]);
});

test('a pair of surrogates is never split, and half a one becomes a sign of its own', async () => {
  const { writeAnnounced, pieces } = await fixture();
  const writer = await writeAnnounced();
  const tell = writer.beginReply();
  tell('smile \ud83d');
  await until('the first piece', () => pieces().length === 1);
  expect(textOf(pieces())).toBe('smile ');
  tell('\ude42 and \ud83d');
  await writer.end();
  await until('all is received', () => pieces().length === 2);
  expect(textOf(pieces())).toBe('smile 🙂 and \ufffd');
});

test('another reply begins at 0 under another id, and the one before is published no more', async () => {
  const { writeAnnounced, pieces, entry } = await fixture();
  const writer = await writeAnnounced();
  const first = writer.beginReply();
  first('a first try');
  await until('the first reply', () => pieces().length === 1);
  const second = writer.beginReply();
  first(' goes on');
  second('another one');
  await until('the second reply', () => pieces().length === 2);
  expect(pieces()[1]).toMatchObject({ offset: 0, text: 'another one' });
  expect(pieces()[1]?.reply).not.toBe(pieces()[0]?.reply);
  expect((await entry())?.reply).toEqual({ id: pieces()[1]?.reply, text: 'another one' });
  await writer.end();
});

test('a newer attempt takes over: the older one publishes nothing more and ends nothing', async () => {
  const { write, pieces, entry, listed } = await fixture();
  const [older, newer] = [write(1), write(2)];
  await until('the newer one is there', async () => (await entry())?.started.attempt === 2);
  const tellOld = older.beginReply();
  tellOld('from the grave');
  const tellNew = newer.beginReply();
  tellNew('alive');
  await until('the newer reply', () => pieces().length === 1);
  tellOld(' and more');
  await older.end();
  expect(pieces().map(({ text }) => text)).toEqual(['alive']);
  expect(await entry()).toMatchObject({ started: { attempt: 2 }, reply: { text: 'alive' } });
  expect(await listed()).toHaveLength(1);
  await newer.end();
});

test('an entry that redis has lost is written again as a whole', async () => {
  const { writeAnnounced, pieces, entry, redis, key } = await fixture();
  const writer = await writeAnnounced();
  const tell = writer.beginReply();
  tell('one ');
  await until('the first piece', () => pieces().length === 1);
  await redis.del(key);
  tell('two');
  await until('the second piece', () => pieces().length === 2);
  expect(pieces()[1]).toMatchObject({ reply: pieces()[0]?.reply, offset: 0, text: 'one two' });
  expect((await entry())?.reply?.text).toBe('one two');
  await writer.end();
});

test('of a reply beyond 256 KiB no more is published or kept', async () => {
  const { write, entry } = await fixture();
  const writer = write();
  const tell = writer.beginReply();
  for (let written = 0; written < 300_000; written += 1_000) {
    tell('x'.repeat(1_000));
  }
  tell('a small one');
  await writer.end();
  const text = (await entry())?.reply?.text ?? '';
  expect(text.length).toBe(262_000);
  expect(new Set(text)).toEqual(new Set('x'));
});

test('while redis is away nothing is published and no agent waits; then the reply is published whole', async () => {
  const { proxy, url } = await startProxy();
  const { write, writeAnnounced, pieces, warnings, entry } = await fixture(url);
  const writer = await writeAnnounced();
  const tell = writer.beginReply();
  tell('before, ');
  await until('the first piece', () => pieces().length === 1);
  await proxy.cut();
  tell('during, ');
  await until('it has failed', () => warnings.length === 1);
  const other = write();
  other.beginReply()('never told');
  await other.end();
  await proxy.restore();
  tell('after');
  await until('the rest', async () => (await entry())?.reply?.text === 'before, during, after');
  await writer.end();
  expect(pieces()[1]).toMatchObject({ offset: 0, text: expect.stringMatching(/^before, during/) });
});

test('a redis that answers nothing does not hold up an agent', async () => {
  const { proxy, url } = await startProxy();
  const { write } = await fixture(url);
  proxy.freeze();
  const writer = write();
  writer.beginReply()('text');
  await writer.end();
});
