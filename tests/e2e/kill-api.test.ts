/** SIGKILL of the API while turns, runs and sockets are open; another one starts on its port. */
import { findFreePort } from '../../scripts/embedded/ports.js';
import { register, type Answer, type Chat, type Person } from '../support/person.js';
import { startProduct, type Product } from '../support/product.js';
import { createFixture, isOf, withoutTimesAndIds, type Story } from '../support/stories.js';
import { startProxyOf } from '../support/server-proxies.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { startStandInVendors, type StandInVendors } from '../support/vendors/server.js';

const LONG_LEASE_SECONDS = '60';
const SHORT_LEASE_SECONDS = '2';

let vendors: StandInVendors;
let temporal: TcpProxy;
let product: Product;
let port: string;
let undisturbed: Story;

beforeAll(async () => {
  temporal = await startProxyOf('temporal');
  vendors = await startStandInVendors();
  port = String(await findFreePort());
  product = await startProduct({ apis: 0, env: { OPENAI_BASE_URL: vendors.openAiUrl } });
  await startApi();
});
afterAll(async () => {
  await product.stop();
  await vendors.close();
  await temporal.close();
});

async function startApi(): Promise<void> {
  await product.startApi({
    PORT: port,
    WS_LEASE_SECONDS: LONG_LEASE_SECONDS,
    TEMPORAL_ADDRESS: `127.0.0.1:${temporal.port}`,
  });
}

const DESIGN = {
  name: 'One step',
  description: 'Something small',
  agents: [{ name: 'only', role: 'analyzer', llm_model: 'gpt-4o-mini', description: 'only one' }],
};

function execute(person: Person): Promise<Answer | 'cut off'> {
  return person
    .ask('POST', '/pipelines/execute', { design: DESIGN })
    .catch(() => 'cut off' as const);
}

/** The person's latest run, as the table has it. */
function runOf({ userId }: Person) {
  return product.db
    .selectFrom('pipelineExecutions')
    .select(['id', 'status', 'holdsSlot'])
    .where('userId', '=', userId)
    .executeTakeFirst();
}

async function opensSocket(person: Person, conversationId: string): Promise<Chat | null> {
  const chat = await person.chat(conversationId, 'after=0&events=basic');
  chat.sendRaw('no json'); // answered by an error, unless the socket is refused
  const isAnswered = () => chat.events.some((event) => event['code'] === undefined);
  await until('an answer', () => chat.closed !== null || isAnswered());
  return chat.closed === null ? chat : null;
}

describe('an API that is killed', () => {
  let inTurn: Story;
  let waiting: { person: Person; answer: Promise<Answer | 'cut off'> };
  let admitted: { person: Person; answer: Promise<Answer | 'cut off'> };
  let connected: { person: Person; conversationId: string };
  let elsewhere: { person: Person; conversationId: string };

  beforeAll(async () => {
    const fixture = createFixture(vendors);
    undisturbed = await fixture.enter(product.url);
    await undisturbed.finish();

    inTurn = await fixture.enter(product.url);
    const designs = inTurn.hold('designs');
    inTurn.request();
    await inTurn.arrived('designs');

    const waiter = await fixture.enter(product.url);
    const only = waiter.hold('only');
    waiting = { person: waiter.person, answer: execute(waiter.person) };
    await waiter.arrived('only');

    connected = await withTwoSockets(product.url);
    expect(await opensSocket(connected.person, connected.conversationId)).toBeNull();
    const other = await product.startApi({ WS_LEASE_SECONDS: SHORT_LEASE_SECONDS });
    elsewhere = await withTwoSockets(other.url);

    const orderer = await register(product.url);
    temporal.freeze();
    admitted = { person: orderer, answer: execute(orderer) };
    await until('the run is admitted', () => runOf(orderer));

    await Promise.all(product.apis.map((api) => api.kill()));
    designs.open();
    only.open();
    await until('the answer is stored', () => hasAnswer(inTurn));
    await temporal.restore();
    await startApi();
    await inTurn.reconnect();
  });

  async function withTwoSockets(url: string) {
    const person = await register(url);
    const conversationId = await person.startConversation();
    expect(await opensSocket(person, conversationId)).not.toBeNull();
    expect(await opensSocket(person, conversationId)).not.toBeNull();
    return { person, conversationId };
  }

  async function hasAnswer({ conversationId }: Story): Promise<boolean> {
    const stream = await product.db
      .selectFrom('streams')
      .select('lastSeq')
      .where('id', '=', conversationId)
      .executeTakeFirst();
    return stream?.lastSeq === 2;
  }

  test('loses no answer: a client that connects again gets what came meanwhile, and goes on', async () => {
    await inTurn.sees('designs', isOf('designs_presented'));
    await inTurn.finish();
    expect(withoutTimesAndIds(inTurn.events)).toEqual(withoutTimesAndIds(undisturbed.events));
    expect(inTurn.events.map(({ seq }) => seq)).toEqual(inTurn.events.map((_, at) => at + 1));
    expect(inTurn.calls()).toEqual(undisturbed.calls());
  });

  test('loses no run: it ends, can be read, and frees its lock', async () => {
    const { person } = waiting;
    expect(await waiting.answer).toBe('cut off');
    const run = await until('the end of the run', async () => {
      const found = await runOf(person);
      return found?.status === 'completed' ? found : null;
    });
    expect(run.holdsSlot).toBe(false);
    const result = await person.ask('GET', `/pipelines/${run.id}/result`);
    expect(result).toMatchObject({ status: 200, body: { status: 'completed' } });
    expect(await execute(person)).toMatchObject({ status: 200, body: { status: 'completed' } });
  });

  test('between admitting a run and starting it leaves a run that starts nevertheless', async () => {
    const { person } = admitted;
    expect(await admitted.answer).toBe('cut off');
    await until('the end of the run', async () => (await runOf(person))?.status === 'completed');
    expect(await execute(person)).toMatchObject({ status: 200, body: { status: 'completed' } });
  });

  test('leaves no socket counted once it has started again', async () => {
    const { person, conversationId } = connected;
    expect(await opensSocket(person, conversationId)).not.toBeNull();
    expect(await opensSocket(person, conversationId)).not.toBeNull();
    expect(await opensSocket(person, conversationId)).toBeNull();
  });

  test('for good leaves sockets counted no longer than their lease', async () => {
    const { conversationId } = elsewhere;
    const person = elsewhere.person.at(product.apis.at(-1)?.url ?? '');
    await until('a place', () => opensSocket(person, conversationId));
    expect(await opensSocket(person, conversationId)).not.toBeNull();
  });
});
