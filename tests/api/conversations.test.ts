import { randomUUID } from 'node:crypto';
import type { KyselyPlugin } from 'kysely';
import { readSession } from '../../api/socket/sessions.js';
import { saveDiscussion } from '../../db/discussions/discussions.js';
import { appendEvents } from '../../db/events.js';
import { startMachine } from '../../domain/discussion/machine.js';
import { startDiscussionState } from '../../domain/discussion/state.js';
import { addMessage } from '../support/messages.js';
import { TEST_MACS } from '../support/redis.js';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';

let api: ApiServer;
let person: Person;
beforeAll(async () => {
  api = await startApiServer();
});
beforeEach(async () => {
  person = await api.register();
});
afterAll(() => api.close());

const begin = (title: unknown, more: object = {}) =>
  api.send('POST', '/conversations', { token: person.token, body: { title, ...more } });
const list = () => api.send('GET', '/conversations', { token: person.token });
const read = (id: string) => api.send('GET', `/conversations/${id}`, { token: person.token });
const say = (conversationId: string, content: string, metadata: Record<string, unknown> | null) =>
  api.db
    .transaction()
    .execute((tx) =>
      addMessage(tx, { id: randomUUID(), conversationId, role: 'user', content, metadata }),
    );

test('a new conversation is the caller’s, active, and dated in UTC', async () => {
  const { status, body } = await begin('새 대화', { user_id: randomUUID() });
  expect(status).toBe(201);
  expect(body).toEqual({
    id: expect.stringMatching(/^[\da-f-]{36}$/),
    user_id: person.id,
    title: '새 대화',
    status: 'active',
    created_at: expect.stringMatching(/Z$/),
    updated_at: expect.stringMatching(/Z$/),
  });
  const line = { event: 'request', userId: person.id, conversationId: body.id };
  expect(api.lines().at(-1)).toMatchObject(line);
});

test.each([
  ['', 'String should have at least 1 character'],
  ['x'.repeat(256), 'String should have at most 255 characters'],
  [7, 'Input should be a valid string'],
  [null, 'Input should be a valid string'],
  [undefined, 'Field required'],
  ['a\0b', 'Value error, text must not contain NUL characters'],
])('the title %j is 422: %s', async (title, msg) => {
  const { status, body } = await begin(title);
  expect([status, body]).toEqual([422, { detail: [{ field: 'title', msg }] }]);
});

test('a title of 255 characters fits, however many bytes they are', async () => {
  expect((await begin('🙂'.repeat(255))).status).toBe(201);
});

test('the one with the latest message comes first, and no other user’s is listed', async () => {
  const [first, second] = [await begin('first'), await begin('second')];
  const stranger = await api.register();
  await api.send('POST', '/conversations', { token: stranger.token, body: { title: 'theirs' } });
  await say(first.body.id, 'hello', null);
  const { status, body } = await list();
  expect(status).toBe(200);
  expect(body.map((entry: { id: string }) => entry.id)).toEqual([first.body.id, second.body.id]);
});

test('messages come oldest first, with metadata_ under that very name', async () => {
  const { body } = await begin('talk');
  await say(body.id, 'one', { type: 'x', nested_key: { camelCase: 1 } });
  await say(body.id, 'two', null);
  const answer = await read(body.id);
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({ id: body.id, title: 'talk' });
  expect(answer.body.messages).toEqual([
    {
      id: expect.any(String),
      conversation_id: body.id,
      role: 'user',
      content: 'one',
      metadata_: { type: 'x', nested_key: { camelCase: 1 } },
      created_at: expect.stringMatching(/Z$/),
    },
    expect.objectContaining({ content: 'two', metadata_: null }),
  ]);
});

test('messages of the very same time keep the order in which they were stored', async () => {
  const { body } = await begin('talk');
  const createdAt = new Date();
  const contents = Array.from({ length: 20 }, (_, index) => `number ${index}`);
  const rows = contents.map((content) => ({
    ...{ id: randomUUID(), conversationId: body.id as string, role: 'user' as const },
    ...{ content, createdAt },
  }));
  await api.db.insertInto('messages').values(rows).execute();
  const { messages } = (await read(body.id)).body;
  expect(messages.map(({ content }: { content: string }) => content)).toEqual(contents);
});

test('lists are complete, however long: conversations and their messages', async () => {
  const { body: first } = await begin('first');
  const many = 300;
  const conversations = Array.from({ length: many - 1 }, () => ({
    ...{ id: randomUUID(), userId: person.id, title: 'more' },
  }));
  await api.db.insertInto('conversations').values(conversations).execute();
  const messages = Array.from({ length: many }, () => ({
    ...{
      id: randomUUID(),
      conversationId: first.id as string,
      role: 'user' as const,
      content: 'x',
    },
  }));
  await api.db.insertInto('messages').values(messages).execute();
  expect((await list()).body).toHaveLength(many);
  expect((await read(first.id)).body.messages).toHaveLength(many);
});

test.each(['PUT', 'PATCH', 'DELETE'])(
  'no route changes or deletes one: %s is 405',
  async (method) => {
    const { body } = await begin('stays');
    const answer = await api.send(method, `/conversations/${body.id}`, { token: person.token });
    expect([answer.status, answer.body]).toEqual([405, { detail: 'Method Not Allowed' }]);
  },
);

test('a foreign conversation is exactly like a missing one', async () => {
  const stranger = await api.register();
  const theirs = await api.send('POST', '/conversations', {
    token: stranger.token,
    body: { title: 'theirs' },
  });
  const [foreign, missing] = [await read(theirs.body.id), await read(randomUUID())];
  expect([foreign.status, foreign.body]).toEqual([404, { detail: 'Conversation not found' }]);
  expect([missing.status, missing.body]).toEqual([foreign.status, foreign.body]);
  const namesOf = (headers: Headers) => [...headers.keys()];
  expect(namesOf(missing.headers)).toEqual(namesOf(foreign.headers));
});

test('without signing in there is nothing to see', async () => {
  for (const [method, path] of [
    ['POST', '/conversations'],
    ['GET', '/conversations'],
    ['GET', `/conversations/${randomUUID()}`],
  ] as const) {
    expect((await api.send(method, path)).status).toBe(401);
  }
});

describe('the status snapshot of its discussion', () => {
  const discussionState = {
    ...startDiscussionState('en'),
    machine: { ...startMachine(), state: 'plan', round: 2 },
  } as const;
  const store = (conversationId: string) =>
    api.db
      .transaction()
      .execute((tx) =>
        saveDiscussion(tx, { conversationId, userId: person.id, talk: discussionState }),
      );

  test('is null before the first answer', async () => {
    const { body } = await begin('A talk');
    expect((await read(body.id)).body.discussion).toBeNull();
  });

  test('is rebuilt from PostgreSQL where Redis has forgotten it, and kept in Redis again', async () => {
    const { body } = await begin('A talk');
    await store(body.id);
    const expected = { state: 'plan', round: 2, designs: [] };
    expect((await read(body.id)).body.discussion).toEqual(expected);
    const other = JSON.stringify({
      ...discussionState,
      machine: { ...discussionState.machine, round: 9 },
    });
    await api.db.updateTable('discussions').set({ talk: other }).execute();
    expect((await read(body.id)).body.discussion).toEqual(expected);
  });

  test.each([
    ['what carries no MAC of ours', (view: string) => view.slice(22)],
    ['what is changed', (view: string) => view.replace('"plan"', '"debate"')],
    ['nothing that can be read', () => '\0'],
    ['more than any view', () => 'x'.repeat(5_000_000)],
  ])('is what PostgreSQL says where Redis holds %s', async (_what, forge) => {
    const { body } = await begin('A talk');
    await store(body.id);
    await read(body.id);
    const key = `agentforge:session:${body.id}`;
    const view = (await api.redis.hget(key, 'view')) ?? '';
    await api.redis.hset(key, 'view', forge(view), 'storedWith', 10 ** 15, 'lastSeq', 'none');
    expect((await read(body.id)).body.discussion).toMatchObject({ state: 'plan', round: 2 });
  });

  test('is the latest where Redis holds an earlier view, or another conversation’s', async () => {
    const [{ body }, other] = [await begin('A talk'), await begin('Another one')];
    await store(body.id);
    await read(body.id);
    const key = `agentforge:session:${body.id}`;
    const earlier = await api.redis.hgetall(key);
    await api.db.transaction().execute((tx) =>
      saveDiscussion(tx, {
        ...{ conversationId: body.id, userId: person.id },
        talk: {
          ...discussionState,
          version: discussionState.version + 1,
          machine: { ...discussionState.machine, round: 3 },
        },
      }),
    );
    await api.redis.hset(key, earlier);
    expect((await read(body.id)).body.discussion).toMatchObject({ round: 3 });
    await api.redis.hset(`agentforge:session:${other.body.id}`, earlier);
    expect((await read(other.body.id)).body.discussion).toBeNull();
  });

  test('is never an old state under a newer seq, when a turn ends while it is rebuilt', async () => {
    const { body } = await begin('A talk');
    const warned = { type: 'security_warning', content: '', safe: false } as const;
    let version = 0;
    const endTurn = (state: 'debate' | 'plan') =>
      api.db.transaction().execute(async (tx) => {
        const conversationId: string = body.id;
        version += 1;
        const changed = {
          ...discussionState,
          version,
          machine: { ...discussionState.machine, state },
        };
        await saveDiscussion(tx, { conversationId, userId: person.id, talk: changed });
        const steps = [{ stepKey: state, event: warned }];
        await appendEvents(tx, { streamId: conversationId, conversationId, steps });
      });
    await endTurn('debate');
    const afterReads = [() => endTurn('plan'), () => Promise.resolve()]; // the last one first
    const slowly: KyselyPlugin = {
      transformQuery: ({ node }) => node,
      async transformResult({ result }) {
        await afterReads.pop()?.();
        return result;
      },
    };
    const store = { redis: api.redis, macs: TEST_MACS };
    await readSession({ db: api.db.withPlugin(slowly), ...store }, body.id);
    expect(await readSession({ db: api.db, ...store }, body.id)).toMatchObject({
      state: 'plan',
      lastSeq: 1,
    });
  });
});
