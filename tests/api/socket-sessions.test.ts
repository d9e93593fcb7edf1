/** Open connections follow what happens to their session, their key and their user's role. */
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';
import { connectChat, opened, type ChatClient } from '../support/chat-client.js';
import { gatewaysOfTests, type Gateway, type GatewayOptions } from '../support/chat-server.js';
import { openEventSource, type EventSource } from '../support/event-source.js';
import { startLiveRun, type LiveRun } from '../support/live-runs.js';
import { startRedisProxy } from '../support/redis.js';
import { createTestConversation } from '../support/runs.js';
import { until } from '../support/until.js';

let api: ApiServer;
let admin: Person;
let person: Person;
let gateway: Gateway;
const startGatewayOfTest = gatewaysOfTests();
const sources: EventSource[] = [];
let run: LiveRun | null = null;
beforeAll(async () => {
  api = await startApiServer();
  admin = await api.register();
  await api.db.updateTable('users').set({ role: 'admin' }).where('id', '=', admin.id).execute();
});
beforeEach(async () => {
  person = await api.register();
  gateway = await start();
  run = null;
});
afterEach(() => {
  sources.splice(0).forEach((source) => {
    source.hangUp();
  });
});
afterAll(() => api.close());

const start = (options: GatewayOptions = {}) =>
  startGatewayOfTest(api.db, { readAccess: api.tokens.readAccess, ...options });

async function urlOf(token = person.token, at = gateway): Promise<string> {
  const id = await createTestConversation(api.db, person.id);
  return at.url({ id, userId: person.id, token });
}
const connect = async (token?: string, at?: Gateway): Promise<ChatClient> =>
  opened(connectChat(await urlOf(token, at)));
const logIn = async (): Promise<{ access_token: string; refresh_token: string }> =>
  (
    await api.send('POST', '/auth/login', {
      body: { email: person.email, password: person.password },
    })
  ).body;
const refresh = (token: string) =>
  api.send('POST', '/auth/refresh', { body: { refresh_token: token } });
const changePassword = () =>
  api.send('PUT', '/auth/me', {
    token: person.token,
    body: { current_password: person.password, new_password: 'N3wPassword' },
  });
const setRole = (role: string) =>
  api.send('PUT', `/auth/users/${person.id}/role`, { token: admin.token, body: { role } });

async function listen(headers: Record<string, string>): Promise<EventSource> {
  run ??= await startLiveRun({ ...api, userId: person.id, conversationId: null });
  const url = `${api.url}/api/v1/pipelines/${run.pipelineId}/events`;
  const source = await openEventSource(url, headers);
  sources.push(source);
  await source.received(1);
  return source;
}
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

const ENDED = { code: 1008, reason: 'the session has ended' };
const isOpen = ({ socket }: ChatClient) => socket.readyState === socket.OPEN;

describe('a password change', () => {
  test('closes the sockets of the other sessions at once, on every process, for good', async () => {
    const second = await start();
    await setRole('pro'); // room for three
    const own = await connect();
    const other = (await logIn()).access_token;
    const others = [await connect(other), await connect(other, second)];
    expect((await changePassword()).status).toBe(200);
    for (const client of others) {
      expect(await client.closed()).toEqual(ENDED);
    }
    expect(await connectChat(`${await urlOf(other)}&events=basic`).closed()).toEqual(ENDED);
    expect(isOpen(own)).toBe(true);
  });

  test('is noticed while Redis is away, by polling', async () => {
    const { proxy, url: redisUrl } = await startRedisProxy();
    const lonely = await start({ redisUrl, watchMs: 50 });
    const client = await connect((await logIn()).access_token, lonely);
    await proxy.cut();
    await until('redis is away', () => !lonely.bus.isAvailable());
    await changePassword();
    expect(await client.closed()).toEqual(ENDED);
    await proxy.close();
  });

  test('ends the event streams of the other sessions, and not the own one', async () => {
    const own = await listen(bearer(person.token));
    const other = await listen(bearer((await logIn()).access_token));
    await changePassword();
    await until('the other one has ended', other.ended);
    expect(own.ended()).toBe(false);
  });
});

test('a reused refresh token closes the sockets of its family, and no others', async () => {
  const other = await connect((await logIn()).access_token);
  const client = await connect();
  const successor = (await refresh(person.refreshToken)).body;
  await refresh(person.refreshToken);
  expect(await client.closed()).toEqual(ENDED);
  const again = connectChat(`${await urlOf(successor.access_token)}&events=basic`);
  expect(await again.closed()).toEqual(ENDED);
  expect(isOpen(other)).toBe(true);
});

test('a deleted API key ends the event streams that it has opened, and its children’s', async () => {
  const make = async (headers: Record<string, string>) =>
    (await api.send('POST', '/api-keys', { headers, body: { name: 'script' } })).body;
  const parent = await make(bearer(person.token));
  const child = await make({ 'X-API-Key': parent.key });
  await setRole('pro'); // room for three
  const own = await listen(bearer(person.token));
  const streams = [
    await listen({ 'X-API-Key': parent.key }),
    await listen({ 'X-API-Key': child.key }),
  ];
  await api.send('DELETE', `/api-keys/${parent.id}`, { token: person.token });
  for (const stream of streams) {
    await until('it has ended', stream.ended);
  }
  expect(own.ended()).toBe(false);
});

describe('a change of role', () => {
  const large = () => ({ content: 'x'.repeat(10_000), conversation_id: person.id });

  test('changes the largest message of an open socket, upwards and downwards', async () => {
    await setRole('pro');
    const client = await connect();
    client.send(large());
    await until('it is taken', () => gateway.sent.length === 1);
    expect(gateway.sent[0]).toMatchObject({ role: 'pro' });
    await setRole('free');
    await until('it is looked up', async () => (await roleSeen(client)) === 'free');
    client.send(large());
    expect(await client.closed()).toMatchObject({ code: 1009 });
  });

  /** The role with which the discussion is given the client's next message. */
  async function roleSeen(client: ChatClient): Promise<string | undefined> {
    const before = gateway.sent.length;
    client.send({ content: 'which?', conversation_id: person.id });
    await until('it is taken', () => gateway.sent.length > before);
    return gateway.sent.at(-1)?.role;
  }

  test('leaves as many connections as the role has room for, over all processes', async () => {
    const second = await start();
    await setRole('pro');
    const clients: ChatClient[] = [];
    for (let count = 0; count < 6; count += 1) {
      clients.push(await connect(undefined, count % 2 === 0 ? gateway : second));
    }
    await setRole('free');
    await until('two are left', () => clients.filter(isOpen).length === 2);
    const closed = clients.filter((client) => !isOpen(client));
    for (const client of closed) {
      expect(await client.closed()).toEqual({
        code: 1013,
        reason: 'too many concurrent connections',
      });
    }
    expect(await connectChat(await urlOf()).refused()).toMatchObject({ status: 403 });
    clients.filter(isOpen)[0]?.socket.close();
    await until('there is room again', async () => {
      const again = connectChat(await urlOf());
      await until('it is decided', () => again.socket.readyState !== again.socket.CONNECTING);
      return isOpen(again);
    });
  });

  test('counts event streams among the connections', async () => {
    await setRole('pro');
    const streams: EventSource[] = [];
    for (let count = 0; count < 4; count += 1) {
      streams.push(await listen(bearer(person.token)));
    }
    await setRole('free');
    await until('two are left', () => streams.filter((it) => !it.ended()).length === 2);
  });
});
