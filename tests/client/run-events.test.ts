/** The client's reader of a run's events against the real API, through a network that fails. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApiError, createClient, type Client } from '../../client/index.js';
import type { ClientEvent } from '../../domain/events.js';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';
import { startLiveRun, type LiveRun } from '../support/live-runs.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

let api: ApiServer;
let network: TcpProxy;
let person: Person;
let client: Client;
let run: LiveRun;

beforeAll(async () => {
  api = await startApiServer();
  network = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(api.url).port) });
  await until('redis is there', () => api.bus.isAvailable());
});
beforeEach(async () => {
  person = await api.register();
  client = createClient({ baseUrl: `http://127.0.0.1:${network.port}`, token: person.token });
  run = await startLiveRun({ ...api, userId: person.id, conversationId: null });
});
afterAll(async () => {
  await network.close();
  await api.close();
});

const WAITS = { waitsMs: { first: 10, longest: 50 } };

/** Reads to the end, and remembers all that came. */
function read(events: AsyncIterable<ClientEvent>) {
  const seen: ClientEvent[] = [];
  const done = (async () => {
    for await (const event of events) {
      seen.push(event);
    }
  })();
  done.catch(() => undefined); // looked at later
  return { seen, done, types: () => seen.map(({ type }) => type) };
}

test('events come once and in order to the result, however the connection fails', async () => {
  const { seen, done, types } = read(client.events(run.pipelineId, WAITS));
  await until('the first event', () => seen.length === 1);
  await network.cut();
  await run.endAgent('a');
  await network.restore();
  await until('the second event', () => seen.length === 2);
  await network.cut();
  await run.endAgent('b');
  await run.end();
  await network.restore();
  await done;
  expect(types()).toEqual([
    'pipeline_started',
    'agent_completed',
    'agent_completed',
    'pipeline_result',
  ]);
  expect(seen.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  const again = read(client.events(run.pipelineId, { after: 4, ...WAITS }));
  await again.done;
  expect(again.seen).toEqual([]);
});

test('the replies of agents come in pieces that fit', async () => {
  const { seen, done } = read(client.events(run.pipelineId, { isExtended: true, ...WAITS }));
  const agent = run.agent('a');
  const tell = agent.beginReply();
  const textOf = () =>
    seen.map((event) => (event.type === 'agent_delta' ? event.text : '')).join('');
  tell('one ');
  await until('the first piece', () => textOf() === 'one ');
  await network.cut();
  tell('two ');
  await network.restore();
  await until('the second piece', () => textOf() === 'one two ');
  tell('three');
  await agent.end();
  await run.endAgent('a');
  await run.end();
  await done;
  expect(textOf()).toBe('one two three');
  const offsets = seen.flatMap((event) => (event.type === 'agent_delta' ? event.offset : []));
  expect(offsets).toEqual([0, 4, 8]);
  expect(seen.filter(({ type }) => type === 'agent_started')).toHaveLength(1);
});

test('a caller who ends the reading, or aborts it, closes the connection', async () => {
  for await (const event of client.events(run.pipelineId, WAITS)) {
    expect(event.type).toBe('pipeline_started');
    break;
  }
  const controller = new AbortController();
  const { seen, done } = read(
    client.events(run.pipelineId, { signal: controller.signal, ...WAITS }),
  );
  await until('the first event', () => seen.length === 1);
  controller.abort(new Error('enough'));
  await expect(done).rejects.toThrow('enough');
  await until('all places are free', async () => {
    const page = await api.request('/metrics').then((response) => response.text());
    return page.includes('event_streams_active 0');
  });
});

test('a final refusal is an error, a token that is too old is renewed', async () => {
  const stranger = await api.register();
  const foreign = createClient({ baseUrl: api.url, token: stranger.token });
  const error: unknown = await read(foreign.events(run.pipelineId, WAITS)).done.catch(
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 404, detail: 'Pipeline run not found' });
  const renewing = createClient({
    baseUrl: api.url,
    token: 'old',
    refresh: () => Promise.resolve(person.token),
  });
  await run.end();
  const { types, done } = read(renewing.events(run.pipelineId, WAITS));
  await done;
  expect(types()).toEqual(['pipeline_started', 'pipeline_result']);
});

test('too many connections, a part that is away and a stream that breaks are waited for', async () => {
  const refuse = (status: number) => (response: ServerResponse) => {
    response.writeHead(status).end('{"detail":"not now"}');
  };
  const send =
    (...texts: string[]) =>
    (response: ServerResponse) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.end(texts.join(''));
    };
  const event = (seq: number, type: string) =>
    `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify({ type, seq })}\n\n`;
  const answers = [
    refuse(429),
    refuse(503),
    send(':\n\n', event(1, 'pipeline_started'), 'data: {"type":"pipel'),
    send('data: no json\n\n'),
    send(event(1, 'pipeline_started'), event(2, 'pipeline_result'), event(3, 'never')),
  ];
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answers.shift()?.(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { types, done } = read(
    createClient({ baseUrl: `http://127.0.0.1:${port}` }).events('run', WAITS),
  );
  await done;
  expect(types()).toEqual(['pipeline_started', 'pipeline_result']);
  expect(asked.map((url) => new URL(url, 'http://x').search)).toEqual([
    '?after=0',
    '?after=0',
    '?after=0',
    '?after=1',
    '?after=1',
  ]);
  server.close();
});
