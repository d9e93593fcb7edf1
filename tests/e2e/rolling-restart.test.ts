/** Every API and worker is replaced, one after the other, while people talk and order runs. */
import { setTimeout as pause } from 'node:timers/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { openChat, type ChatEvent } from '../../client/index.js';
import { register, type Person } from '../support/person.js';
import { startProduct, type Product } from '../support/product.js';
import { until } from '../support/until.js';
import { startStandInVendors, type StandInVendors } from '../support/vendors/server.js';

const TALKERS = 10;
const BUYERS = 5;
const VENDOR_TAKES_MS = 300;
const PATIENCE_MS = 60_000;

interface Talked {
  readonly person: Person;
  readonly conversationId: string;
  readonly said: readonly string[];
  readonly events: readonly ChatEvent[];
  /** How often the socket was opened. */
  readonly connections: number;
  readonly runs: number;
}

let vendors: StandInVendors;
let product: Product;
let loadBalancer: LoadBalancer;
const exitCodes: (number | null)[] = [];
let talks: readonly Talked[] = [];
let orders: readonly { readonly person: Person; readonly pipelineId: string }[] = [];

beforeAll(async () => {
  vendors = await startStandInVendors();
  vendors.setBehaviour({ kind: 'answer', delayMs: VENDOR_TAKES_MS });
  loadBalancer = await openLoadBalancer();
  product = await startProduct({
    apis: 2,
    workers: 2,
    env: {
      SIMULATED_MODELS: 'false',
      DEFAULT_LLM_PROVIDER: 'openai',
      OPENAI_API_KEY: 'sk-stand-in',
      OPENAI_BASE_URL: vendors.openAiUrl,
      MODEL_CALLS_PER_KEY: '200',
      RATE_LIMIT_PRO: '-1',
    },
  });
  product.apis.forEach(({ url }) => {
    loadBalancer.add(url);
  });
  const people = await Promise.all(
    Array.from({ length: TALKERS + BUYERS }, () => register(loadBalancer.url)),
  );
  await product.db.updateTable('users').set({ role: 'pro' }).execute();
  const rolling = new AbortController();
  const load = Promise.all([
    Promise.all(people.slice(0, TALKERS).map((person) => discussionState(person, rolling.signal))),
    Promise.all(people.slice(TALKERS).map((person) => buy(person, rolling.signal))),
  ]);
  await replaceAll();
  rolling.abort();
  const [talked, bought] = await load;
  talks = talked;
  orders = bought.flat();
});
afterAll(async () => {
  await product.stop();
  await loadBalancer.close();
  await vendors.close();
});

/** One of each kind at a time; the new one is ready before the old one gets SIGTERM. */
async function replaceAll(): Promise<void> {
  const old = [0, 1].map((at) => ({ api: product.apis[at], worker: product.workers[at] }));
  for (const { api, worker } of old) {
    const [{ url }] = await Promise.all([product.startApi(), product.startWorker()]);
    loadBalancer.add(url);
    await loadBalancer.remove(api?.url ?? '');
    exitCodes.push(...(await Promise.all([api?.stop() ?? null, worker?.stop() ?? null])));
  }
}

/** Designs something and has it run, again and again, over one socket that comes back. */
async function discussionState(person: Person, rolling: AbortSignal): Promise<Talked> {
  const conversationId = await person.startConversation();
  const events: ChatEvent[] = [];
  const said: string[] = [];
  let connections = 0;
  let runs = 0;
  const chat = openChat({
    baseUrl: loadBalancer.url,
    conversationId,
    token: () => person.token,
    onEvent: (event) => events.push(event),
    onState: (state) => (connections += state === 'open' ? 1 : 0),
    waitsMs: { first: 10, longest: 100 },
  });
  const say = async (content: string, answer: string): Promise<void> => {
    const answers = () => events.filter(({ type }) => type === answer).length;
    const before = answers();
    said.push(content);
    chat.send(content);
    await until(`${answer} to ${content}`, () => answers() > before, PATIENCE_MS).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}; saw ${JSON.stringify(events.map(({ type }) => type))}`);
      },
    );
  };
  while (!rolling.aborted || runs === 0) {
    await say(`Compare three podcast apps and write report ${runs}`, 'designs_presented');
    await say('ok, take option 1', 'pipeline_result');
    runs += 1;
  }
  chat.close();
  return { person, conversationId, said, events, connections, runs };
}

/** Orders runs over HTTP, and waits for the end of each. */
async function buy(person: Person, rolling: AbortSignal) {
  const agents = ['one', 'two', 'three'].map((name) => ({
    name,
    role: 'analyzer',
    llm_model: 'gpt-4o-mini',
    description: `does ${name}`,
  }));
  const design = { name: 'An order', description: 'Something', agents };
  const bought: { person: Person; pipelineId: string }[] = [];
  const fresh = { connection: 'close' };
  while (!rolling.aborted || bought.length === 0) {
    const { status, body } = await person.ask('POST', '/pipelines/execute', { design }, fresh);
    expect([200, 202]).toContain(status);
    const pipelineId: string = body.pipeline_id;
    await until('the run has ended', async () => {
      const path = `/pipelines/${pipelineId}/status`;
      const answer = await person.ask('GET', path, undefined, fresh);
      return answer.body.status === 'completed';
    });
    bought.push({ person, pipelineId });
    await pause(VENDOR_TAKES_MS);
  }
  return bought;
}

test('every process ends after SIGTERM', () => {
  expect(exitCodes).toEqual([0, 0, 0, 0]);
});

test('there was load: runs, and sockets that had to come back', () => {
  expect(talks.reduce((sum, { runs }) => sum + runs, 0)).toBeGreaterThan(TALKERS / 2);
  expect(orders.length).toBeGreaterThan(BUYERS);
  expect(talks.filter(({ connections }) => connections > 1).length).toBeGreaterThan(TALKERS / 2);
});

test('no message is lost or taken twice, and every answer comes once and in order', () => {
  for (const { said, events } of talks) {
    const echoes = events.filter(({ type }) => type === 'user_message_received');
    expect(echoes.map((it) => ('content' in it ? it.content : null))).toEqual(said);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
    expect(events.filter(({ type }) => type === 'error')).toEqual([]);
  }
});

test('no run is lost: each one is there once, is completed, and has no lock', async () => {
  const rows = await product.db
    .selectFrom('pipelineExecutions')
    .select(['id', 'status', 'holdsSlot', 'conversationId'])
    .execute();
  const runs = talks.reduce((sum, talked) => sum + talked.runs, 0);
  expect(rows.filter(({ conversationId }) => conversationId !== null)).toHaveLength(runs);
  const ordered = rows.filter(({ conversationId }) => conversationId === null);
  expect(ordered.map(({ id }) => id).sort()).toEqual(
    orders.map(({ pipelineId }) => pipelineId).sort(),
  );
  expect(rows.filter(({ status, holdsSlot }) => status !== 'completed' || holdsSlot)).toEqual([]);
});

test('no agent has failed, and none is paid twice', async () => {
  const steps = await product.db.selectFrom('agentSteps').select('status').execute();
  expect(steps.filter(({ status }) => status !== 'success')).toEqual([]);
  const unsettled = await product.db
    .selectFrom('costLedger')
    .select(['stepId', 'state'])
    .where('state', '!=', 'settled')
    .execute();
  expect(unsettled).toEqual([]);
});

interface LoadBalancer {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  add(target: string): void;
  /** New connections go elsewhere; resolves when what had come in before has been passed on. */
  remove(target: string): Promise<void>;
  close(): Promise<void>;
}

async function openLoadBalancer(): Promise<LoadBalancer> {
  const targets: string[] = [];
  const sockets = new Set<Socket>();
  /** Connections that have not sent anything yet, by target. */
  const silent = new Map<Socket, string>();
  let turn = 0;
  const server = createServer((client) => {
    turn += 1;
    const target = targets[turn % Math.max(1, targets.length)] ?? '';
    const upstream = connect(Number(new URL(target).port), '127.0.0.1');
    silent.set(client, target);
    client.once('data', () => silent.delete(client));
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        silent.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    add: (target) => void targets.push(target),
    async remove(target) {
      targets.splice(targets.indexOf(target), 1);
      await until('what has come in is passed on', () => ![...silent.values()].includes(target));
    },
    async close() {
      const closed = new Promise<unknown>((resolve) => server.close(resolve));
      sockets.forEach((socket) => socket.destroy());
      await closed;
    },
  };
}
