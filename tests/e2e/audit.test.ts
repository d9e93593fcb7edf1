/** The archive of a run that has ended, also when workers are killed and Temporal loses the history. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { checkIntegrity } from '../../audit/integrity.js';
import { isOf, type ContentEntry, type DataOf } from '../../audit/contents.js';
import { checkPrompts } from '../../audit/prompts.js';
import { createArchiveCipher } from '../../audit/archive-cipher.js';
import { createSigner } from '../../audit/signing.js';
import { createArchiveRequests } from '../../worker/archiving/requests.js';
import { closeRun } from '../../db/runs/runs.js';
import { pipelineWorkflowId } from '../../domain/ids.js';
import { hashOfBundle } from '../../temporal/code-version.js';
import { silentLogger } from '../../telemetry/logger.js';
import type { TemporalClient } from '../../temporal/connection.js';
import { runCommand } from '../support/command.js';
import { loseHistory } from '../support/lost-history.js';
import { register } from '../support/person.js';
import { startProduct, type Product } from '../support/product.js';
import { temporalOf } from '../support/temporal.js';
import { until } from '../support/until.js';

let product: Product;
let temporal: TemporalClient;
beforeAll(async () => {
  product = await startProduct({ env: { DISCUSSION_MAX_HISTORY_EVENTS: '10' } });
  temporal = await temporalOf(product);
});
afterAll(async () => {
  await temporal.close();
  await product.stop();
});

const agentsOf = (...names: string[]) =>
  names.map((name) => ({ name, role: 'analyzer', llm_model: 'gpt-4o-mini', description: name }));
const DESIGN = { name: 'Audited', description: 'to be proved', agents: agentsOf('one', 'two') };

async function archived(pipelineId: string): Promise<readonly ContentEntry[]> {
  const row = await until(`the archive of ${pipelineId}`, () =>
    product.db
      .selectFrom('archives')
      .selectAll()
      .where('pipelineId', '=', pipelineId)
      .executeTakeFirst(),
  );
  const cipher = createArchiveCipher([Buffer.from(product.env['ENCRYPTION_KEY'] ?? '', 'base64')]);
  const checked = checkIntegrity(Buffer.from(await cipher.open(row, pipelineId), 'utf8'));
  if (checked.kind === 'broken') {
    throw new Error(checked.problem);
  }
  const signer = createSigner(Buffer.from(product.env['AUDIT_SIGNING_KEY'] ?? '', 'base64'));
  expect(checked).toMatchObject({ head: row.head, keyId: signer.keyId });
  return checked.contents;
}

/** The prompt of the second of two agents is kept as it was sent, the answer of the first by its id. */
function expectSent(
  contents: readonly ContentEntry[],
  [first, second]: readonly (DataOf<'node'> | undefined)[],
): void {
  const asked = checkPrompts(contents).find(({ call }) => call.step_id === second?.step_id);
  expect(asked?.kind).toBe('as-sent');
  const prompt = asked?.sent?.messages.at(-1)?.content;
  expect(prompt).toContain('Output of one (analyzer):');
  expect(prompt).toContain(first?.output);
  expect(JSON.stringify(asked?.call.prompt)).not.toContain(first?.output.slice(0, 100));
}

test('a run that has ended is archived: records, history, and the code that decided it', async () => {
  const person = await register(product.url);
  const { body } = await person.ask('POST', '/pipelines/execute', { design: DESIGN });
  const contents = await archived(body.pipeline_id);
  const one = (wanted: string) => contents.find(({ kind }) => kind === wanted)?.data;
  expect(one('run')).toMatchObject({ pipeline_id: body.pipeline_id, status: 'completed' });
  expect(one('design')).toMatchObject({ name: 'Audited' });
  const [first, second, ...more] = contents.filter(isOf('node')).map(({ data }) => data);
  expect([first?.node, second?.node, more]).toEqual(['one', 'two', []]);
  expectSent(contents, [first, second]);
  expect(second?.replies).toMatchObject([{ content: second?.output, model: 'simulated' }]);
  expect(contents.filter(isOf('call'))).toHaveLength(2);
  const bundle = readFileSync(new URL('../../dist/workflow-bundle.js', import.meta.url), 'utf8');
  expect(one('code')).toMatchObject({
    workflow_bundle: hashOfBundle(bundle),
  });
  const events = contents.filter(isOf('event')).map(({ data }) => data);
  expect(one('history')).toMatchObject({
    state: 'archived',
    workflow_id: pipelineWorkflowId(body.pipeline_id),
    events: events.length,
  });
  expect(events.at(-1)?.['eventType']).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED');
  expect(JSON.stringify(events)).toContain(`agentforge@`);
});

test('a worker that is killed when its run has ended leaves the archive to the next one, once it is asked for', async () => {
  const [worker] = product.workers;
  const person = await register(product.url);
  const { body } = await person.ask('POST', '/pipelines/execute', { design: DESIGN });
  await worker?.kill(); // before it has found the time for archives
  await product.startWorker();
  const path = `/pipelines/${body.pipeline_id}/audit`;
  const first = await person.ask('GET', path); // orders it
  expect([first.status, first.body.detail]).toEqual([409, expect.stringContaining('archived')]);
  await until('the archive', async () => (await person.ask('GET', path)).status === 200);
  expect((await archived(body.pipeline_id)).filter(isOf('event')).length).toBeGreaterThan(10);
});

test('a run from a conversation is archived with what led to it', async () => {
  const person = await register(product.url);
  const conversationId = await person.startConversation();
  const chat = await person.chat(conversationId);
  await chat.say('Compare three podcast apps and write a report');
  await chat.say('ok, take option 1');
  const run = await until('the run', () =>
    product.db
      .selectFrom('pipelineExecutions')
      .select('id')
      .where('conversationId', '=', conversationId)
      .executeTakeFirst(),
  );
  const contents = await archived(run.id);
  const said = contents.filter(isOf('message')).map(({ data }) => data);
  expect(said[0]).toMatchObject({ role: 'user', content: expect.stringContaining('podcast') });
  expect(said.at(-1)?.metadata).toMatchObject({ pipeline_id: run.id });
  await chat.close();
});

test('the file is proved without a server, also when the server has lost the run', async () => {
  const person = await register(product.url);
  const { body } = await person.ask('POST', '/pipelines/execute', { design: DESIGN });
  const { pipeline_id: id } = body;
  await archived(id);
  await loseHistory(temporal.client, pipelineWorkflowId(id));
  const file = join(mkdtempSync(join(tmpdir(), 'audit-')), 'bundle.json');
  const response = await fetch(`${product.url}/api/v1/pipelines/${id}/audit`, {
    headers: { authorization: `Bearer ${person.token}` },
  });
  writeFileSync(file, Buffer.from(await response.arrayBuffer()));
  const { AUDIT_SIGNING_KEY = '' } = product.env;
  const proof = await runCommand('audit-verify.js', [file], { AUDIT_SIGNING_KEY });
  expect(proof.output).toMatch(/^Replay: \d+ events, all as the workflows of /m);
  expect(proof.output).toContain('PROVED');
  expect(proof.code).toBe(0);
  const shown = await runCommand('audit-show.js', [file]);
  expect(shown.output).toMatch(/agent two ended: success by simulated simulated/);
  rmSync(dirname(file), { recursive: true });
});

test('a run that is terminated from outside is archived as it was', async () => {
  const person = await register(product.url);
  const slow = { ...DESIGN, agents: DESIGN.agents.map((agent) => ({ ...agent, approval: true })) };
  const { body } = await person.ask('POST', '/pipelines/execute', { design: slow });
  const { pipeline_id: id } = body;
  await temporal.client.workflow.getHandle(pipelineWorkflowId(id)).terminate();
  const { db, env } = product;
  // as the reconciler would, in ten minutes
  const closed = { id, outcome: { kind: 'internal' }, now: new Date() } as const;
  await db.transaction().execute((tx) => closeRun(tx, { ...closed, pipelineId: id }));
  const taskQueue = env['TEMPORAL_TASK_QUEUE'] ?? '';
  const orders = createArchiveRequests({
    ...{ temporal: { client: temporal.client, taskQueue }, logger: silentLogger },
    quietForMs: () => 0,
  });
  orders.wantArchives();
  await orders.close();
  const contents = await archived(id);
  expect(contents.filter(isOf('approval')).map(({ data }) => data.state)).toEqual(['withdrawn']);
  const last = contents.filter(isOf('event')).at(-1)?.data;
  expect(last?.['eventType']).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED');
});

test('each run of a discussion is archived, also those that continued as new', async () => {
  const person = await register(product.url);
  const conversationId = await person.startConversation();
  const chat = await person.chat(conversationId);
  for (const said of ['Compare three podcast apps and write a report', 'cheaper', 'restart']) {
    await chat.say(said);
  }
  await chat.close();
  await product.startWorker(); // its first sweep is at once, so that the test does not wait for a minute
  const listed = await until('an archive of the discussion', async () => {
    const { body } = await person.ask('GET', `/conversations/${conversationId}/audit`);
    return body.length > 0 && body;
  });
  const response = await fetch(
    `${product.url}/api/v1/conversations/${conversationId}/audit/${listed[0].run_id}`,
    { headers: { authorization: `Bearer ${person.token}` } },
  );
  const folder = mkdtempSync(join(tmpdir(), 'audit-'));
  const file = join(folder, 'bundle.json');
  writeFileSync(file, Buffer.from(await response.arrayBuffer()));
  const { AUDIT_SIGNING_KEY = '' } = product.env;
  const proof = await runCommand('audit-verify.js', [file], { AUDIT_SIGNING_KEY });
  expect(proof).toMatchObject({ code: 0, output: expect.stringContaining('PROVED') });
  const shown = await runCommand('audit-show.js', [file]);
  expect(shown.output).toContain(`Discussion ${conversationId} of user`);
  expect(shown.output).toContain('user says: Compare three podcast apps');
  expect(shown.output).toMatch(/workflow execution continued as new/);
  rmSync(folder, { recursive: true });
});
