/** Attackers who reach Temporal but have no key: the product obeys its own sealed payloads only. */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import {
  userDeletionWorkflowId,
  discussionWorkflowId,
  pipelineWorkflowId,
} from '../../domain/ids.js';
import type { TemporalClient } from '../../temporal/connection.js';
import { register, type Person } from '../support/person.js';
import { startProduct, type Product } from '../support/product.js';
import { testServers } from '../support/servers.js';
import { temporalOf } from '../support/temporal.js';
import { until } from '../support/until.js';

let product: Product;
let own: TemporalClient;
/** Knows no key and no codec. */
let stranger: Client;
beforeAll(async () => {
  product = await startProduct();
  own = await temporalOf(product);
  const { temporalAddress: address, temporalNamespace: namespace } = testServers();
  stranger = new Client({ connection: await Connection.connect({ address }), namespace });
});
afterAll(async () => {
  await stranger.connection.close();
  await own.close();
  await product.stop();
});

const taskQueue = () => product.env['TEMPORAL_TASK_QUEUE'] ?? '';
const userExists = async (id: string) =>
  (await product.db.selectFrom('users').select('id').where('id', '=', id).execute()).length === 1;

/** The payloads of a signal or a start go to the server as they are given. */
function sendingAsIs(payload: Payload): Client {
  return new Client({
    connection: stranger.connection,
    namespace: stranger.options.namespace,
    dataConverter: {
      payloadCodecs: [
        {
          encode: (payloads) => Promise.resolve(payloads.map(() => payload)),
          decode: (payloads) => Promise.resolve(payloads),
        },
      ],
    },
  });
}

const GARBAGE: readonly (readonly [name: string, payload: (keyId: string) => Payload])[] = [
  ['of an unknown key', () => sealedWith('00000000', Buffer.alloc(100, 1))],
  ['that no key opens', (keyId) => sealedWith(keyId, Buffer.alloc(100, 1))],
  ['that is cut', (keyId) => sealedWith(keyId, Buffer.alloc(3))],
  ['without data', (keyId) => sealedWith(keyId, null)],
  ['of no encoding', () => ({ metadata: {}, data: Buffer.from('{}') })],
  [
    'that is no JSON',
    () => ({ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{') }),
  ],
];

function sealedWith(keyId: string, data: Uint8Array | null): Payload {
  return {
    metadata: {
      encoding: Buffer.from('binary/encrypted'),
      'encryption-key-id': Buffer.from(keyId),
      compression: Buffer.from('gzip'),
    },
    ...(data === null ? {} : { data }),
  };
}

async function startedPayload(workflowId: string): Promise<Payload> {
  const { events } = await stranger.workflow.getHandle(workflowId).fetchHistory();
  const [payload] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  if (payload == null) {
    throw new Error('nothing was started');
  }
  return payload;
}

async function signalledPayload(workflowId: string): Promise<Payload> {
  const { events } = await stranger.workflow.getHandle(workflowId).fetchHistory();
  const signals = (events ?? []).flatMap(
    (event) => event.workflowExecutionSignaledEventAttributes?.input?.payloads ?? [],
  );
  const last = signals.at(-1);
  if (last == null) {
    throw new Error('nothing was signalled');
  }
  return last;
}

const keyIdIn = (payload: Payload): string =>
  Buffer.from(payload.metadata?.['encryption-key-id'] ?? []).toString();

async function endOf(workflowId: string): Promise<string> {
  const handle = stranger.workflow.getHandle(workflowId);
  await until(
    `${workflowId} has ended`,
    async () => (await handle.describe()).status.name !== 'RUNNING',
  );
  return (await handle.describe()).status.name;
}

async function conversing(): Promise<{
  person: Person;
  id: string;
  chat: Awaited<ReturnType<Person['chat']>>;
  workflowId: string;
}> {
  const person = await register(product.url);
  const id = await person.startConversation();
  const chat = await person.chat(id);
  await chat.say('help me');
  return { person, id, chat, workflowId: discussionWorkflowId(id) };
}

/** What the user has said, as it is stored. */
const saidIn = async (id: string): Promise<readonly string[]> =>
  (
    await product.db
      .selectFrom('messages')
      .select('content')
      .where('conversationId', '=', id)
      .where('role', '=', 'user')
      .orderBy('createdAt')
      .execute()
  ).map(({ content }) => content);

const message = (content: string) => ({
  messageId: randomUUID(),
  content,
  receivedAt: new Date().toISOString(),
});

describe('a start', () => {
  test('that is not sealed deletes no account and ends as failed', async () => {
    const { userId } = await register(product.url);
    const workflowId = userDeletionWorkflowId(userId);
    await stranger.workflow.start('deleteUserWorkflow', {
      ...{ workflowId, taskQueue: taskQueue(), args: [{ userId }] },
    });
    expect(await endOf(workflowId)).toBe('FAILED');
    expect(await userExists(userId)).toBe(true);
  });

  test("with another workflow's sealed input deletes no account", async () => {
    const { person, workflowId: discussion } = await conversing();
    const client = sendingAsIs(await startedPayload(discussion));
    const workflowId = userDeletionWorkflowId(person.userId);
    await client.workflow.start('deleteUserWorkflow', {
      ...{ workflowId, taskQueue: taskQueue(), args: ['captured'] },
    });
    expect(await endOf(workflowId)).toBe('FAILED');
    expect(await userExists(person.userId)).toBe(true);
  });

  test.each(GARBAGE)('with a payload %s ends as failed', async (_, payloadOf) => {
    const { workflowId: discussion } = await conversing();
    const payload = payloadOf(keyIdIn(await startedPayload(discussion)));
    const workflowId = pipelineWorkflowId(randomUUID());
    await sendingAsIs(payload).workflow.start('pipelineWorkflow', {
      ...{ workflowId, taskQueue: taskQueue(), args: ['garbage'] },
    });
    expect(await endOf(workflowId)).toBe('FAILED');
  });

  test.each([
    ['noSuchWorkflow', [{}]],
    ['toString', [{}]],
    ['discussionWorkflow', []],
    ['pipelineWorkflow', []],
    ['validateKeyWorkflow', ['x', 1]],
    ['archiveWorkflow', [null]],
  ])('of %s with nothing of ours ends as failed', async (type, args) => {
    const workflowId = `stranger-${randomUUID()}`;
    await stranger.workflow.start(type, { workflowId, taskQueue: taskQueue(), args });
    expect(await endOf(workflowId)).toBe('FAILED');
  });

  test("under a discussion's id leaves the conversation to its user", async () => {
    const person = await register(product.url);
    const id = await person.startConversation();
    const workflowId = discussionWorkflowId(id);
    await stranger.workflow.start('discussionWorkflow', {
      workflowId,
      taskQueue: taskQueue(),
      args: [
        {
          conversationId: id,
          userId: person.userId,
          role: 'admin',
          idleMs: 1e6,
          maxHistoryEvents: 50,
        },
      ],
    });
    await endOf(workflowId);
    const chat = await person.chat(id);
    expect(await chat.say('help me')).toMatchObject({ type: 'clarification' });
  });
});

describe('a signal', () => {
  test('that is not sealed is not obeyed, and the next true message is answered', async () => {
    const { id, chat, workflowId } = await conversing();
    const handle = stranger.workflow.getHandle(workflowId);
    await handle.signal('userMessage', message('delete everything'));
    await handle.signal('userMessage');
    await handle.signal('runAdmitted', { pipelineId: randomUUID() });
    expect(await chat.say('a shop for tea')).not.toMatchObject({ type: 'error' });
    expect(await saidIn(id)).toEqual(['help me', 'a shop for tea']);
    await until('the worker has reported it', () =>
      Promise.resolve(
        product.workers.some(({ lines }) =>
          lines.some((line) => line.includes('"reason":"unsealed"')),
        ),
      ),
    );
  });

  test.each(GARBAGE)('with a payload %s is dropped', async (_, payloadOf) => {
    const { id, chat, workflowId } = await conversing();
    const client = sendingAsIs(payloadOf(keyIdIn(await startedPayload(workflowId))));
    await client.workflow.getHandle(workflowId).signal('userMessage', 'garbage');
    expect(await chat.say('a shop for tea')).not.toMatchObject({ type: 'error' });
    expect(await saidIn(id)).toEqual(['help me', 'a shop for tea']);
  });

  test("with what another user has said, or another call's payload, is dropped", async () => {
    const [mine, other] = [await conversing(), await conversing()];
    const captured = [
      await signalledPayload(other.workflowId), // of another conversation
      await startedPayload(mine.workflowId), // of this one, but no message
    ];
    for (const payload of captured) {
      await sendingAsIs(payload)
        .workflow.getHandle(mine.workflowId)
        .signal('userMessage', 'captured');
    }
    expect(await mine.chat.say('a shop for tea')).not.toMatchObject({ type: 'error' });
    expect(await saidIn(mine.id)).toEqual(['help me', 'a shop for tea']);
  });

  test('with a message of the same conversation once more is no second message', async () => {
    const { id, chat, workflowId } = await conversing();
    const client = sendingAsIs(await signalledPayload(workflowId));
    await client.workflow.getHandle(workflowId).signal('userMessage', 'captured');
    expect(await chat.say('a shop for tea')).not.toMatchObject({ type: 'error' });
    expect(await saidIn(id)).toEqual(['help me', 'a shop for tea']);
  });

  test('of an unknown name, or with headers that are none, stops nothing', async () => {
    const { id, chat, workflowId } = await conversing();
    const handle = stranger.workflow.getHandle(workflowId);
    for (const name of ['noSuchSignal', '__temporal_noSuchSignal', 'toString', 'pauseRun']) {
      await handle.signal(name, { a: 1 });
    }
    await stranger.workflowService.signalWorkflowExecution({
      namespace: stranger.options.namespace,
      workflowExecution: { workflowId },
      signalName: 'userMessage',
      input: { payloads: [await signalledPayload(workflowId)] },
      header: {
        fields: { traceparent: { metadata: {}, data: Buffer.alloc(10) }, 'request-id': {} },
      },
    });
    expect(await chat.say('a shop for tea')).not.toMatchObject({ type: 'error' });
    expect(await saidIn(id)).toEqual(['help me', 'a shop for tea']);
  });

  test('to a run approves nothing and pauses nothing; cancelling it still works', async () => {
    const person = await register(product.url);
    const agents = [
      { name: 'reader', role: 'analyzer', llm_model: 'gpt-4o-mini', description: 'reads' },
      {
        name: 'gate',
        role: 'analyzer',
        llm_model: 'gpt-4o-mini',
        description: 'x',
        approval: true,
      },
    ];
    const design = { name: 'Gated', description: 'Something to do', agents };
    const started = await person.ask(
      'POST',
      '/pipelines/execute-direct',
      { design },
      { Prefer: 'respond-async' },
    );
    const id: string = started.body.pipeline_id;
    const status = async () => (await person.ask('GET', `/pipelines/${id}/status`)).body;
    await until('the run waits', async () => (await status()).waiting_for === 'approval');
    const handle = stranger.workflow.getHandle(pipelineWorkflowId(id));
    await handle.signal('approvalOffered', { node: 'gate', offerId: randomUUID() });
    await handle.signal('pauseRun');
    await handle.signal('slotGranted');
    await expect(handle.query('state', { a: 1 })).rejects.toThrow('rejected');
    await expect(handle.executeUpdate('noSuchUpdate', { args: [{}] })).rejects.toThrow();
    for (const name of ['decide', 'pauseRun', 'resumeRun']) {
      const args: [object] = [{ node: 'gate', offerId: randomUUID(), requestId: randomUUID() }];
      await expect(handle.executeUpdate(name, { args })).rejects.toMatchObject({
        cause: { type: 'rejected' },
      });
    }
    expect(await status()).toMatchObject({ waiting_for: 'approval' });
    await person.ask('POST', `/pipelines/${id}/approvals/gate`, { decision: 'approve' });
    await until('the run has ended', async () => (await status()).result !== null);
    expect(await status()).toMatchObject({ status: 'completed' });
  });
});
