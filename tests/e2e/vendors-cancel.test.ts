/** What cuts a vendor call in flight: a cancel, over every route, and the end of its worker. */
import { Client } from '@temporalio/client';
import { pipelineWorkflowId } from '../../domain/ids.js';
import type { TemporalClient } from '../../temporal/connection.js';
import { register, type Chat, type Person, type WireEvent } from '../support/person.js';
import { temporalOf } from '../support/temporal.js';
import { until } from '../support/until.js';
import {
  chargedTo,
  completions,
  registerKeys,
  startVendorProduct,
  type VendorProduct,
} from '../support/vendor-product.js';

const LONGEST_MS = 2_000;
/** A call may last twice as long, and so would a worker that waited for it. */
const CALL_MS = 60_000;
/** On a busy machine one or the other takes longer. */
const TRIES = 3;

let fixture: VendorProduct;
let temporal: TemporalClient;
let client: Client;
beforeAll(async () => {
  fixture = await startVendorProduct();
  temporal = await temporalOf(fixture.product);
  client = temporal.client;
});
afterAll(async () => {
  await temporal.close();
  await fixture.close();
});

interface Scene {
  readonly person: Person;
  readonly chat: Chat;
  readonly pipelineId: string;
}

async function newPerson(): Promise<Person> {
  fixture.vendors.setBehaviour(); // the keys are checked
  const person = await register(fixture.product.url);
  await registerKeys(person);
  return person;
}

/** A run whose first agent has ended; the vendor hangs over the next ones. */
async function runningRun(language: 'English' | 'Korean'): Promise<Scene> {
  const person = await newPerson();
  fixture.vendors.setBehaviour(({ schema, vendor }) =>
    schema === null && vendor !== 'openai' ? { kind: 'hang' } : undefined,
  );
  const chat = await person.chat(await person.startConversation());
  const isEnglish = language === 'English';
  await chat.say(isEnglish ? 'Compare three podcast apps by price' : '팟캐스트 앱 비교해 줘');
  chat.send(isEnglish ? 'ok, take option 2' : '2번으로 선택할게요');
  const { pipeline_id: pipelineId } = await chat.next('plan_generated');
  await chat.next('agent_completed');
  await until('both calls hang', () => inFlight(person).length === 2);
  return { person, chat, pipelineId };
}

function inFlight(person: Person) {
  return completions(fixture.vendors, person.userId).filter(({ status }) => status === null);
}

/** A cancel over one route, tried again where it has taken longer than it may. */
async function expectCancelled(
  cancel: (scene: Scene) => unknown,
  language: 'English' | 'Korean' = 'English',
): Promise<Scene> {
  const took: number[] = [];
  let scene: Scene;
  do {
    scene = await runningRun(language);
    took.push(await cancelledWithinMs(scene, cancel));
  } while (took.length < TRIES && Math.min(...took) >= LONGEST_MS);
  expect(Math.min(...took)).toBeLessThan(LONGEST_MS);
  return scene;
}

async function cancelledWithinMs(scene: Scene, cancel: (scene: Scene) => unknown): Promise<number> {
  const { person, chat, pipelineId } = scene;
  const askedAt = Date.now();
  await cancel(scene);
  await until('the vendors see it', () => inFlight(person).every(({ aborted }) => aborted));
  const tookMs = Date.now() - askedAt;
  const event = await chat.next('pipeline_result');
  expect(event).toMatchObject({ pipeline_id: pipelineId, result: { status: 'cancelled' } });
  expect(event['result'].agent_results).toMatchObject([
    { agent_name: 'planner', status: 'success', content: expect.stringContaining('stand-in') },
  ]);
  expect(chat.events.map(({ type }) => type)).not.toContain('pipeline_failed');
  await expectSettled(scene);
  await expectFreeSlot(scene);
  return tookMs;
}

/** What vendors bill for calls that were cut is unknown: they stay charged, and nothing more. */
async function expectSettled({ person, pipelineId }: Scene) {
  const ledger = await fixture.product.db
    .selectFrom('costLedger')
    .select(['state', 'provider', 'cost'])
    .where('pipelineId', '=', pipelineId)
    .orderBy('provider')
    .execute();
  expect(ledger).toMatchObject([
    { provider: 'anthropic', state: 'unknown' },
    { provider: 'google', state: 'unknown' },
    { provider: 'openai', state: 'settled' },
  ]);
  const all = await fixture.product.db
    .selectFrom('costLedger')
    .select((eb) => eb.fn.sum<string>('cost').as('sum'))
    .where('userId', '=', person.userId)
    .executeTakeFirstOrThrow();
  expect(await chargedTo(fixture.product, person)).toBe(all.sum);
}

async function expectFreeSlot({ person, pipelineId }: Scene) {
  const status = await person.ask('GET', `/pipelines/${pipelineId}/status`);
  expect(status.body.status).toBe('cancelled');
  const again = await person.ask('POST', `/pipelines/${pipelineId}/cancel`);
  expect(again).toMatchObject({ status: 200, body: { status: 'cancelled' } });
  fixture.vendors.setBehaviour();
  const agents = [{ name: 'a', role: 'analyzer', llm_model: 'gpt-4o', description: 'does a' }];
  const design = { name: 'Next', description: 'the next run', agents };
  const next = await person.ask('POST', '/pipelines/execute', { design });
  expect(next).toMatchObject({ status: 200, body: { status: 'completed' } });
}

test('a cancel over HTTP reaches the vendors within two seconds', async () => {
  await expectCancelled(async ({ person, pipelineId }) => {
    const asked = await person.ask('POST', `/pipelines/${pipelineId}/cancel`);
    expect(asked.status).toBe(202);
  });
});

test.each([
  ['English', 'cancel'],
  ['Korean', '취소'],
] as const)('a cancel in the chat does, in %s', async (language, word) => {
  const say = ({ chat }: Scene) => {
    chat.send(word);
  };
  const { chat } = await expectCancelled(say, language);
  const types = chat.events.map((event: WireEvent) => event.type);
  expect(types.slice(-2)).toEqual(['user_message_received', 'pipeline_result']);
});

test('Temporal’s own cancel does, as its Web UI asks for it', async () => {
  await expectCancelled(({ pipelineId }) =>
    client.workflow.getHandle(pipelineWorkflowId(pipelineId)).cancel(),
  );
});

test('a blocking call whose run is cancelled answers 200 with what there is', async () => {
  const person = await newPerson();
  const agents = [{ name: 'a', role: 'analyzer', llm_model: 'gpt-4o', description: 'does a' }];
  fixture.vendors.setBehaviour({ kind: 'hang' });
  const design = { name: 'Hangs', description: 'for ever', agents };
  const run = person.ask('POST', '/pipelines/execute', { design });
  await until('the call hangs', () => inFlight(person).length === 1);
  const [past] = (await person.ask('GET', '/stats/pipeline-history')).body;
  await person.ask('POST', `/pipelines/${past.id}/cancel`);
  expect(await run).toMatchObject({
    status: 200,
    body: { status: 'cancelled', result: { agent_results: [], status: 'cancelled' } },
  });
});

test('a worker that gets SIGTERM cuts its call, records the money, and another one makes it again', async () => {
  const { product, vendors } = fixture;
  vendors.setBehaviour(); // the key is checked
  const person = await register(product.url);
  await registerKeys(person, ['openai']);
  vendors.setBehaviour({ kind: 'hang' });
  const agents = [{ name: 'a', role: 'analyzer', llm_model: 'gpt-4o', description: 'does a' }];
  const design = { name: 'Hangs', description: 'at first', agents };
  const run = person.ask('POST', '/pipelines/execute', { design });
  const calls = () => completions(vendors, person.userId);
  await until('the call hangs', () => calls().length === 1);

  const [worker] = product.workers;
  const askedAt = Date.now();
  expect(await worker?.stop()).toBe(0);
  expect(Date.now() - askedAt).toBeLessThan(CALL_MS);
  expect(calls()).toMatchObject([{ aborted: true }]);
  const { state } = await product.db
    .selectFrom('costLedger')
    .select('state')
    .where('userId', '=', person.userId)
    .executeTakeFirstOrThrow();
  expect(state).toBe('unknown');

  vendors.setBehaviour();
  await product.startWorker();
  expect(await run).toMatchObject({ status: 200, body: { status: 'completed' } });
});
