/** Clients that break the protocol, or vanish: each frees what it used. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { securityHeadersOf } from '../../api/http/middleware/headers.js';
import { silentLogger } from '../../telemetry/logger.js';
import { connectChat, type ChatClient } from '../support/chat-client.js';
import {
  createConversationWithToken,
  gatewaysOfTests,
  type Gateway,
  type GatewayOptions,
  type DiscussionState,
} from '../support/chat-server.js';
import { testDbOfFile } from '../support/servers.js';
import { until } from '../support/until.js';

const testDb = testDbOfFile();
const startGatewayOfTest = gatewaysOfTests();

const start = (options: GatewayOptions = {}) =>
  startGatewayOfTest(testDb.db, { limits: { closeTimeoutMs: 50 }, ...options });

const HANDSHAKE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

/** A client that sends its handshake and nothing more. */
async function requestUpgrade(
  gateway: Gateway,
  state: DiscussionState,
  handshake: Readonly<Record<string, string>> = HANDSHAKE,
  { allowHalfOpen = false } = {},
): Promise<{ socket: Socket; received: () => string }> {
  const { pathname, search } = new URL(gateway.url(state));
  const headers = Object.entries(handshake).map(([name, value]) => `${name}: ${value}\r\n`);
  const socket = connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen });
  let received = '';
  socket.on('data', (chunk) => (received += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: localhost\r\n${headers.join('')}\r\n`);
  return { socket, received: () => received };
}

/** The user, who has two places, gets them both as soon as who came before has left. */
async function bothPlacesAreFree(gateway: Gateway, state: DiscussionState): Promise<void> {
  const clients: ChatClient[] = [];
  const present = () => clients.filter(({ socket }) => socket.readyState <= socket.OPEN);
  await until('both places are taken', () => {
    if (present().length < 2) {
      clients.push(connectChat(gateway.url(state))); // refused while a place is taken
    }
    const open = present().filter(({ socket }) => socket.readyState === socket.OPEN);
    return open.length === 2 && gateway.connected() === 2;
  });
  clients.forEach(({ socket }) => {
    socket.terminate();
  });
}

test.each([
  ['no key', { 'Sec-WebSocket-Key': '' }],
  ['a version of its own', { 'Sec-WebSocket-Version': '7' }],
])('a handshake with %s is refused and takes no place', async (_what, wrong) => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db, 'free');
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const { socket, received } = await requestUpgrade(gateway, state, { ...HANDSHAKE, ...wrong });
    await once(socket, 'close');
    expect(received()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(received()).toContain('Sec-WebSocket-Version: 13\r\n');
    expectAnError(received());
  }
  await bothPlacesAreFree(gateway, state);
});

/** In the form of every error, with every header. */
function expectAnError(answer: string): void {
  expect(answer).toMatch(/\r\n\r\n\{"detail":"[\w ]+"\}$/);
  expect(answer).toContain('Content-Type: application/json; charset=utf-8\r\n');
  for (const [name, value] of Object.entries(securityHeadersOf({ debug: false }))) {
    expect(answer).toContain(`${name}: ${value}\r\n`);
  }
}

test('an upgrade of another address is 404 like every error', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db, 'free');
  const { socket, received } = await requestUpgrade(gateway, { ...state, id: `${state.id}/more` });
  await once(socket, 'close');
  expect(received()).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
  expectAnError(received());
});

test('a refused client that does not close its side is left after a second', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db, 'free');
  const { socket } = await requestUpgrade(
    gateway,
    { ...state, id: `${state.id}/more` },
    HANDSHAKE,
    {
      allowHalfOpen: true,
    },
  );
  const isLost = new Promise((resolve) => socket.once('close', resolve));
  const stillThere = setInterval(() => socket.write('x'), 20);
  await isLost; // by the reset that answers what it still writes
  clearInterval(stillThere);
});

test('clients that vanish while they are admitted take no place', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db, 'free');
  for (let attempt = 0; attempt < 5; attempt += 1) {
    (await requestUpgrade(gateway, state)).socket.destroy();
  }
  await until('their places are free', () => gateway.connected() === 0);
  await bothPlacesAreFree(gateway, state);
});

test('a client that resets its connection while it is admitted harms no other', async () => {
  const { promise: held, resolve: letGo } = Promise.withResolvers<undefined>();
  let isAsked = false;
  const gateway = await start({
    leases: {
      acquire: async () => {
        isAsked = true;
        await held;
        return null;
      },
      close: () => Promise.resolve(),
    },
  });
  const { socket } = await requestUpgrade(
    gateway,
    await createConversationWithToken(testDb.db, 'free'),
  );
  await until('its place is asked for', () => isAsked);
  const closed = once(socket, 'close');
  socket.resetAndDestroy(); // an error of the server’s socket without another listener
  await closed;
  letGo(undefined);
  await bothPlacesAreFree(await start(), await createConversationWithToken(testDb.db, 'free'));
});

test('an upgrade that fails for a reason of ours ends the connection and is logged', async () => {
  const failures: string[] = [];
  const gateway = await start({
    leases: {
      acquire: () => Promise.reject(new Error('inner')),
      close: () => Promise.resolve(),
    },
    logger: { ...silentLogger, error: (event) => failures.push(event) },
  });
  const { socket, received } = await requestUpgrade(
    gateway,
    await createConversationWithToken(testDb.db, 'free'),
  );
  await once(socket, 'close');
  expect([received(), failures]).toEqual(['', ['upgrade failed']]);
});

test('a client that never answers the close is ended with the server', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db, 'free');
  const { socket } = await requestUpgrade(gateway, state);
  await until('it is open', () => gateway.connected() === 1);
  const closed = once(socket, 'close');
  await gateway.close();
  await closed;
  expect(gateway.connected()).toBe(0);
});

test('a refused client that never answers the close is ended, too', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db, 'free');
  const { socket, received } = await requestUpgrade(gateway, {
    ...state,
    token: 'nonsense&events=extended',
  });
  await once(socket, 'close');
  expect(received()).toMatch(/^HTTP\/1\.1 101 /);
  expect(received()).toContain('Invalid token');
});

test('while the server ends, no client is admitted', async () => {
  const gateway = await start();
  const state = await createConversationWithToken(testDb.db, 'free');
  const { socket: lingering } = await requestUpgrade(gateway, state);
  await until('it is open', () => gateway.connected() === 1);
  const ending = gateway.close();
  const { socket, received } = await requestUpgrade(gateway, state);
  await Promise.all([once(socket, 'close'), once(lingering, 'close'), ending]);
  expect(received()).toMatch(/^HTTP\/1\.1 503 /);
  expectAnError(received());
});

test('one that answers no pings is closed, also while it is not read because its messages wait', async () => {
  const { promise: held, resolve: letGo } = Promise.withResolvers<undefined>();
  const gateway = await start({
    limits: { closeTimeoutMs: 50, maxQueuedMessages: 1, heartbeatMs: 50 },
    sendMessage: () => held,
  });
  const state = await createConversationWithToken(testDb.db);
  const socket = new WebSocket(gateway.url(state), { autoPong: false });
  await once(socket, 'open');
  socket.on('error', () => undefined);
  for (const content of ['one', 'two', 'three', 'four']) {
    socket.send(JSON.stringify({ content }));
  }
  await until('it is closed', () => gateway.connected() === 0);
  letGo(undefined);
  socket.terminate();
});

test('one that answers pings and is read stays', async () => {
  const gateway = await start({ limits: { closeTimeoutMs: 50, heartbeatMs: 50 } });
  const state = await createConversationWithToken(testDb.db);
  const socket = new WebSocket(gateway.url(state));
  let pings = 0;
  socket.on('ping', () => (pings += 1));
  await until('it was asked often', () => pings >= 5);
  expect(gateway.connected()).toBe(1);
  socket.terminate();
});
