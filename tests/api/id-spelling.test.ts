/** An id has one spelling behind the API's edge, however it was asked for. */
import { randomUUID } from 'node:crypto';
import { decideApproval, insertResponse, requestApproval } from '../../db/runs/approvals.js';
import { inTransaction } from '../../db/transactions.js';
import { runView, startApiServer, type ApiServer, type Person } from '../support/api-server.js';
import { admittedRun } from '../support/runs.js';

let api: ApiServer;
let person: Person;
beforeAll(async () => {
  api = await startApiServer();
  person = await api.register();
});
afterAll(() => api.close());

/** What Temporal is asked for. */
function asked(): string[] {
  const ids: string[] = [];
  const note = (id: string) => {
    ids.push(id);
    return Promise.resolve(runView({ pipeline_id: id }));
  };
  api.workflows.readPipeline = (_, id) => note(id);
  api.workflows.pauseRun = (_, id) => note(id);
  api.workflows.resumeRun = (_, id) => note(id);
  api.workflows.cancelPipeline = async (_, id) => ({ kind: 'asked', view: await note(id) });
  api.workflows.decideApproval = ({ pipelineId }) => {
    ids.push(pipelineId);
    return Promise.reject(new Error('heard'));
  };
  api.workflows.runConfirmed = ({ conversationId }) => {
    ids.push(conversationId);
    return Promise.reject(new Error('heard'));
  };
  return ids;
}

const send = (method: string, path: string, body?: unknown) =>
  api.send(method, path, { token: person.token, body });

test.each([
  ['GET', (id: string) => `/pipelines/${id}/status`],
  ['GET', (id: string) => `/pipelines/${id}/result`],
  ['GET', (id: string) => `/pipelines/${id}/approvals`],
  ['POST', (id: string) => `/pipelines/${id}/cancel`],
  ['POST', (id: string) => `/pipelines/${id}/pause`],
  ['POST', (id: string) => `/pipelines/${id}/resume`],
  ['POST', (id: string) => `/pipelines/${id}/approvals/a`],
])('%s of a run in capitals (%#) is of that run', async (method, pathOf) => {
  const ids = asked();
  const id = randomUUID();
  const body = method === 'POST' ? { decision: 'approve' } : undefined;
  await send(method, pathOf(id.toUpperCase()), body);
  expect(ids).toEqual([id]);
});

test('a body, too, may name an id in capitals', async () => {
  const ids = asked();
  const id = randomUUID();
  await send('POST', '/pipelines/execute', { conversation_id: id.toUpperCase() });
  expect(ids).toEqual([id]);
});

test('a conversation, a template and a key in capitals are found', async () => {
  const made = [
    ['/conversations', { title: 'x' }, 'GET', 200],
    ['/templates', { name: 'T', graph_data: {}, design_data: {} }, 'GET', 200],
    ['/api-keys', { name: 'k' }, 'DELETE', 204],
  ] as const;
  for (const [path, body, method, status] of made) {
    const { id } = (await send('POST', path, body)).body;
    expect((await send(method, `${path}/${String(id).toUpperCase()}`)).status).toBe(status);
  }
});

test('a node name that cannot exist is not found, not a server error', async () => {
  const pipelineId = await admittedRun(api.db, { userId: person.id }, new Date());
  api.workflows.decideApproval = ({ node }) => Promise.reject(new Error(node));
  await send('POST', `/pipelines/${pipelineId}/approvals/a%00b`, { decision: 'approve' });
  expect(api.lines().at(-2)).toMatchObject({ error: { message: 'a\ufffdb' } });
});

test('decisions that were not taken are kept ten at a time, and the one that was taken stays', async () => {
  const { db } = api;
  const owner = await api.register();
  const pipelineId = await admittedRun(db, { userId: owner.id }, new Date());
  const node = 'a';
  const now = new Date();
  const wanted = { agentName: 'a', input: '', onTimeout: 'reject', requestedAt: now } as const;
  await inTransaction(db, (tx) =>
    requestApproval(tx, { ...wanted, pipelineId, node, deadline: now }),
  );
  const response = async (): Promise<string> => {
    const id = randomUUID();
    const texts = { decision: 'approve', input: null, comment: null } as const;
    await insertResponse(db, { ...texts, id, pipelineId, node, userId: owner.id });
    return id;
  };
  const offerId = await response();
  await inTransaction(db, (tx) => decideApproval(tx, { pipelineId, node, offerId, now }));
  const later: string[] = [];
  for (let count = 0; count < 25; count += 1) {
    later.push(await response());
  }
  const kept = await db
    .selectFrom('approvalOffers')
    .select('id')
    .where('pipelineId', '=', pipelineId)
    .execute();
  expect(kept.map(({ id }) => id).sort()).toEqual([offerId, ...later.slice(-10)].sort());
});
