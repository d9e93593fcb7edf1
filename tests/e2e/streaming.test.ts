/** Replies on their way from the vendor to the client, while processes are killed and Redis is away. */
import { createClient, openChat, type Chat, type ChatEvent } from '../../client/index.js';
import type { ClientEvent } from '../../domain/events.js';
import { pipelineWorkflowId } from '../../domain/ids.js';
import { findFreePort } from '../../scripts/embedded/ports.js';
import type { TemporalClient } from '../../temporal/connection.js';
import { startProxyOf } from '../support/server-proxies.js';
import { register, type Person } from '../support/person.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { temporalOf } from '../support/temporal.js';
import { until } from '../support/until.js';
import {
  billOf,
  chargedTo,
  completions,
  logged,
  registerKeys,
  startVendorProduct,
  type VendorProduct,
} from '../support/vendor-product.js';
import type { Behaviour, VendorCall } from '../support/vendors/server.js';
import type { Vendor } from '../../domain/agents/models.js';

let fixture: VendorProduct;
let redis: TcpProxy;
let temporal: TemporalClient;
let port: string;
/** By the user whose key pays. */
const behaviours = new Map<string, (call: VendorCall) => Behaviour | undefined>();
const chats: Chat[] = [];

beforeAll(async () => {
  redis = await startProxyOf('redis');
  port = String(await findFreePort());
  fixture = await startVendorProduct({ apis: 0, ports: { redis: redis.port } });
  await fixture.product.startApi({ PORT: port });
  fixture.vendors.setBehaviour((call) =>
    [...behaviours].find(([userId]) => call.key.includes(userId))?.[1](call),
  );
  temporal = await temporalOf(fixture.product);
});
afterEach(() => {
  chats.splice(0).forEach((chat) => {
    chat.close();
  });
});
afterAll(async () => {
  await temporal.close();
  await fixture.close();
  await redis.close();
});

const WAITS = { first: 20, longest: 100 };
const agentOf = (name: string, llm_model: string) => ({
  name,
  role: 'analyzer',
  llm_model,
  description: `does ${name}`,
  retry_count: 3,
});
const TEXT = 'one 하나 🙂 two 둘 three 셋 four 넷 five 다섯 six 여섯 seven 일곱 eight 여덟';

interface Scene {
  readonly person: Person;
  readonly pipelineId: string;
  readonly events: readonly ClientEvent[];
  /** What has arrived of an agent's last reply. */
  text(node: string): string;
  done: Promise<void>;
}

async function personWith(
  vendors: readonly Vendor[],
  behave: (call: VendorCall) => Behaviour | undefined,
): Promise<Person> {
  const person = await register(fixture.product.url);
  await registerKeys(person, vendors);
  behaviours.set(person.userId, behave);
  return person;
}

/** A run over HTTP, with its event stream. */
async function startRun(person: Person, agents: readonly object[]): Promise<Scene> {
  const design = { name: 'A design', description: 'Something to do', agents };
  const headers = { Prefer: 'respond-async' };
  const { body } = await person.ask('POST', '/pipelines/execute', { design }, headers);
  const pipelineId: string = body.pipeline_id;
  const events: ClientEvent[] = [];
  const client = createClient({ baseUrl: fixture.product.url, token: person.token });
  const done = (async () => {
    for await (const event of client.events(pipelineId, { isExtended: true, waitsMs: WAITS })) {
      events.push(event);
    }
  })();
  return { person, pipelineId, events, text: (node) => repliesOf(events, node).at(-1) ?? '', done };
}

/** The texts of an agent's replies, each from pieces that fit together; none after its end. */
function repliesOf(events: readonly ChatEvent[], node: string): readonly string[] {
  const texts = new Map<string, string>();
  let hasEnded = false;
  for (const event of events) {
    hasEnded ||= event.type === 'agent_completed' && event.node === node;
    if (event.type === 'agent_delta' && event.node === node) {
      expect(hasEnded).toBe(false);
      const text = texts.get(event.reply) ?? '';
      expect(event.offset).toBe(text.length);
      expect(event.text.isWellFormed()).toBe(true);
      texts.set(event.reply, text + event.text);
    }
  }
  return [...texts.values()];
}

/** A vendor that sends the first half of its pieces, and the others on a signal. */
function halting(text = TEXT) {
  const next = Promise.withResolvers<undefined>();
  const rest = Promise.withResolvers<undefined>();
  const behaviour: Behaviour = {
    kind: 'answer',
    text,
    pieces: 10,
    pace: (piece) => (piece === 5 ? next.promise : piece === 6 ? rest.promise : undefined),
  };
  const points = Array.from(text);
  const first = (pieces: number) =>
    points.slice(0, pieces * Math.ceil(points.length / 10)).join('');
  return {
    behaviour,
    half: first(5),
    /** One piece more, to see which clients get it. */
    more: first(6),
    sendMore: () => {
      next.resolve(undefined);
    },
    goOn: () => {
      next.resolve(undefined);
      rest.resolve(undefined);
    },
  };
}

async function resultOf({ person, pipelineId }: Scene): Promise<any> {
  const { body } = await person.ask('GET', `/pipelines/${pipelineId}/result`);
  return body;
}

const ledgerOf = ({ pipelineId }: Scene) =>
  fixture.product.db
    .selectFrom('costLedger')
    .select(['provider', 'state'])
    .where('pipelineId', '=', pipelineId)
    .orderBy('createdAt')
    .execute();

test('replies of all vendors stream into the chat, and plain clients see nothing of it', async () => {
  const events: ChatEvent[] = [];
  let begun = 0;
  const person = await personWith(['openai', 'anthropic', 'google'], ({ schema }) => {
    if (schema !== null) {
      return undefined;
    }
    begun += 1;
    const expected = begun;
    const isSeen = () => events.filter(({ type }) => type === 'agent_started').length >= expected;
    const pace = (piece: number) => (piece === 0 ? until('it is seen', isSeen) : undefined);
    return { kind: 'answer', text: TEXT, pieces: 7, pace };
  });
  const conversationId = await person.startConversation();
  const plain = await person.chat(conversationId);
  const chat = openChat({
    baseUrl: fixture.product.url,
    conversationId,
    token: () => person.token,
    isExtended: true,
    onEvent: (event) => events.push(event),
    waitsMs: WAITS,
  });
  chats.push(chat);
  chat.send('Compare three podcast apps by price');
  await plain.next('designs_presented');
  chat.send('ok, take option 2');
  await plain.next('pipeline_result');
  await until('all has come', () => events.at(-1)?.type === 'pipeline_result');
  for (const node of ['planner', 'left', 'right', 'joiner']) {
    expect(repliesOf(events, node)).toEqual([TEXT]);
    const types = events.flatMap((event) =>
      'node' in event && event.node === node ? event.type : [],
    );
    expect(types[0]).toBe('agent_started');
    expect(types.at(-1)).toBe('agent_completed');
  }
  expect(chat.agents).toEqual([]);
  expect(plain.events).toEqual(events.filter(({ seq }) => seq !== undefined));
  expect(plain.events.map(({ seq }) => seq)).toEqual(plain.events.map((_, at) => at + 1));
  const pipelineId: string = plain.events.at(-1)?.['pipeline_id'];
  await plain.close();
  const told = [];
  const client = createClient({ baseUrl: fixture.product.url, token: person.token });
  for await (const event of client.events(pipelineId)) {
    told.push(event);
  }
  expect(told).toEqual(plain.events.filter((event) => event['pipeline_id'] === pipelineId));
  const calls = completions(fixture.vendors, person.userId);
  expect(calls.map(({ schema, isStreamed }) => isStreamed === (schema === null))).not.toContain(
    false,
  );
  expect(Number(await chargedTo(fixture.product, person))).toBe(Number(billOf(calls)));
});

test('a client sees what the vendor has sent so far, and a late one sees the same', async () => {
  const vendor = halting();
  const person = await personWith(['openai'], () => vendor.behaviour);
  const scene = await startRun(person, [agentOf('writer', 'gpt-4o-mini')]);
  await until('half of it', () => scene.text('writer') === vendor.half);
  const client = createClient({ baseUrl: fixture.product.url, token: person.token });
  for await (const event of client.events(scene.pipelineId, { isExtended: true })) {
    if (event.type === 'agent_delta') {
      expect(event).toMatchObject({ offset: 0, text: vendor.half });
      break;
    }
  }
  vendor.goOn();
  await scene.done;
  expect(scene.text('writer')).toBe(TEXT);
  expect((await resultOf(scene)).output).toContain(TEXT);
});

test('a stream that breaks is of unknown cost; the next vendor begins another reply', async () => {
  const person = await personWith(['openai', 'anthropic'], ({ vendor }) =>
    vendor === 'openai'
      ? { kind: 'break', text: 'never whole' }
      : { kind: 'answer', text: TEXT, pieces: 3 },
  );
  const scene = await startRun(person, [agentOf('writer', 'gpt-4o-mini')]);
  await scene.done;
  const replies = repliesOf(scene.events, 'writer');
  expect(replies.at(-1)).toBe(TEXT);
  expect(await ledgerOf(scene)).toEqual([
    { provider: 'openai', state: 'unknown' },
    { provider: 'anthropic', state: 'settled' },
  ]);
  expect(await resultOf(scene)).toMatchObject({ status: 'completed' });
});

test('a cancel reaches a stream, and nothing is published after the result', async () => {
  const vendor = halting();
  const person = await personWith(['openai'], () => vendor.behaviour);
  const scene = await startRun(person, [agentOf('writer', 'gpt-4o-mini')]);
  await until('half of it', () => scene.text('writer') === vendor.half);
  await person.ask('POST', `/pipelines/${scene.pipelineId}/cancel`);
  const call = () => completions(fixture.vendors, person.userId)[0];
  await until('the vendor sees it', () => call()?.aborted === true);
  await scene.done;
  expect(scene.events.at(-1)).toMatchObject({ type: 'pipeline_result' });
  await until('the call is left unknown', async () =>
    (await ledgerOf(scene)).every(({ state }) => state === 'unknown'),
  );
  vendor.goOn();
});

test('a stream costs the history of its run nothing, nor PostgreSQL', async () => {
  const turns = { pieces: 1 };
  const text = TEXT.repeat(20);
  const person = await personWith(['openai'], () => ({
    kind: 'answer',
    text,
    pieces: turns.pieces,
    pace: () => new Promise((resolve) => setTimeout(resolve, 1)),
  }));
  const runOf = async (pieces: number) => {
    turns.pieces = pieces;
    const scene = await startRun(person, [agentOf('writer', 'gpt-4o-mini')]);
    await scene.done;
    const handle = temporal.client.workflow.getHandle(pipelineWorkflowId(scene.pipelineId));
    await handle.result();
    const { historyLength, historySize } = await handle.describe();
    const stored = scene.events.filter(({ seq }) => seq !== undefined).length;
    return { told: scene.events.length - stored, stored, historyLength, historySize };
  };
  const whole = await runOf(1);
  const streamed = await runOf(600);
  expect(streamed.told).toBeGreaterThan(whole.told + 3);
  expect(streamed.stored).toBe(whole.stored);
  expect(streamed.historyLength).toBe(whole.historyLength);
  // durations differ by a digit or two
  expect(Math.abs(Number(streamed.historySize) - Number(whole.historySize))).toBeLessThan(100);
});

describe('what is killed in the middle', () => {
  const [lost, kept] = [halting('a reply that will not end'), halting()];
  let ofWorker: Scene;

  /** The loss of a worker is noticed after ten seconds: the other tests do not wait. */
  beforeAll(async () => {
    const answers = [lost.behaviour, kept.behaviour];
    const person = await personWith(['openai'], () => answers.shift());
    ofWorker = await startRun(person, [agentOf('writer', 'gpt-4o-mini')]);
    await until('half of it', () => ofWorker.text('writer') === lost.half);
    await Promise.all([fixture.product.workers[0]?.kill(), fixture.product.startWorker()]);
  });

  test('the API: its clients go on at the next one', async () => {
    const vendor = halting();
    const person = await personWith(['openai'], () => vendor.behaviour);
    const scene = await startRun(person, [agentOf('writer', 'gpt-4o-mini')]);
    await until('half of it', () => scene.text('writer') === vendor.half);
    await fixture.product.apis.at(-1)?.kill();
    vendor.goOn(); // the end of the reply is not read
    await until('the agent has ended', () =>
      fixture.product.db
        .selectFrom('agentSteps')
        .select('seq')
        .where('pipelineId', '=', scene.pipelineId)
        .executeTakeFirst(),
    );
    await fixture.product.startApi({ PORT: port });
    await scene.done;
    expect(scene.events.flatMap(({ seq }) => seq ?? [])).toEqual([1, 2, 3]);
    expect((await resultOf(scene)).output).toContain(TEXT);
  });

  test('the API, with time to end: its clients lose nothing of the reply', async () => {
    const vendor = halting();
    const person = await personWith(['openai'], () => vendor.behaviour);
    const scene = await startRun(person, [agentOf('writer', 'gpt-4o-mini')]);
    await until('half of it', () => scene.text('writer') === vendor.half);
    expect(await fixture.product.apis.at(-1)?.stop()).toBe(0);
    await fixture.product.startApi({ PORT: port });
    await until('both clients are back', async () => (await openStreams()) === 2);
    vendor.sendMore();
    await until('they hear what is said now', () => scene.text('writer') === vendor.more);
    vendor.goOn();
    await scene.done;
    expect(repliesOf(scene.events, 'writer')).toEqual([TEXT]);
    expect(scene.events.filter(({ type }) => type === 'agent_started')).toHaveLength(1);
  });

  test('a worker: another one begins the reply anew', async () => {
    const { events, text, done } = ofWorker;
    await until('half of the other', () => text('writer') === kept.half);
    kept.goOn();
    await done;
    expect(repliesOf(events, 'writer')).toEqual([lost.half, TEXT]);
    const attempts = events.flatMap((event) =>
      event.type === 'agent_started' ? event.attempt : [],
    );
    expect(attempts).toEqual([1, 2]);
    expect((await resultOf(ofWorker)).output).toContain(TEXT);
    lost.goOn();
  });

  async function openStreams(): Promise<number> {
    const page = await fetch(`${fixture.product.url}/metrics`).then((answer) => answer.text());
    return Number(/^event_streams_active (\d+)$/m.exec(page)?.[1]);
  }
});

test('while redis is away nothing is published live, and the run goes on as before', async () => {
  const person = await personWith(['openai'], () => ({ kind: 'answer', text: TEXT, pieces: 5 }));
  await redis.cut();
  const scene = await startRun(person, [agentOf('a', 'gpt-4o-mini'), agentOf('b', 'gpt-4o-mini')]);
  await scene.done;
  await redis.restore();
  expect(scene.events.map(({ type }) => type)).toEqual([
    'pipeline_started',
    'agent_completed',
    'agent_completed',
    'pipeline_result',
  ]);
  expect(await resultOf(scene)).toMatchObject({ status: 'completed' });
  expect(logged(fixture.product.workers.at(-1), 'live text not told').length).toBeGreaterThan(0);
});
