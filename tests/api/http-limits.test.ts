/** Clients that send too slowly, read nothing, or come in crowds: each frees what it used. */
import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { createHttpServer } from '../../api/http/server.js';
import { HTTP_LIMITS, type HttpLimits } from '../../telemetry/http-limits.js';
import { until } from '../support/until.js';

const open: (Server | Socket)[] = [];
afterEach(() => {
  for (const part of open.splice(0).reverse()) {
    if ('closeAllConnections' in part) {
      part.close();
      part.closeAllConnections();
    } else {
      part.destroy();
    }
  }
});

async function start(limits: Partial<HttpLimits>, handle: RequestListener): Promise<Server> {
  const server = createHttpServer(handle, {}, { ...HTTP_LIMITS, ...limits });
  open.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

async function dial(server: Server, text: string) {
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  open.push(socket);
  let received = '';
  let isClosed = false;
  socket.on('data', (chunk) => (received += chunk.toString()));
  socket.on('close', () => (isClosed = true));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(text);
  return { socket, received: () => received, isClosed: () => isClosed };
}

async function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => {
      if (error) {
        reject(error);
      } else {
        resolve(count);
      }
    });
  });
}

const answer: RequestListener = (request, response) => {
  request.resume().once('end', () => response.end('answered'));
};
const HEAD = 'POST / HTTP/1.1\r\nHost: x\r\n';

test.each([
  ['a head that never ends', { headersTimeoutMs: 100 }, HEAD],
  ['nothing at all', { headersTimeoutMs: 100, stalledTimeoutMs: 200 }, ''],
  [
    'a body that never ends',
    { headersTimeoutMs: 100, requestTimeoutMs: 200 },
    `${HEAD}Content-Length: 9\r\n\r\n1234`,
  ],
  [
    'an upgrade that never ends',
    { headersTimeoutMs: 100 },
    `${HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\n`,
  ],
])('%s is not waited for', async (_what, limits, text) => {
  const server = await start(limits, answer);
  const client = await dial(server, text);
  await until('it is closed', client.isClosed);
  expect(client.received()).not.toContain('answered');
  await until('nothing is left of it', async () => (await connectionsOf(server)) === 0);
});

test('a client that reads nothing of its answer is cut off, and what was written for it freed', async () => {
  let written = 0;
  const server = await start({ stalledTimeoutMs: 100 }, (_request, response) => {
    const write = (): void => {
      written += 1_048_576;
      if (response.write('x'.repeat(1_048_576)) && !response.destroyed) {
        setImmediate(write);
      }
    };
    response.on('drain', write);
    write();
  });
  const client = await dial(server, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  client.socket.pause();
  await until('it is gone', async () => (await connectionsOf(server)) === 0);
  expect(written).toBeLessThan(64 * 1_048_576);
});

test('an answer that takes long is waited for, and a client that reads slowly gets all of it', async () => {
  const server = await start({ stalledTimeoutMs: 100 }, (request, response) => {
    if (request.url === '/late') {
      setTimeout(() => response.end('late'), 400);
    } else {
      response.end('x'.repeat(4_194_304));
    }
  });
  const late = await dial(server, 'GET /late HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await until('it is answered', late.isClosed);
  expect(late.received()).toMatch(/late$/);
  const slow = await dial(server, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const pause = setInterval(() => {
    slow.socket.pause();
    setTimeout(() => slow.socket.resume(), 20);
  }, 40);
  await until('all is read', slow.isClosed);
  clearInterval(pause);
  expect(slow.received().length).toBeGreaterThan(4_194_304);
});

test('a connection that asks nothing more is closed', async () => {
  const server = await start({ stalledTimeoutMs: 100 }, answer);
  server.keepAliveTimeout = 50;
  const client = await dial(server, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await until('it is closed', client.isClosed);
  expect(client.received()).toContain('answered');
});

test('of a crowd no more than the limit is served at once, and others when they have left', async () => {
  const server = await start({ maxConnections: 3 }, answer);
  const crowd = await Promise.all(Array.from({ length: 10 }, () => dial(server, HEAD)));
  await until(
    'the others are closed',
    () => crowd.filter(({ isClosed }) => isClosed()).length === 7,
  );
  for (const { socket } of crowd) {
    socket.destroy();
  }
  await until('they have left', async () => (await connectionsOf(server)) === 0);
  const next = await dial(server, `${HEAD}Content-Length: 0\r\n\r\n`);
  await until('it is answered', () => next.received().includes('answered'));
});

test.each([
  ['declared', 'Content-Length: 1000000000\r\n\r\n', (chunk: string) => chunk],
  [
    'chunked',
    'Transfer-Encoding: chunked\r\n\r\n',
    (chunk: string) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`,
  ],
])('a refused client that goes on sending is cut off after 32 MiB: %s', async (_, head, framed) => {
  const server = await start({}, (_request, response) => {
    response.writeHead(413).end('too large');
  });
  const client = await dial(server, `${HEAD}${head}`);
  await until('it is refused', () => client.received().includes('too large'));
  const chunk = framed('x'.repeat(65_536));
  const MIB = 1_048_576;
  let sent = 0;
  while (!client.isClosed() && sent < 100 * MIB) {
    sent += chunk.length;
    if (!client.socket.write(chunk)) {
      await Promise.race([once(client.socket, 'drain'), once(client.socket, 'close')]).catch(
        () => undefined, // the connection is reset
      );
    }
  }
  expect(sent).toBeGreaterThan(31 * MIB);
  expect(sent).toBeLessThan(64 * MIB); // what both ends had buffered besides
});
