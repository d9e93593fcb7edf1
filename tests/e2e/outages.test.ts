/** Each server is away for half a minute, in the middle of a turn and in the middle of a run. */
import { setTimeout as pause } from 'node:timers/promises';
import {
  askRoot,
  endScene,
  goThrough,
  readAll,
  REQUESTS,
  setScene,
  type Scene,
} from '../support/outage.js';
import type { Answer, WireEvent } from '../support/person.js';
import { until } from '../support/until.js';

const AWAY_MS = 30_000;
/** Sent from here on, a message is accepted before its ten seconds are over. */
const NEARLY_BACK_MS = 25_000;

interface Outage {
  readonly scene: Scene;
  readonly found: Readonly<Record<string, any>>;
}

const outages: Record<string, Promise<Outage>> = {};
const scenes: Scene[] = [];

beforeAll(() => {
  outages['temporal'] = play('temporal', whileTemporalIsAway);
  outages['postgres'] = play('postgres', whilePostgresIsAway);
  outages['redis'] = play('redis', whileRedisIsAway);
  for (const story of Object.values(outages)) {
    story.catch(() => undefined); // the tests report it
  }
});
afterAll(async () => {
  await Promise.allSettled(Object.values(outages));
  await Promise.all(scenes.map(endScene));
});

async function play(
  part: 'temporal' | 'postgres' | 'redis',
  meanwhile: (scene: Scene, found: Record<string, any>) => Promise<void>,
): Promise<Outage> {
  const found: Record<string, any> = {};
  const scene = await setScene(part);
  scenes.push(scene);
  await goThrough(scene, AWAY_MS, async () => {
    const { url } = scene.product;
    found['health'] = await askRoot(url, '/health');
    found['ready'] = await askRoot(url, '/readyz');
    await meanwhile(scene, found);
  });
  await until(`ready again with ${part}`, async () => {
    return (await askRoot(scene.product.url, '/readyz')).status === 200;
  });
  return { scene, found };
}

async function whileTemporalIsAway(scene: Scene, found: Record<string, any>): Promise<void> {
  const { late, product } = scene;
  const since = Date.now();
  late.chat.send('too early');
  found['read'] = await late.person.ask('GET', '/auth/me');
  const design = { name: 'Later', description: 'Later', agents: [agent('one')] };
  found['run'] = await late.person.ask('POST', '/pipelines/execute', { design }, ASYNC);
  found['runMs'] = Date.now() - since;
  found['error'] = await late.chat.next('error');
  found['errorMs'] = Date.now() - since;
  await pause(NEARLY_BACK_MS - (Date.now() - since));
  late.chat.send(REQUESTS.late);
  found['stored'] = await product.db.selectFrom('messages').select('content').execute();
}

async function whilePostgresIsAway(scene: Scene, found: Record<string, any>): Promise<void> {
  const { person, chat } = scene.late;
  const since = Date.now();
  chat.send(REQUESTS.late);
  const credentials = { email: 'missing@example.com', password: 'Passw0rd-for-tests' };
  found['answers'] = await Promise.all([
    person.ask('GET', '/auth/me'),
    person.ask('GET', '/conversations'),
    person.ask('POST', '/auth/login', credentials),
    person.ask('POST', '/pipelines/execute', { design: { ...credentials } }),
  ]);
  found['answersMs'] = Date.now() - since;
  const refused = await person.chat(scene.late.conversationId, 'events=basic');
  await until('the socket is refused', () => refused.closed !== null);
  found['refused'] = refused.closed;
}

async function whileRedisIsAway(scene: Scene, found: Record<string, any>): Promise<void> {
  const { person, chat } = scene.late;
  found['answers'] = await Promise.all([
    person.ask('GET', '/auth/me'),
    person.ask('POST', '/conversations', { title: 'New' }),
    person.ask('POST', '/auth/login', { email: 'a@example.com', password: 'Passw0rd-x' }),
  ]);
  const since = Date.now();
  found['answer'] = await chat.say(REQUESTS.late);
  found['answerMs'] = Date.now() - since;
  const second = await person.chat(scene.late.conversationId, 'after=0');
  await second.next('designs_presented');
  await second.close();
}

const ASYNC = { prefer: 'respond-async' };

function agent(name: string) {
  return { name, role: 'analyzer', llm_model: 'gpt-4o-mini', description: `does ${name}` };
}

/** Of the turn and the run that were under way; what was begun later may be under way still. */
async function statesOfCalls({ product, talker, runner }: Scene): Promise<ReadonlySet<string>> {
  const calls = await product.db
    .selectFrom('costLedger')
    .select('state')
    .where('conversationId', 'in', [talker.conversationId, runner.conversationId])
    .execute();
  return new Set(calls.map(({ state }) => state));
}

const typesOf = (events: readonly WireEvent[]) => events.map((event) => event.type);
const seqsOf = (events: readonly WireEvent[]) => events.map((event) => event['seq']);
const upTo = (length: number) => Array.from({ length }, (_, index) => index + 1);

const TURN = ['user_message_received', 'designs_presented'];
const RUN = [
  ...TURN,
  ...['user_message_received', 'plan_generated', 'pipeline_started'],
  ...Array<string>(4).fill('agent_completed'),
  'pipeline_result',
];

describe.each(['temporal', 'postgres', 'redis'])('while %s is away for 30 s', (part) => {
  test('health says alive, readiness names what is down', async () => {
    const { found } = await (outages[part] as Promise<Outage>);
    expect(found['health'].status).toBe(200);
    expect(found['ready']).toMatchObject({
      status: 503,
      body: { detail: `Not ready, down: ${part}`, parts: { [part]: 'down' } },
    });
  });

  test('a turn and a run under way are answered once, without a gap, for one payment', async () => {
    const { scene } = await (outages[part] as Promise<Outage>);
    const turn = await readAll(scene.talker, 'designs_presented', 1);
    expect(typesOf(turn)).toEqual(TURN);
    expect(seqsOf(turn)).toEqual(upTo(turn.length));
    const run = await readAll(scene.runner, 'pipeline_result', 1);
    expect(typesOf(run)).toEqual(RUN);
    expect(seqsOf(run)).toEqual(upTo(run.length));
    expect(run.at(-1)?.['result'].status).toBe('completed');
    await until('the first sockets have it all', () => {
      const { talker, runner } = scene;
      return talker.chat.events.length >= 2 && runner.chat.events.length >= RUN.length;
    });
    expect(scene.talker.chat.events).toEqual(turn);
    expect(scene.runner.chat.events).toEqual(run);
    const prompts = scene.vendors.calls.map((call) => call.prompt);
    expect(prompts.filter((prompt, index) => prompts.indexOf(prompt) !== index)).toEqual([]);
    expect(await statesOfCalls(scene)).toEqual(new Set(['settled']));
  });

  test('no process had to be started again', async () => {
    const { scene } = await (outages[part] as Promise<Outage>);
    for (const { child } of [...scene.product.apis, ...scene.product.workers]) {
      expect([child.exitCode, child.signalCode]).toEqual([null, null]);
    }
  });
});

test('Temporal away: a message is tried for 10 s, then refused; a later one is taken', async () => {
  const { scene, found } = await (outages['temporal'] as Promise<Outage>);
  expect(found['error']).toEqual({
    type: 'error',
    content: expect.stringContaining('send it again'),
    timestamp: expect.any(String),
  });
  expect(found['errorMs']).toBeGreaterThan(8_000);
  expect(found['errorMs']).toBeLessThan(AWAY_MS);
  expect(found['stored'].map((row: any) => row.content)).not.toContain('too early');
  const events = await readAll(scene.late, 'designs_presented', 1);
  expect(typesOf(events)).toEqual(TURN);
  expect(events[0]?.['content']).toBe(REQUESTS.late);
});

test('Temporal away: what needs no workflow is answered, and a run waits', async () => {
  const { scene, found } = await (outages['temporal'] as Promise<Outage>);
  expect(found['read'].status).toBe(200);
  expect(found['run']).toMatchObject({ status: 202, body: { status: 'pending' } });
  expect(found['runMs']).toBeLessThan(AWAY_MS);
  const path = `/pipelines/${found['run'].body.pipeline_id}/status`;
  await until(
    'the run has ended',
    async () => (await scene.late.person.ask('GET', path)).body.status === 'completed',
    60_000,
  );
});

test('PostgreSQL away: requests are answered 503 at once, messages later', async () => {
  const { scene, found } = await (outages['postgres'] as Promise<Outage>);
  for (const answer of found['answers'] as Answer[]) {
    expect(answer).toMatchObject({ status: 503, body: { detail: expect.any(String) } });
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  }
  expect(found['answersMs']).toBeLessThan(AWAY_MS);
  expect(found['refused']).toEqual({ code: 1008, reason: 'access verification failed' });
  expect(typesOf(await readAll(scene.late, 'designs_presented', 1))).toEqual(TURN);
});

test('Redis away: requests and messages are answered as before', async () => {
  const { found } = await (outages['redis'] as Promise<Outage>);
  expect((found['answers'] as Answer[]).map(({ status }) => status)).toEqual([200, 201, 401]);
  expect(found['answer'].type).toBe('designs_presented');
  expect(found['answerMs']).toBeLessThan(AWAY_MS);
});
