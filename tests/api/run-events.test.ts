/** A run's events as server-sent events. */
import { randomUUID } from 'node:crypto';
import { openEventStream } from '../../api/runs/event-stream.js';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';
import { storeEvents } from '../support/chat-server.js';
import { openEventSource, type EventSource } from '../support/event-source.js';
import { startLiveRun, type LiveRun } from '../support/live-runs.js';
import { createTestConversation } from '../support/runs.js';
import { until } from '../support/until.js';

let api: ApiServer;
let person: Person;
const sources: EventSource[] = [];

beforeAll(async () => {
  api = await startApiServer({ deps: { heartbeatMs: 20 } });
  await until('redis is there', () => api.bus.isAvailable());
});
beforeEach(async () => {
  person = await api.register();
});
afterEach(() => {
  sources.splice(0).forEach((source) => {
    source.hangUp();
  });
});
afterAll(() => api.close());

const startRun = (conversationId: string | null = null): Promise<LiveRun> =>
  startLiveRun({ ...api, userId: person.id, conversationId });

async function listen(
  pipelineId: string,
  { query = '', headers = {} }: { query?: string; headers?: Record<string, string> } = {},
): Promise<EventSource> {
  const url = `${api.url}/api/v1/pipelines/${pipelineId}/events${query}`;
  const source = await openEventSource(url, {
    Authorization: `Bearer ${person.token}`,
    ...headers,
  });
  sources.push(source);
  return source;
}

test('a run streams its events from the first one on, as they are stored, and ends with its result', async () => {
  const run = await startRun();
  const source = await listen(run.pipelineId);
  await source.received(1);
  await run.endAgent('a');
  await source.received(2);
  await run.end();
  await until('it has ended', source.ended);
  expect(source.types()).toEqual(['pipeline_started', 'agent_completed', 'pipeline_result']);
  expect(source.frames().map(({ id }) => id)).toEqual(['1', '2', '3']);
  const stored = await api.db
    .selectFrom('streamEvents')
    .select(['seq', 'event'])
    .where('streamId', '=', run.pipelineId)
    .orderBy('seq')
    .execute();
  expect(source.frames().map(({ data }) => data)).toEqual(
    stored.map(({ seq, event }) => ({ ...event, seq, timestamp: expect.any(String) })),
  );
});

test('its answer is not buffered by proxies, and shows that it lives', async () => {
  const run = await startRun();
  const source = await listen(run.pipelineId);
  expect(source.status).toBe(200);
  expect(Object.fromEntries(source.headers)).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
  });
  await until('it has begun', () => source.text().startsWith('retry: 1000\n\n'));
  await until('two heartbeats', () => source.text().split(':\n\n').length > 2);
});

describe('a client that comes back', () => {
  test('goes on after the last event that it has', async () => {
    const run = await startRun();
    await run.endAgent('a');
    const headers = { 'Last-Event-ID': '1' };
    for (const wish of [{ headers }, { query: '?after=1' }]) {
      const source = await listen(run.pipelineId, wish);
      await source.received(1);
      expect(source.frames().map(({ id }) => id)).toEqual(['2']);
    }
  });

  test('its header wins over its address', async () => {
    const run = await startRun();
    await run.endAgent('a');
    const headers = { 'Last-Event-ID': '1' };
    const source = await listen(run.pipelineId, { query: '?after=0', headers });
    await source.received(1);
    expect(source.frames().map(({ id }) => id)).toEqual(['2']);
  });

  test('learns that nothing follows when it has the result', async () => {
    const run = await startRun();
    await run.end();
    const first = await listen(run.pipelineId);
    await until('it has ended', first.ended);
    expect(first.types()).toEqual(['pipeline_started', 'pipeline_result']);
    const again = await listen(run.pipelineId, { headers: { 'Last-Event-ID': '2' } });
    expect(again.status).toBe(204);
    const beyond = await listen(run.pipelineId, { query: '?after=99' });
    expect(beyond.status).toBe(204);
  });

  test('learns so, too, when the events of an ended run are gone', async () => {
    const run = await startRun();
    await run.end();
    await api.db.deleteFrom('streamEvents').where('streamId', '=', run.pipelineId).execute();
    expect((await listen(run.pipelineId)).status).toBe(204);
  });

  test('with an id that is beyond all waits for what comes next', async () => {
    const run = await startRun();
    const source = await listen(run.pipelineId, { query: '?after=99' });
    await run.endAgent('a');
    await source.received(1);
    expect(source.types()).toEqual(['agent_completed']);
  });

  test.each([
    ['?after=-1', {}],
    ['?after=x', {}],
    ['?events=all', {}],
    ['', { 'Last-Event-ID': 'x' }],
    ['', { 'Last-Event-ID': '12345678901' }],
  ])('is refused with %s %j', async (query, headers) => {
    const run = await startRun();
    expect((await listen(run.pipelineId, { query, headers })).status).toBe(422);
  });
});

test('a run of a conversation streams its own events, under their seq in the conversation', async () => {
  const conversationId = await createTestConversation(api.db, person.id);
  const state = { id: conversationId, userId: person.id, token: '' };
  await storeEvents(api.db, state, ['before', 'before']);
  const earlier = await startRun(conversationId);
  await earlier.end();
  const run = await startRun(conversationId);
  const source = await listen(run.pipelineId);
  await source.received(1);
  await storeEvents(api.db, state, ['meanwhile']);
  await run.endAgent('a');
  await run.end();
  await until('it has ended', source.ended);
  expect(source.frames().map(({ id, event }) => `${String(id)} ${event}`)).toEqual([
    '5 pipeline_started',
    '7 agent_completed',
    '8 pipeline_result',
  ]);
  expect(source.frames()[0]?.data).toMatchObject({
    conversation_id: conversationId,
    pipeline_id: run.pipelineId,
    seq: 5,
  });
});

test('extended events come to those who ask, what is not stored without an id', async () => {
  const conversationId = await createTestConversation(api.db, person.id);
  const run = await startRun(conversationId);
  const [source, plain] = [
    await listen(run.pipelineId, { query: '?events=extended' }),
    await listen(run.pipelineId),
  ];
  await Promise.all([source.received(1), plain.received(1)]);
  const agent = run.agent('a');
  const tell = agent.beginReply();
  tell('안녕\n🙂');
  await source.received(3);
  tell(' and on');
  await agent.end();
  await run.endAgent('a');
  await run.end();
  await until('both have ended', () => source.ended() && plain.ended());
  expect(source.frames().map(({ id, event }) => `${String(id)} ${event}`)).toEqual([
    '1 pipeline_started',
    'null agent_started',
    'null agent_delta',
    'null agent_delta',
    '2 agent_completed',
    '3 pipeline_result',
  ]);
  expect(source.frames()[2]?.data).toMatchObject({ offset: 0, text: '안녕\n🙂' });
  expect(source.frames()[3]?.data).toMatchObject({ offset: 5, text: ' and on' });
  expect(plain.types()).toEqual(['pipeline_started', 'agent_completed', 'pipeline_result']);
});

describe('who may listen', () => {
  test('the owner, with a token or an API key', async () => {
    const run = await startRun();
    const { body } = await api.send('POST', '/api-keys', {
      token: person.token,
      body: { name: 'script' },
    });
    const source = await listen(run.pipelineId, {
      headers: { Authorization: '', 'X-API-Key': body.key },
    });
    await source.received(1);
  });

  test('no other user: a foreign run is like a missing one', async () => {
    const run = await startRun();
    person = await api.register();
    const statuses = [run.pipelineId, randomUUID(), 'no-uuid'].map(async (id) => {
      const { status, body } = await api.send('GET', `/pipelines/${id}/events`, {
        token: person.token,
      });
      return { status, body };
    });
    const expected = { status: 404, body: { detail: 'Pipeline run not found' } };
    expect(await Promise.all(statuses)).toEqual([expected, expected, expected]);
    expect((await api.send('GET', `/pipelines/${run.pipelineId}/events`)).status).toBe(401);
  });
});

describe('connections', () => {
  /** How many places the person has left: two in all. */
  const isFree = async (run: LiveRun): Promise<boolean> => {
    const source = await listen(run.pipelineId);
    source.hangUp();
    return source.status === 200;
  };

  test('are counted with the sockets: beyond the limit a client is sent away for a while', async () => {
    const run = await startRun();
    const [first] = [await listen(run.pipelineId), await listen(run.pipelineId)];
    const third = await listen(run.pipelineId);
    expect(third.status).toBe(429);
    expect(Number(third.headers.get('Retry-After'))).toBeGreaterThan(0);
    first.hangUp();
    await until('a place is free', () => isFree(run));
  });

  test('are free again after the end of a run, a refusal, and a HEAD request', async () => {
    const run = await startRun();
    const path = `/api/v1/pipelines/${run.pipelineId}/events`;
    const headers = { Authorization: `Bearer ${person.token}` };
    for (let time = 0; time < 3; time += 1) {
      const head = await api.request(path, { method: 'HEAD', headers });
      expect(head.status).toBe(200);
      expect((await listen(run.pipelineId, { query: '?after=x' })).status).toBe(422);
    }
    const both = [await listen(run.pipelineId), await listen(run.pipelineId)];
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    await run.end();
    await until('they have ended', () => both.every((source) => source.ended()));
    const next = await startRun();
    const again = [await listen(next.pipelineId), await listen(next.pipelineId)];
    expect(again.map(({ status }) => status)).toEqual([200, 200]);
  });

  test('of clients that vanish while they are admitted are free again', async () => {
    const run = await startRun();
    for (let time = 0; time < 5; time += 1) {
      const controller = new AbortController();
      const path = `/api/v1/pipelines/${run.pipelineId}/events`;
      const headers = { Authorization: `Bearer ${person.token}` };
      const asked = api.request(path, { headers, signal: controller.signal });
      controller.abort();
      await asked.catch(() => undefined);
    }
    await until('both places are free', async () => {
      const both = [await listen(run.pipelineId), await listen(run.pipelineId)];
      both.forEach((source) => {
        source.hangUp();
      });
      return both.every(({ status }) => status === 200);
    });
  });
});

test('a client that does not read gets no more than fits, and all of it when it does', async () => {
  const conversationId = await createTestConversation(api.db, person.id);
  const run = await startRun(conversationId);
  const url = `${api.url}/api/v1/pipelines/${run.pipelineId}/events?events=extended`;
  const response = await fetch(url, { headers: { Authorization: `Bearer ${person.token}` } });
  const agent = run.agent('a');
  const tell = agent.beginReply();
  const piece = 'x'.repeat(2_000);
  for (let sent = 0; sent < 200_000; sent += piece.length) {
    tell(piece);
  }
  await agent.end();
  await run.endAgent('a');
  await run.end();
  const text = await response.text(); // only now it reads
  expect(text).toContain('event: pipeline_result');
});

test('a stream ends after a while, and its client comes back', async () => {
  const own = await startApiServer({ config: { eventStreamMs: 100 } });
  await until('redis is there', () => own.bus.isAvailable());
  const owner = await own.register();
  const run = await startLiveRun({ ...own, userId: owner.id, conversationId: null });
  const url = `${own.url}/api/v1/pipelines/${run.pipelineId}/events`;
  const source = await openEventSource(url, { Authorization: `Bearer ${owner.token}` });
  await until('it has ended', source.ended);
  expect(source.types()).toEqual(['pipeline_started']);
  await own.close();
});

test('a stream that no client reads any more ends, too', async () => {
  let closed = 0;
  let ended = 0;
  const deps = {
    eventSubscriptions: {
      open: () => ({ wake: () => undefined, close: () => void (closed += 1) }),
      close: () => undefined,
    },
    stopping: new AbortController().signal,
    heartbeatMs: 10,
    longestMs: 50,
  };
  const wish = { streamId: '', pipelineId: '', after: 0, isExtended: false };
  const body = openEventStream(deps, { ...wish, onEnd: () => void (ended += 1) });
  await until('its end', () => ended === 1);
  body.destroy(); // when the connection is noticed to be lost
  await until('it is closed', () => body.closed);
  expect([closed, ended]).toEqual([1, 1]);
});

test('a process that is about to end ends its streams, and those that come late', async () => {
  const own = await startApiServer();
  await until('redis is there', () => own.bus.isAvailable());
  const owner = await own.register();
  const run = await startLiveRun({ ...own, userId: owner.id, conversationId: null });
  const url = `${own.url}/api/v1/pipelines/${run.pipelineId}/events`;
  const headers = { Authorization: `Bearer ${owner.token}` };
  const source = await openEventSource(url, headers);
  await source.received(1);
  own.stopWaiting();
  await until('it has ended', source.ended);
  expect(source.headers.get('Connection')).toBe('close'); // nothing is left to wait for
  const late = await openEventSource(url, headers);
  await until('it has ended, too', late.ended);
  expect(late.types()).not.toContain('pipeline_result');
  await own.close();
});
