/** Connections to servers of users lead to no private address, neither by a name nor by a redirect. */
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type TcpNetConnectOpts } from 'node:net';
import { once } from 'node:events';
import { createGuardedFetch } from '../../llm/providers/guarded-fetch.js';

let server: Server;
let port = 0;
let seen: string[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push(`${request.method ?? ''} ${request.headers.host ?? ''} ${request.url ?? ''}`);
    if (request.url === '/away') {
      response.writeHead(302, { location: 'http://127.0.0.1/' }).end();
    } else {
      response.writeHead(200, { 'x-own': 'yes' }).end('hello');
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
beforeEach(() => {
  seen = [];
});
afterAll(() => {
  server.close();
});

const allowed = [{ host: 'models.example', port: null }];
const PRIVATE = { code: 'model-address-refused', billing: 'none' };

test('a name of the operator’s list is reached, by exactly the address that was looked up', async () => {
  const fetch = createGuardedFetch({ allowed, resolve: () => Promise.resolve(['127.0.0.1']) });
  const answer = await fetch(`http://models.example:${port}/v1?x=1`, {
    method: 'POST',
    body: '{}',
  });
  expect([answer.status, answer.headers.get('x-own'), await answer.text()]).toEqual([
    ...[200, 'yes', 'hello'],
  ]);
  expect(seen).toEqual([`POST models.example:${port} /v1?x=1`]);
});

test.each([
  ['an address', 'http://127.0.0.1'],
  ['the name of this machine', 'http://localhost'],
  ['an address as one number', 'http://2130706433'],
])('%s that is private is refused before a connection', async (_what, base) => {
  const fetch = createGuardedFetch({ allowed: [], resolve: () => Promise.resolve(['127.0.0.1']) });
  await expect(fetch(`${base}:${port}/`)).rejects.toMatchObject(PRIVATE);
  expect(seen).toEqual([]);
});

test('a name that leads to a private address is refused, with the reason', async () => {
  const fetch = createGuardedFetch({ allowed: [], resolve: () => Promise.resolve(['10.0.0.7']) });
  const asked = fetch(`http://models.example:${port}/`);
  await expect(asked).rejects.toMatchObject({
    ...PRIVATE,
    message: "the endpoint's address is refused: the address is private",
  });
});

test('a name that changes its meaning meanwhile leads where it was seen to lead, or nowhere', async () => {
  const answers = [['203.0.114.9'], ['127.0.0.1']];
  const dialled: unknown[] = [];
  const rebinding = (options: TcpNetConnectOpts) => {
    options.lookup?.('rebinding.example', { all: true }, (_error, found) => dialled.push(found));
    return connect(port, '127.0.0.1'); // as if the system had asked the name server again
  };
  const fetch = createGuardedFetch({
    ...{ allowed: [], resolve: () => Promise.resolve(answers.shift() ?? []) },
    connect: rebinding as typeof connect,
  });
  const url = `http://rebinding.example:${port}/`;
  await expect(fetch(url)).rejects.toMatchObject(PRIVATE); // by the socket's own address
  expect(dialled).toEqual([[{ address: '203.0.114.9', family: 4 }]]);
  await expect(fetch(url)).rejects.toMatchObject(PRIVATE); // by the look-up
  expect(dialled).toHaveLength(1);
  expect(seen).toEqual([]);
});

test('one private address among public ones refuses the name', async () => {
  const resolve = () => Promise.resolve(['203.0.114.9', '192.168.1.1']);
  const fetch = createGuardedFetch({ allowed: [], resolve });
  await expect(fetch('http://mixed.example/')).rejects.toMatchObject(PRIVATE);
});

test('a redirect is not followed', async () => {
  const fetch = createGuardedFetch({ allowed, resolve: () => Promise.resolve(['127.0.0.1']) });
  await expect(fetch(`http://models.example:${port}/away`)).rejects.toMatchObject({
    ...PRIVATE,
    message: 'the endpoint redirects to another address, which is not followed',
  });
  expect(seen).toHaveLength(1);
});
