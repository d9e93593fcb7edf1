import { connect as connectTcp } from 'node:net';
import { isUuid } from '../../domain/ids.js';
import type { OutgoingMessage } from '../../api/socket/send-message.js';
import {
  createConversationWithToken,
  gatewaysOfTests,
  startGateway,
  storeEvents,
  type GatewayOptions,
} from '../support/chat-server.js';
import { connectChat, opened } from '../support/chat-client.js';
import { testDbOfFile } from '../support/servers.js';
import { until } from '../support/until.js';

const testDb = testDbOfFile();
const startGatewayOfTest = gatewaysOfTests();

async function connected(options: GatewayOptions = {}, role: 'free' | 'pro' | 'admin' = 'pro') {
  const gateway = await startGatewayOfTest(testDb.db, options);
  const state = await createConversationWithToken(testDb.db, role);
  const client = await opened(connectChat(gateway.url(state)));
  return { gateway, talk: state, client, sent: gateway.sent };
}

test('nothing is sent before the client sends something', async () => {
  const { client, sent } = await connected();
  client.send({ content: 'hello' });
  await until('it is sent on', () => sent.length === 1);
  expect(client.frames).toEqual([]);
});

test('a message goes on with an id of ours, exactly as received; other fields are ignored', async () => {
  const { client, sent, talk: state } = await connected();
  const content = ' two\nlines, 한국어, \u0000 and \ud83d\ude00 ';
  client.send({ content, conversation_id: 'other', type: 'cancel', messageId: 'mine' });
  await until('it is sent on', () => sent.length === 1);
  expect(sent[0]).toMatchObject({
    conversationId: state.id,
    userId: state.userId,
    role: 'pro',
    content,
  });
  expect(isUuid(sent[0]?.messageId ?? '')).toBe(true);
  expect(sent[0]?.receivedAt).toMatch(/^\d{4}-.*Z$/);
});

test('an empty or missing content is an empty message', async () => {
  const { client, sent } = await connected();
  client.send({});
  client.send({ content: '' });
  await until('both are sent on', () => sent.length === 2);
  expect(sent.map(({ content }) => content)).toEqual(['', '']);
});

test('a binary frame is read as text, with replacement', async () => {
  const { client, sent } = await connected();
  const bytes = Buffer.concat([
    Buffer.from('{"content":"a'),
    Buffer.from([0xff]),
    Buffer.from('b"}'),
  ]);
  client.socket.send(bytes, { binary: true });
  await until('it is sent on', () => sent.length === 1);
  expect(sent[0]?.content).toBe('a\ufffdb');
});

test.each([
  ['not json', 'Invalid message format.'],
  ['', 'Invalid message format.'],
  ['{"content":5}', 'Invalid message format.'],
  ['{"content":null}', 'Invalid message format.'],
  ['[1]', 'An error occurred while processing the message.'],
  ['"text"', 'An error occurred while processing the message.'],
  ['null', 'An error occurred while processing the message.'],
  ['이건 뭐지', '메시지 형식이 올바르지 않아요.'],
])(
  '%j is answered by an error of the gateway, and the connection lives on',
  async (text, content) => {
    const { client, sent } = await connected();
    client.socket.send(text);
    const [error] = await client.received(1);
    expect(error).toEqual({
      type: 'error',
      content,
      timestamp: expect.stringMatching(/\+00:00$/),
    });
    client.send({ content: 'go on' });
    await until('the next one is sent on', () => sent.length === 1);
  },
);

test('errors keep the language that the user has written in', async () => {
  const { client } = await connected();
  client.send({ content: '안녕하세요' });
  client.socket.send('{"content":7}');
  const [error] = await client.received(1);
  expect(error?.content).toBe('메시지 형식이 올바르지 않아요.');
});

function frameOf(bytes: number): string {
  const empty = JSON.stringify({ content: '' });
  return JSON.stringify({ content: 'x'.repeat(bytes - empty.length) });
}

test.each([
  ['free', 4_096],
  ['pro', 65_536],
  ['admin', 1_048_576],
] as const)(
  '%s: a frame of exactly %i bytes is taken, one more closes with 1009',
  async (role, bytes) => {
    const { client, sent, gateway, talk: state } = await connected({}, role);
    client.socket.send(frameOf(bytes));
    await until('it is sent on', () => sent.length === 1);
    client.socket.send(frameOf(bytes + 1));
    client.send({ content: 'after it' });
    expect((await client.closed()).code).toBe(1009);
    const limit = bytes.toLocaleString('en-US');
    const content = `The message was not taken: it is longer than ${limit} bytes. Please send a shorter one.`;
    expect(client.frames).toEqual([
      { type: 'error', content, code: 1009, timestamp: expect.any(String) },
    ]);
    const again = await opened(connectChat(gateway.url(state)));
    again.send({ content: 'last' });
    await until('the next one is sent on', () => sent.length === 2);
    expect(sent[1]?.content).toBe('last');
  },
);

test('a limit counts bytes, not characters, and Korean is answered in Korean', async () => {
  const { client } = await connected({}, 'free');
  client.send({ content: '가'.repeat(1_400) });
  expect((await client.closed()).code).toBe(1009);
  expect(client.frames[0]?.content).toContain('한도(4,096바이트)');
});

test('a frame of 8 MB, which is never read as a whole, is answered before the close, too', async () => {
  const { client, sent } = await connected({}, 'free');
  client.send({ content: '안녕하세요' });
  await until('it is sent on', () => sent.length === 1);
  client.socket.send(frameOf(8_388_608));
  expect((await client.closed()).code).toBe(1009);
  expect(client.frames).toMatchObject([{ type: 'error', code: 1009 }]);
  expect(client.frames[0]?.content).toContain('한도(4,096바이트)');
});

test('messages go on strictly in order, one at a time, however many come at once', async () => {
  const taken: string[] = [];
  let running = 0;
  let most = 0;
  const { client } = await connected({
    limits: { maxQueuedMessages: 5 },
    sendMessage: async ({ content }) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      taken.push(content);
      running -= 1;
    },
  });
  const contents = Array.from({ length: 500 }, (_, index) => `message ${index}`);
  contents.forEach((content) => {
    client.send({ content });
  });
  await until('all are sent on', () => taken.length === 500);
  expect(taken).toEqual(contents);
  expect(most).toBe(1);
});

test('a refused message is offered again under the same id, and later ones wait for it', async () => {
  const tries: OutgoingMessage[] = [];
  const { client } = await connected({
    sendMessage: (message) => {
      tries.push(message);
      return tries.length < 3 ? Promise.reject(new Error('away')) : Promise.resolve();
    },
  });
  client.send({ content: 'first' });
  client.send({ content: 'second' });
  await until('both are sent on', () => tries.length === 4);
  expect(tries.map(({ content }) => content)).toEqual(['first', 'first', 'first', 'second']);
  expect(new Set(tries.map(({ messageId }) => messageId)).size).toBe(2);
  expect(client.frames).toEqual([]);
});

test('a message that is never acknowledged ends in an error, and the next one is offered', async () => {
  const tries: string[] = [];
  const { client } = await connected({
    limits: { sendTimeoutMs: 300 },
    sendMessage: ({ content }) => {
      tries.push(content);
      return content === 'lost' ? new Promise(() => undefined) : Promise.resolve();
    },
  });
  client.send({ content: 'lost' });
  client.send({ content: 'kept' });
  const [error] = await client.received(1);
  expect(error).toMatchObject({ type: 'error', content: expect.stringContaining('send it again') });
  await until('the next one is sent on', () => tries.includes('kept'));
});

test('what was received before the client hung up is still sent on', async () => {
  const taken: string[] = [];
  let isHeld = true;
  const { client, gateway } = await connected({
    sendMessage: async ({ content }) => {
      await until('it may go on', () => !isHeld);
      taken.push(content);
    },
  });
  client.send({ content: 'one' });
  client.send({ content: 'two' });
  client.socket.close();
  await until('the socket is gone', () => gateway.connected() === 0);
  isHeld = false;
  await until('both are sent on', () => taken.length === 2);
});

test('a message over the rate is answered with the seconds to wait, and not sent on', async () => {
  const { client, sent } = await connected({
    takeToken: () => Promise.resolve({ allowed: false, retryAfterSeconds: 5.2 }),
  });
  client.send({ content: 'hello' });
  const [error] = await client.received(1);
  expect(error).toMatchObject({ type: 'error', content: expect.stringContaining('6 seconds') });
  expect(sent).toEqual([]);
});

test('… in the language of the message', async () => {
  const { client } = await connected({
    takeToken: () => Promise.resolve({ allowed: false, retryAfterSeconds: 3 }),
  });
  client.send({ content: '안녕하세요' });
  const [error] = await client.received(1);
  expect(error?.content).toBe('메시지를 너무 자주 보냈어요. 3초 후에 다시 보내 주세요.');
});

test('a frame that cannot be read counts as a message', async () => {
  const { client, sent } = await connected({
    takeToken: () => Promise.resolve({ allowed: false, retryAfterSeconds: 5.2 }),
  });
  client.socket.send('[[[[');
  const [error] = await client.received(1);
  expect(error).toMatchObject({ type: 'error', content: expect.stringContaining('6 seconds') });
  expect(sent).toEqual([]);
});

test('a rate limiter that fails allows every message', async () => {
  const { client, sent } = await connected({ takeToken: () => Promise.reject(new Error('down')) });
  client.send({ content: 'hello' });
  await until('it is sent on', () => sent.length === 1);
});

test('a client that answers no ping is dropped, one that does is kept', async () => {
  // longer than a busy machine keeps this process, and so the client in it, from answering
  const gateway = await startGatewayOfTest(testDb.db, { limits: { heartbeatMs: 1_500 } });
  const state = await createConversationWithToken(testDb.db);
  const alive = await opened(connectChat(gateway.url(state)));
  let pings = 0;
  alive.socket.on('ping', () => (pings += 1));
  const mute = connectTcp({ port: gateway.port, host: '127.0.0.1' });
  const { pathname, search } = new URL(gateway.url(state));
  mute.write(
    `GET ${pathname}${search} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  mute.resume();
  const dropped = new Promise((resolve) => mute.once('close', resolve));
  await until('both are connected', () => gateway.connected() === 2);
  await dropped;
  const before = pings;
  await until('another ping has come', () => pings > before + 1);
  expect(gateway.connected()).toBe(1);
});

test('a client that does not read gets no more than fits, and all of it when it reads again', async () => {
  const gateway = await startGatewayOfTest(testDb.db, { limits: { maxBufferedBytes: 10_000 } });
  const state = await createConversationWithToken(testDb.db);
  const slow = await opened(connectChat(gateway.url(state)));
  slow.socket.pause();
  const content = 'x'.repeat(100_000);
  for (let batch = 0; batch < 15; batch += 1) {
    const events = await storeEvents(testDb.db, state, Array<string>(10).fill(content));
    await gateway.bus.publish(state.id, events);
  }
  slow.socket.resume();
  await slow.received(150);
  expect(slow.seqs()).toEqual(Array.from({ length: 150 }, (_, index) => index + 1));
});

test('a server that ends takes what a client sends before it can know of that', async () => {
  const gateway = await startGateway(testDb.db);
  const state = await createConversationWithToken(testDb.db);
  const client = await opened(connectChat(gateway.url(state)));
  client.socket.pause(); // it does not read the close yet
  const closing = gateway.close();
  client.send({ content: 'just in time' });
  client.socket.resume();
  await closing;
  expect(gateway.sent.map(({ content }) => content)).toEqual(['just in time']);
});

test('a server that ends closes with 1001 and gives the places back', async () => {
  const first = await startGateway(testDb.db);
  const state = await createConversationWithToken(testDb.db, 'free');
  const clients = [connectChat(first.url(state)), connectChat(first.url(state))];
  await Promise.all(clients.map(opened));
  await until('both are counted', () => first.connected() === 2);
  await first.close();
  expect(await Promise.all(clients.map(async (each) => (await each.closed()).code))).toEqual([
    1001, 1001,
  ]);
  expect(first.connected()).toBe(0);
  const second = await startGatewayOfTest(testDb.db);
  await Promise.all([connectChat(second.url(state)), connectChat(second.url(state))].map(opened));
  await until('both have a place again', () => second.connected() === 2);
});
