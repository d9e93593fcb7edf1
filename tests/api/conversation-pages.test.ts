/** Conversations and their messages, page by page; answers without the new parameters stay as they were. */
import { randomUUID } from 'node:crypto';
import { addMessage } from '../support/messages.js';
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

const ask = (path: string, token = person.token) => api.send('GET', path, { token });
const search = (query = '') => ask(`/conversations/search${query}`);

async function begin(title: string): Promise<string> {
  const { body } = await api.send('POST', '/conversations', {
    token: person.token,
    body: { title },
  });
  return body.id as string;
}

async function say(conversationId: string, content: string): Promise<string> {
  const id = randomUUID();
  await api.db
    .transaction()
    .execute((tx) =>
      addMessage(tx, { id, conversationId, role: 'user', content, metadata: { seq: 1 } }),
    );
  return id;
}

const titlesOf = (body: any) => body.items.map(({ title }: { title: string }) => title);

describe('GET /conversations/search', () => {
  test('pages through own conversations, the one with the latest message first', async () => {
    const first = await begin('first');
    await begin('second');
    await begin('third');
    await say(first, 'hello');
    const page = await search('?limit=2');
    expect([page.status, titlesOf(page.body)]).toEqual([200, ['first', 'third']]);
    const last = await search(`?limit=2&after=${page.body.next}`);
    expect([titlesOf(last.body), last.body.next]).toEqual([['second'], null]);
    const { body: all } = await ask('/conversations');
    expect([...page.body.items, ...last.body.items]).toEqual(all);
  });

  test.each([
    ['sales', ['Sales of 2026']],
    ['SALES OF', ['Sales of 2026']],
    ['%', ['100% done']],
    ['_', []],
    ['\\', []],
    ['매출', ['매출 분석']],
    ['매출'.normalize('NFD'), ['매출 분석']],
    ['분석', ['매출 분석']],
  ])('finds titles that contain %j', async (text, titles) => {
    await begin('Sales of 2026');
    await begin('100% done');
    await begin('매출 분석'.normalize('NFD'));
    const { body } = await search(`?search=${encodeURIComponent(text)}`);
    const found = titlesOf(body).map((title: string) => title.normalize('NFC'));
    expect([found, body.next]).toEqual([titles, null]);
  });

  test('finds by status', async () => {
    const id = await begin('old');
    await begin('new');
    await api.db
      .updateTable('conversations')
      .set({ status: 'archived' })
      .where('id', '=', id)
      .execute();
    expect(titlesOf((await search('?status=archived')).body)).toEqual(['old']);
    expect(titlesOf((await search('?status=active&search=o')).body)).toEqual([]);
  });

  test('shows nothing of others', async () => {
    await begin('mine');
    const { token } = await api.register();
    const { body } = await ask('/conversations/search?search=mine', token);
    expect(body).toEqual({ items: [], next: null });
  });

  test.each([
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['after=x', 'after'],
    ['search=', 'search'],
    [`search=${'x'.repeat(201)}`, 'search'],
    ['status=deleted', 'status'],
  ])('?%s is 422', async (query, field) => {
    const { status, body } = await search(`?${query}`);
    expect([status, body.detail[0].field]).toEqual([422, `query.${field}`]);
  });
});

describe('messages', () => {
  let id: string;
  beforeEach(async () => {
    id = await begin('long');
    for (const content of ['1', '2', '3', '4', '5']) {
      await say(id, content);
    }
  });
  const contentsOf = (messages: any) => messages.map((it: { content: string }) => it.content);

  test.each([
    ['', ['5', '4', '3', '2', '1']],
    ['&order=newest', ['5', '4', '3', '2', '1']],
    ['&order=oldest', ['1', '2', '3', '4', '5']],
  ])('come in pages%s', async (order, contents) => {
    const found: string[] = [];
    let next: string | null = null;
    do {
      const after = next === null ? '' : `&after=${next}`;
      const { status, body } = await ask(`/conversations/${id}/messages?limit=2${order}${after}`);
      expect(status).toBe(200);
      expect(body.items.length).toBeLessThanOrEqual(2);
      found.push(...contentsOf(body.items));
      next = body.next;
    } while (next !== null);
    expect(found).toEqual(contents);
  });

  test('look as they do in the whole conversation', async () => {
    const { body: whole } = await ask(`/conversations/${id}`);
    const { body: page } = await ask(`/conversations/${id}/messages?order=oldest`);
    expect(page).toEqual({ items: whole.messages, next: null });
  });

  test('a conversation comes with its latest messages alone where asked', async () => {
    const { body: whole } = await ask(`/conversations/${id}`);
    const { body: some } = await ask(`/conversations/${id}?messages=2`);
    expect(some).toEqual({ ...whole, messages: whole.messages.slice(-2) });
    expect((await ask(`/conversations/${id}?messages=0`)).body.messages).toEqual([]);
    expect((await ask(`/conversations/${id}?messages=101`)).status).toBe(422);
  });

  test('a page ends early where messages are large, and holds one at least', async () => {
    const large = 'x'.repeat(700_000);
    await say(id, large);
    await say(id, large);
    await say(id, large);
    const { body } = await ask(`/conversations/${id}/messages`);
    expect(contentsOf(body.items)).toEqual([large, large]);
    const rest = await ask(`/conversations/${id}/messages?after=${body.next}`);
    expect(contentsOf(rest.body.items)).toEqual([large, '5', '4', '3', '2', '1']);
  });

  test('after a message of another conversation there is nothing', async () => {
    const other = await say(await begin('other'), 'x');
    const { body } = await ask(`/conversations/${id}/messages?after=${other}`);
    expect(body).toEqual({ items: [], next: null });
  });

  test('of others are not found', async () => {
    const { token } = await api.register();
    const foreign = await ask(`/conversations/${id}/messages`, token);
    const missing = await ask(`/conversations/${randomUUID()}/messages`, token);
    expect([foreign.status, foreign.body]).toEqual([404, { detail: 'Conversation not found' }]);
    expect([missing.status, missing.body]).toEqual([foreign.status, foreign.body]);
  });
});
