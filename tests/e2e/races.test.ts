/** A hundred requests at once, over two API processes, against each limit: exactly it passes. */
import { randomUUID } from 'node:crypto';
import { utcDay } from '../../domain/account/days.js';
import type { Role } from '../../domain/account/permissions.js';
import { connectChat, type ChatClient } from '../support/chat-client.js';
import { enter } from '../support/newcomers.js';
import type { Answer, Person } from '../support/person.js';
import { startProduct, type Product } from '../support/product.js';
import { startProxyOf } from '../support/server-proxies.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { billOf, startVendorProduct, type VendorProduct } from '../support/vendor-product.js';

const AT_ONCE = 100;
/** Where each request costs a hash of a password. */
const DEAR = 16;
const AUTH_RATE_LIMIT = 5;
const RATE_LIMIT_FREE = 10;
const DESIGN = {
  name: 'One step',
  description: 'Something small',
  agents: [{ name: 'only', role: 'analyzer', llm_model: 'gpt-4o-mini', description: 'only one' }],
};

/** The process whose turn it is. */
const apiFor = ({ apis }: Product, index: number) => apis[index % apis.length]?.url ?? '';

function atOnce<T>(work: (index: number) => Promise<T>, count = AT_ONCE): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)));
}

/** How often each answer came: `201`, or `429 Rate limit exceeded`. */
function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const name = status < 400 ? String(status) : `${status} ${JSON.stringify(body.detail)}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function ask(product: Product, person: Person, order: { path: string; body: object }) {
  return atOnce((index) =>
    person.at(apiFor(product, index)).ask('POST', order.path, order.body, {
      Prefer: 'respond-async',
    }),
  );
}

/** One socket for each conversation; `greet` is what each sends once it is open. */
async function connectAll(product: Product, person: Person, greet: string) {
  const ids = await atOnce(() => person.startConversation());
  return ids.map((id, index) => {
    const at = apiFor(product, index).replace('http', 'ws');
    const chat = connectChat(`${at}/api/v1/ws/chat/${id}?token=${person.token}`);
    chat.socket.once('open', () => {
      chat.socket.send(greet);
    });
    return chat;
  });
}

/** Of a client that was never seen before. */
function anAddress(): string {
  return `2001:db8:${randomUUID().slice(0, 4)}:${randomUUID().slice(0, 4)}::1`; // a /64 of its own
}

function closeAll(chats: readonly ChatClient[]): void {
  chats.forEach(({ socket }) => {
    socket.terminate();
  });
}

async function setRole({ db }: Product, { userId: id }: Person, role: Role): Promise<void> {
  await db.updateTable('users').set({ role }).where('id', '=', id).execute();
}

/** Many sockets of one user, who has a role with these limits by now. */
async function demoted(product: Product, role: Role) {
  const person = await enter(product, 'admin');
  const chats = await connectAll(product, person, 'is it open?');
  await until('all are open', () => chats.every(({ frames }) => frames.length > 0));
  await setRole(product, person, role);
  return { person, chats };
}

/** The last event of each conversation, once all have an echo and an answer: sockets beyond the new role's number close. */
async function answersOf({ db }: Product, { userId }: Person): Promise<readonly string[]> {
  return until('all are answered', async () => {
    const stored = await db
      .selectFrom('streamEvents')
      .innerJoin('conversations', 'conversations.id', 'streamEvents.streamId')
      .select('streamEvents.event')
      .where('conversations.userId', '=', userId)
      .where('streamEvents.seq', '=', 2)
      .execute();
    return stored.length === AT_ONCE ? stored.map(({ event }) => event.type) : null;
  });
}

describe.each([
  { redis: 'is there', processes: 1 },
  { redis: 'is away', processes: 2 }, // what is counted in Redis is counted by each of both then
])('while Redis $redis', ({ redis, processes }) => {
  let proxy: TcpProxy;
  let product: Product;
  beforeAll(async () => {
    proxy = await startProxyOf('redis');
    product = await startProduct({
      apis: 2,
      workers: 0,
      ports: { redis: proxy.port },
      env: {
        AUTH_RATE_LIMIT: String(AUTH_RATE_LIMIT),
        TRUSTED_PROXY_COUNT: '1',
        RATE_LIMIT_FREE: String(RATE_LIMIT_FREE),
        RATE_LIMIT_PRO: '-1',
      },
    });
    if (redis === 'is away') {
      await proxy.cut();
      await until('both have noticed', () =>
        product.apis.every(({ lines }) => lines.some((line) => line.includes('redis unavailable'))),
      );
    }
  });
  afterAll(async () => {
    await product.stop();
    await proxy.close();
  });

  test('50 templates', async () => {
    const person = await enter(product, 'pro');
    const body = { name: 'T', graph_data: {}, design_data: {} };
    expect(tally(await ask(product, person, { path: '/templates', body }))).toEqual({
      201: 50,
      '400 "Template limit reached (max 50)"': 50,
    });
    expect((await person.ask('GET', '/templates')).body).toHaveLength(50);
  });

  test('20 API keys', async () => {
    const person = await enter(product, 'pro');
    expect(
      tally(await ask(product, person, { path: '/api-keys', body: { name: 'script' } })),
    ).toEqual({ 201: 20, '400 "API key limit reached (max 20)"': 80 });
    expect((await person.ask('GET', '/api-keys')).body).toHaveLength(20);
  });

  test(`${AUTH_RATE_LIMIT} attempts to sign in from one address`, async () => {
    const headers = {
      'content-type': 'application/json',
      'x-forwarded-for': `${anAddress()}, ::1`,
    };
    const answers = await atOnce(async (index) => {
      const body = JSON.stringify({ email: `${randomUUID()}@example.com`, password: 'Wrong0000' });
      const path = `${apiFor(product, index)}/api/v1/auth/login`;
      const answer = await fetch(path, { method: 'POST', headers, body });
      return { status: answer.status, body: (await answer.json()) as any, headers: answer.headers };
    });
    const passed = AUTH_RATE_LIMIT * processes;
    expect(tally(answers)).toEqual({
      '401 "Invalid email or password"': passed,
      '429 "Too many authentication attempts. Please try again later."': AT_ONCE - passed,
    });
  });

  // Redis has no part in it; a hundred at once: tests/api/auth.test.ts, where hashes are cheap
  if (redis === 'is there') {
    test('one account of an e-mail address, however it is written', async () => {
      const [local, domain] = [`Race.${randomUUID()}`, 'example.com'];
      const spellings = [local, local.toUpperCase(), local.toLowerCase()].flatMap((name) => [
        `${name}@${domain}`,
        ` ${name}@${domain.toUpperCase()} `,
      ]);
      const answers = await atOnce(async (index) => {
        const email = spellings[index % spellings.length];
        const body = JSON.stringify({ email, password: 'Passw0rd', display_name: 'Somebody' });
        const headers = {
          'content-type': 'application/json',
          'x-forwarded-for': `${anAddress()}, ::1`, // each its own, so that no limiter counts
        };
        const path = `${apiFor(product, index)}/api/v1/auth/register`;
        const answer = await fetch(path, { method: 'POST', headers, body });
        return {
          status: answer.status,
          body: (await answer.json()) as any,
          headers: answer.headers,
        };
      }, DEAR);
      expect(tally(answers)).toEqual({ 201: 1, '409 "Email already registered"': DEAR - 1 });
    });
  }

  test(`${RATE_LIMIT_FREE} writes a minute`, async () => {
    const person = await enter(product, 'free');
    const startedAt = Date.now();
    const order = { path: '/conversations', body: { title: 'x' } };
    const { 201: passed, ...refused } = tally(await ask(product, person, order));
    const refilled = ((Date.now() - startedAt) / 60_000) * RATE_LIMIT_FREE * processes;
    expect(passed).toBeGreaterThanOrEqual(RATE_LIMIT_FREE * processes);
    expect(passed).toBeLessThanOrEqual(RATE_LIMIT_FREE * processes + refilled);
    expect(Object.keys(refused)).toEqual(['429 "Rate limit exceeded"']);
  });

  test('writes and messages together take them from one bucket', async () => {
    const person = await enter(product, 'free');
    const id = await person.startConversation();
    const chat = connectChat(
      `${product.url.replace('http', 'ws')}/api/v1/ws/chat/${id}?token=${person.token}`,
    );
    await until('it is open', () => chat.socket.readyState === chat.socket.OPEN);
    const used = 1; // by its conversation
    for (let count = used; count < RATE_LIMIT_FREE; count += 1) {
      chat.send({ content: 'one more' });
    }
    chat.send({ content: 'one too many' });
    const [refused] = await chat.received(1);
    expect(refused?.content).toMatch(/^Too many messages. Try again in [1-6] seconds.$/);
    const write = await person.ask('POST', '/conversations', { title: 'x' });
    expect([write.status, write.body.detail]).toEqual([429, 'Rate limit exceeded']);
    expect(Number(write.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    closeAll([chat]);
  });

  test('2 sockets', async () => {
    const person = await enter(product, 'admin');
    const ids = await atOnce(() => person.startConversation());
    await setRole(product, person, 'free');
    const closes: number[] = [];
    const chats = ids.map((id, index) => {
      const at = apiFor(product, index).replace('http', 'ws');
      const address = `${at}/api/v1/ws/chat/${id}?token=${person.token}&events=basic`;
      const chat = connectChat(address);
      chat.socket.once('open', () => {
        chat.socket.send('is it open?');
      });
      chat.socket.once('close', (code) => closes.push(code));
      return chat;
    });
    const isOpen = ({ frames }: ChatClient) => frames.some(({ code }) => code === undefined);
    const open = () => chats.filter(isOpen).length;
    await until('all is decided', () => closes.length + open() === AT_ONCE);
    expect(open()).toBe(2 * processes);
    expect(new Set(closes)).toEqual(new Set([1013]));
    closeAll(chats);
  });

  test('no run on a day that is spent', async () => {
    const person = await enter(product, 'pro');
    const day = { userId: person.userId, date: utcDay(new Date()), totalCost: '50' };
    await product.db.insertInto('userDailyCosts').values(day).execute();
    const order = { path: '/pipelines/execute', body: { design: DESIGN } };
    expect(tally(await ask(product, person, order))).toEqual({
      '429 "Daily cost limit exceeded: $50.00/$50.00"': AT_ONCE,
    });
    expect((await person.ask('GET', '/stats/summary')).body.total_pipelines).toBe(0);
  });

  test('one run at a time', async () => {
    const person = await enter(product, 'pro');
    const order = { path: '/pipelines/execute', body: { design: DESIGN } };
    expect(tally(await ask(product, person, order))).toEqual({
      202: 1,
      '429 "A pipeline is already running, wait for it to end"': AT_ONCE - 1,
    });
    expect((await person.ask('GET', '/stats/summary')).body.total_pipelines).toBe(1);
  });

  describe('with a worker', () => {
    beforeAll(async () => {
      await product.startWorker();
    });

    test('as many runs a day as are left', async () => {
      const person = await enter(product, 'pro');
      const startedToday = 97; // of a pro user's 100
      await product.db
        .insertInto('pipelineExecutions')
        .values(
          Array.from({ length: startedToday }, () => ({
            id: randomUUID(),
            userId: person.userId,
            designName: 'earlier',
            design: JSON.stringify({ ...DESIGN, agents: [] }),
            language: 'en',
            simulated: true,
            agentCount: 0,
            status: 'completed' as const,
            holdsSlot: false,
            countedOn: utcDay(new Date()),
          })),
        )
        .execute();
      const answers = await atOnce((index) => executeInTurn(person.at(apiFor(product, index))));
      expect(tally(answers)).toEqual({
        200: 3,
        '429 "Daily pipeline limit reached, try again tomorrow (UTC)"': AT_ONCE - 3,
      });
      expect((await person.ask('GET', '/stats/summary')).body.total_pipelines).toBe(100);
    });

    test('10 discussions a day', async () => {
      const { person, chats } = await demoted(product, 'free');
      chats.forEach((chat) => {
        chat.send({ content: 'help me' });
      });
      const answers = await answersOf(product, person);
      expect(answers.filter((type) => type === 'clarification')).toHaveLength(10);
      expect(answers.filter((type) => type === 'error')).toHaveLength(90);
      const counted = await product.db
        .selectFrom('conversations')
        .select('id')
        .where('userId', '=', person.userId)
        .where('countedOn', '=', utcDay(new Date()))
        .execute();
      expect(counted).toHaveLength(10);
      closeAll(chats);
    });
  });
});

/** Runs the design as soon as no other run of the user is in the way. */
async function executeInTurn(person: Person): Promise<Answer> {
  return until('the run or its refusal', async () => {
    const answer = await person.ask('POST', '/pipelines/execute', { design: DESIGN });
    return /already running/.test(JSON.stringify(answer.body)) ? null : answer;
  });
}

describe('a hundred discussions on the last five cents of a day', () => {
  let fixture: VendorProduct;
  beforeAll(async () => {
    fixture = await startVendorProduct({
      apis: 2,
      env: { SIMULATED_MODELS: 'false', OPENAI_API_KEY: 'sk-test-of-the-server' },
    });
  });
  afterAll(() => fixture.close());

  test('spend them to what the vendor bills and no further; the rest is answered by rules', async () => {
    const { product, vendors } = fixture;
    const { person, chats } = await demoted(product, 'pro');
    const before = '49.95';
    const day = { userId: person.userId, date: utcDay(new Date()), totalCost: before };
    await product.db.insertInto('userDailyCosts').values(day).execute();
    chats.forEach((chat) => {
      chat.send({ content: 'Compare three podcast apps by price and write a report about them' });
    });
    expect(new Set(await answersOf(product, person))).toEqual(new Set(['designs_presented']));

    const { totalCost } = await product.db
      .selectFrom('userDailyCosts')
      .select('totalCost')
      .where('userId', '=', person.userId)
      .executeTakeFirstOrThrow();
    const calls = vendors.calls.filter(({ usage }) => usage !== null);
    const spent = Number(totalCost) - Number(before);
    expect(spent).toBeCloseTo(Number(billOf(calls)), 9);
    expect(Number(totalCost)).toBeLessThanOrEqual(50);
    expect(calls.length).toBeGreaterThan(0);
    expect(calls.length).toBeLessThan(2 * AT_ONCE);
    closeAll(chats);
  });
});
