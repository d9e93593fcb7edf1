/** The tools of operators: the Web UI's words, its searches and its codec, and the actions of administrators. */
import { readFileSync } from 'node:fs';
import type { Payload } from '@temporalio/common';
import { sql } from 'kysely';
import { discussionWorkflowId, pipelineWorkflowId } from '../../domain/ids.js';
import { createDataConverter, type TemporalClient } from '../../temporal/connection.js';
import { register, type Person } from '../support/person.js';
import { connectTestTemporal, temporalOf } from '../support/temporal.js';
import { until } from '../support/until.js';
import { registerKeys, startVendorProduct, type VendorProduct } from '../support/vendor-product.js';

const UI = 'http://127.0.0.1:8233';

let fixture: VendorProduct;
let temporal: TemporalClient;
/** Without the key: sees what the server sees. */
let blind: TemporalClient;
let admin: Person;
beforeAll(async () => {
  fixture = await startVendorProduct({
    env: {
      SIMULATED_MODELS: 'false',
      TEMPORAL_UI_ORIGINS: UI,
      DISCUSSION_MAX_HISTORY_EVENTS: '10',
    },
  });
  temporal = await temporalOf(fixture.product);
  blind = await connectTestTemporal([Buffer.alloc(32)]);
  admin = await register(fixture.product.url);
  await fixture.product.db
    .updateTable('users')
    .set({ role: 'admin' })
    .where('id', '=', admin.userId)
    .execute();
});
afterAll(async () => {
  await temporal.close();
  await blind.close();
  await fixture.close();
});

async function newPerson(): Promise<Person> {
  fixture.vendors.setBehaviour();
  const person = await register(fixture.product.url);
  await registerKeys(person, ['openai']);
  return person;
}

const agent = (name: string, more: object = {}) => ({
  ...{ name, role: 'analyzer', llm_model: 'gpt-4o-mini', description: `does ${name}` },
  ...more,
});

async function start(person: Person, agents: readonly object[]): Promise<string> {
  const design = { name: '비교 | compare', description: 'Something to do', agents };
  const prefer = { Prefer: 'respond-async' };
  const path = '/pipelines/execute-direct';
  return (await person.ask('POST', path, { design }, prefer)).body.pipeline_id;
}

const statusOf = async (person: Person, id: string) =>
  (await person.ask('GET', `/pipelines/${id}/status`)).body;

/** What the Web UI asks a worker for. */
async function currentDetails(workflowId: string): Promise<string> {
  const handle = temporal.client.workflow.getHandle(workflowId);
  const metadata = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  return metadata.currentDetails ?? '';
}

/** What a heartbeat holds, as an administrator reads it; '' for none. */
async function decoded(
  details: { readonly payloads?: readonly Payload[] | null } | null | undefined,
): Promise<string> {
  const { payloadCodecs = [] } = createDataConverter([
    Buffer.from(fixture.product.env['ENCRYPTION_KEY'] ?? '', 'base64'),
  ]);
  const [payload] = (await payloadCodecs[0]?.decode([...(details?.payloads ?? [])])) ?? [];
  return Buffer.from(payload?.data ?? []).toString();
}

/** How many activities and timers of a history have a summary. */
async function summarised(workflowId: string, runId?: string) {
  const handle = temporal.client.workflow.getHandle(workflowId, runId);
  const { events } = await handle.fetchHistory();
  const begun = (events ?? []).filter(
    (event) => event.activityTaskScheduledEventAttributes ?? event.timerStartedEventAttributes,
  );
  const summaries = begun.filter((event) => event.userMetadata?.summary != null);
  return { with: summaries.length, without: begun.length - summaries.length };
}

/** As long as a name may be, in letters of three bytes. */
const LONG_NAME = '분'.repeat(100);

describe('a run in the Web UI', () => {
  test('shows what it is, its status, what it waits for, and how it ended', async () => {
    const person = await newPerson();
    const id = await start(person, [agent('reader'), agent(LONG_NAME, { approval: true })]);
    await until('the run waits', async () => {
      return (await statusOf(person, id)).waiting_for === 'approval';
    });
    const workflowId = pipelineWorkflowId(id);
    const described = await temporal.client.workflow.getHandle(workflowId).describe();
    expect(await described.staticSummary()).toBe('Run: 비교 | compare');
    expect(await described.staticDetails()).toContain(`**User** \`${person.userId}\` (free)`);
    const waiting = await currentDetails(workflowId);
    expect(waiting).toMatch(/^\*\*Ask its owner to decide about 분+/);
    expect(waiting).toMatch(
      / since [\d-]+ [\d:]+ UTC until [\d-]+ [\d:]+ UTC \(then it counts as /,
    );
    expect(waiting).toMatch(
      /\|\s+reader\s+\|\s+success\s+\|\s+openai\s+\|\s+gpt-4o-mini\s+\|\s+1\s+\|\s+\$0\.0/,
    );
    const node = encodeURIComponent(LONG_NAME);
    await person.ask('POST', `/pipelines/${id}/approvals/${node}`, { decision: 'approve' });
    await until('the run has ended', async () => (await statusOf(person, id)).result !== null);
    await temporal.client.workflow.getHandle(workflowId).result();
    expect(await currentDetails(workflowId)).toMatch(/^\*\*Ended: completed\.\*\*\n/);
    expect(await summarised(workflowId)).toMatchObject({ with: 9, without: 0 });
  });

  test('that has failed shows first what to do, and so does each failed activity', async () => {
    const person = await newPerson();
    fixture.vendors.setBehaviour({ kind: 'status', status: 401, code: 'invalid_api_key' });
    const id = await start(person, [agent('reader')]);
    await until('the run has ended', async () => (await statusOf(person, id)).result !== null);
    const handle = temporal.client.workflow.getHandle(pipelineWorkflowId(id));
    await until('its workflow has failed', async () => {
      return (await handle.describe()).status.name === 'FAILED';
    });
    expect(await currentDetails(pipelineWorkflowId(id))).toMatch(
      /^\*\*Ended: failed\.\*\* \*\*reader\*\* model-key-refused \(openai gpt-4o-mini\): Let/,
    );
    const { events } = await handle.fetchHistory();
    const failures = (events ?? []).flatMap(
      (event) => event.activityTaskFailedEventAttributes?.failure?.message ?? [],
    );
    expect(failures).toEqual([expect.stringMatching(/^Let the user replace the vendor key/)]);
    await until('the filter shows it', async () => {
      const failed = `${queryOf('Runs that have failed')} AND AgentForgeUserId = '${person.userId}'`;
      return (await temporal.client.workflow.count(failed)).count === 1;
    });
    await until('its archive is there', async () => {
      return (await person.ask('GET', `/pipelines/${id}/audit`)).status === 200;
    });
  });

  test('shows first what goes wrong while an agent is tried again, and which provider it asks', async () => {
    const person = await newPerson();
    let isUp = false;
    fixture.vendors.setBehaviour(() =>
      isUp ? { kind: 'hang' } : { kind: 'status', status: 503, code: 'words of a vendor' },
    );
    const id = await start(person, [agent('reader', { retry_count: 3 })]);
    const handle = temporal.client.workflow.getHandle(pipelineWorkflowId(id));
    const head = async () => (await currentDetails(pipelineWorkflowId(id))).split('\n')[0] ?? '';
    const failed =
      /^\*\*reader fails: openai gpt-4o-mini: model-unavailable\.\*\* Attempt 1 failed at \d\d:\d\d:\d\d UTC, attempt 2 begins at \d\d:\d\d:\d\d UTC\. Nothing to do yet/;
    await until('it says so', async () => failed.test(await head()));
    isUp = true;
    const pending = await until('a heartbeat says whom it asks', async () => {
      const { raw } = await handle.describe();
      const [activity] = raw.pendingActivities ?? [];
      const heartbeat = await decoded(activity?.heartbeatDetails);
      return heartbeat.includes('openai')
        ? { beat: heartbeat, failure: activity?.lastFailure?.message }
        : null;
    });
    expect(JSON.parse(pending.beat)).toMatchObject({
      ...{ attempt: 2, vendor: 'openai', model: 'gpt-4o-mini', since: expect.any(String) },
    });
    expect(pending.failure).toMatch(/^Nothing to do yet.* Asked: openai: model-unavailable\.$/);
    await person.ask('POST', `/pipelines/${id}/cancel`);
    await until('it has ended', async () => (await handle.describe()).status.name === 'CANCELLED');
    const { events } = await handle.fetchHistory();
    expect(JSON.stringify(events)).not.toContain('words of a vendor');
    const details = await currentDetails(pipelineWorkflowId(id));
    expect(details).not.toContain('request a cancellation');
  });

  test('a discussion shows all of it again in each of its runs', async () => {
    const person = await newPerson();
    const conversationId = await person.startConversation();
    const chat = await person.chat(conversationId);
    await chat.say('help me');
    const handle = temporal.client.workflow.getHandle(discussionWorkflowId(conversationId));
    const first = (await handle.describe()).runId;
    for (const content of ['still unsure', 'no idea']) {
      await chat.say(content);
    }
    await until('it continues as new', async () => (await handle.describe()).runId !== first);
    const details = await until('its present run says so', async () => {
      const text = await currentDetails(discussionWorkflowId(conversationId));
      return text.includes(`**User** \`${person.userId}\` (free when it began)`) ? text : null;
    });
    expect(details).toContain(`**Conversation** \`${conversationId}\``);
    expect(details).toContain('**State** understand');
    expect(await summarised(discussionWorkflowId(conversationId), first)).toMatchObject({
      without: 0,
    });
    await chat.close();
  });
});

/** The views of docs/operators.md: a name and a query each. */
const page = readFileSync(new URL('../../docs/operators.md', import.meta.url), 'utf8');
const [, table = ''] = /## Searching([\s\S]*?)## At three/.exec(page) ?? [];
const queries = [...table.matchAll(/^\| (.*?)\s*\| `(.*?)`\s*\|$/gm)].map(
  ([, name = '', query = '']) => [name, query] as const,
);
const queryOf = (name: string) => queries.find(([it]) => it === name)?.[1] ?? '';

describe('the queries that docs/operators.md names', () => {
  test('are there', () => {
    expect(queries.length).toBeGreaterThan(5);
  });

  test.each(queries)('%s', async (_, query) => {
    expect(await temporal.client.workflow.count(query)).toMatchObject({
      count: expect.any(Number),
    });
  });

  test('find a run by what it does', async () => {
    const person = await newPerson();
    const id = await start(person, [agent('reader', { approval: true })]);
    const find = async (name: string) => {
      const query = queryOf(name);
      const of = `AgentForgeUserId = '${person.userId}'`;
      return (await temporal.client.workflow.count(`${query} AND ${of}`)).count;
    };
    await until('it is found waiting', async () => {
      return (await find('Runs that wait for somebody')) === 1;
    });
    expect(await find('Runs at work')).toBe(0);
    await person.ask('POST', `/pipelines/${id}/cancel`);
    await until('it is found no more', async () => {
      return (await find('Runs that wait for somebody')) === 0;
    });
  });
});

/** The first argument of a workflow as the server has it, in protobuf's JSON. */
async function storedInput(workflowId: string) {
  const { events } = await blind.client.workflow.getHandle(workflowId).fetchHistory();
  const [input] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  const base64 = (bytes?: Uint8Array | null) => Buffer.from(bytes ?? []).toString('base64');
  const metadata = Object.entries(input?.metadata ?? {});
  return {
    metadata: Object.fromEntries(metadata.map(([name, bytes]) => [name, base64(bytes)])),
    data: base64(input?.data),
  };
}

test('an administrator has the API decode what the Temporal server only stores', async () => {
  const person = await newPerson();
  const id = await start(person, [agent('reader')]);
  await until('the run has ended', async () => (await statusOf(person, id)).result !== null);
  const sealed = await storedInput(pipelineWorkflowId(id));
  expect(Buffer.from(sealed.data, 'base64').toString('latin1')).not.toContain(id);
  const body = { payloads: [sealed] };
  expect((await person.ask('POST', '/codec/decode', body)).status).toBe(403);
  const decoded = await admin.ask('POST', '/codec/decode', body);
  const text = Buffer.from(decoded.body.payloads[0].data, 'base64').toString();
  expect(JSON.parse(text)).toMatchObject({ pipelineId: id, userId: person.userId });
  const session = await admin.ask('POST', '/codec/session');
  const Cookie = session.headers.get('set-cookie')?.split(';')[0] ?? '';
  const fromUi = await fetch(
    `${fixture.product.url}/api/v1/codec/decode?preserveStorageRefs=true`,
    {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Namespace': 'default', Origin: UI, Cookie },
      body: JSON.stringify(body),
    },
  );
  expect(await fromUi.json()).toEqual(decoded.body);
});

test('an account that is disabled ends its run at once, and pays for nothing more', async () => {
  const person = await newPerson();
  fixture.vendors.setBehaviour({ kind: 'hang' });
  const conversationId = await person.startConversation();
  const chat = await person.chat(conversationId);
  const id = await start(person, [agent('reader'), agent('writer')]);
  await fixture.vendors.until((calls) =>
    calls.some(({ prompt }) => prompt.includes('does reader')),
  );
  const path = `/admin/users/${person.userId}/disable`;
  expect(await admin.ask('POST', path, { reason: 'spends too much' })).toMatchObject({
    status: 200,
    body: { runs_ended: 1, runs_left: 0 },
  });
  await until('the socket is closed', () => chat.closed?.code === 1008);
  await until('the run has ended', async () => {
    const { body } = await admin.ask('GET', `/admin/runs?user_id=${person.userId}`);
    return body[0].id === id && body[0].status === 'cancelled';
  });
  expect((await person.ask('GET', '/auth/me')).status).toBe(401);
  expect(fixture.vendors.calls.filter(({ prompt }) => prompt.includes('does writer'))).toEqual([]);
  const { rows } = await sql<{ action: string }>`
    select action from admin_actions where subject = ${`user:${person.userId}`}`.execute(
    fixture.product.db,
  );
  expect(rows).toEqual([{ action: 'user:disable' }]);
});

/** As the SDK answers it, built in. */
const STACK_QUERY = '__stack_trace';

test('a discussion that waits shows where only if the worker takes call stacks', async () => {
  const { product } = fixture;
  const person = await newPerson();
  const id = await person.startConversation();
  const chat = await person.chat(id);
  expect(await chat.say('help me')).toMatchObject({ type: 'clarification' });
  const handle = temporal.client.workflow.getHandle(discussionWorkflowId(id));
  expect(await handle.query(STACK_QUERY)).toBe('');

  const [worker] = product.workers;
  await worker?.stop();
  const tracing = await product.startWorker({ WORKER_CALL_STACKS: 'true' });
  await tracing.sees('worker ready');
  expect(await handle.query(STACK_QUERY)).toContain('discussionWorkflow');
  expect(await chat.say('help me')).toMatchObject({ type: 'clarification' });

  const plainLines = worker?.lines.filter((line) => !line.startsWith('{'));
  expect(plainLines).toEqual([]);
});
