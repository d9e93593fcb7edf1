/** Accounts that an administrator has to approve. */
import { randomUUID } from 'node:crypto';
import { admitRun } from '../../db/runs/admission.js';
import { changeRoleAs } from '../../db/audit/logged-changes.js';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';
import { connectChat, opened } from '../support/chat-client.js';
import { gatewaysOfTests } from '../support/chat-server.js';
import { designOf } from '../support/designs.js';
import { createTestConversation } from '../support/runs.js';
import { until } from '../support/until.js';

let api: ApiServer;
let admin: Person;
let person: Person;
const startGatewayOfTest = gatewaysOfTests();
beforeAll(async () => {
  api = await startApiServer({ config: { registration: 'approval' } });
  admin = await api.register();
  await changeRoleAs(api.db, { id: null, by: 'operator' }, { userId: admin.id, role: 'admin' });
});
beforeEach(async () => {
  person = await api.register();
});
afterAll(() => api.close());

const DETAIL =
  'The account awaits the approval of an administrator; until then it can start nothing';
const approve = (id = person.id) =>
  api.send('POST', `/admin/users/${id}/approve`, { token: admin.token });
const design = designOf(['a']);

test('the first administrator needs no approval', async () => {
  expect((await api.send('GET', '/auth/me', { token: admin.token })).body).not.toHaveProperty(
    'awaiting_approval',
  );
});

test('until then an account signs in, is said to wait, and starts nothing', async () => {
  const { email, password, token } = person;
  expect((await api.send('POST', '/auth/login', { body: { email, password } })).status).toBe(200);
  const me = await api.send('GET', '/auth/me', { token });
  expect(me).toMatchObject({ status: 200, body: { role: 'free', awaiting_approval: true } });
  for (const [path, body] of [
    ['/conversations', { title: 'x' }],
    ['/pipelines/execute', { design }],
    ['/pipelines/execute-direct', { design }],
    [`/pipelines/${randomUUID()}/rerun`, {}],
  ] as const) {
    const { status, body: answer } = await api.send('POST', path, { token, body });
    expect([path, status, answer]).toEqual([path, 403, { detail: DETAIL }]);
  }
  const key = await api.send('POST', '/api-keys', { token, body: { name: 'script' } });
  const headers = { 'X-API-Key': key.body.key };
  const byKey = await api.send('POST', '/pipelines/execute', { headers, body: { design } });
  expect([byKey.status, byKey.body]).toEqual([403, { detail: DETAIL }]);
});

test('no run is admitted, over any route', async () => {
  for (const order of ['http', 'socket'] as const) {
    const admitting = admitRun(
      api.db,
      {
        ...{ pipelineId: randomUUID(), userId: person.id, conversationId: null, design, order },
        language: 'en',
        keys: { serverKeys: true, simulated: false, readableSeals: [] },
      },
      new Date(),
    );
    await expect(admitting).rejects.toMatchObject({ code: 'not-permitted', message: DETAIL });
  }
});

test('a socket answers why, and follows the approval while it is open', async () => {
  const gateway = await startGatewayOfTest(api.db, { readAccess: api.tokens.readAccess });
  const id = await createTestConversation(api.db, person.id);
  const client = await opened(
    connectChat(gateway.url({ id, userId: person.id, token: person.token })),
  );
  const say = (content: string) => {
    client.send({ content, conversation_id: id });
  };
  say('make me a report');
  say('보고서를 만들어 줘');
  await client.received(2);
  expect(client.frames).toMatchObject([
    { type: 'error', content: expect.stringContaining('awaits the approval') },
    { type: 'error', content: expect.stringContaining('승인') },
  ]);
  expect(gateway.sent).toEqual([]);
  expect((await approve()).status).toBe(200);
  await until('a message is taken', () => {
    say('and now?');
    return gateway.sent.length > 0;
  });
});

test('administrators see who waits, approve once, and leave a line in the log', async () => {
  const list = async () =>
    (
      await api.send('GET', `/admin/users?awaiting_approval=true&search=${person.id}`, {
        token: admin.token,
      })
    ).body;
  expect(await list()).toMatchObject([
    { id: person.id, awaiting_approval_since: expect.stringMatching(/Z$/) },
  ]);
  expect(await approve()).toMatchObject({ status: 200, body: { user: person.id } });
  expect(await list()).toEqual([]);
  expect((await approve()).status).toBe(409);
  expect((await approve(randomUUID())).status).toBe(404);
  const { body } = await api.send('GET', `/admin/actions?subject=user:${person.id}`, {
    token: admin.token,
  });
  expect(body).toMatchObject([{ action: 'user:approve', actor_id: admin.id }]);
  const me = await api.send('GET', '/auth/me', { token: person.token });
  expect(Object.keys(me.body)).toEqual(['id', 'email', 'display_name', 'role']);
  const { status } = await api.send('POST', '/conversations', {
    token: person.token,
    body: { title: 'x' },
  });
  expect(status).toBe(201);
});

test('is for administrators alone', async () => {
  const { status } = await api.send('POST', `/admin/users/${person.id}/approve`, {
    token: person.token,
  });
  expect(status).toBe(403);
});

test('where registration is closed, no account is made, and existing ones go on', async () => {
  const closed = await startApiServer({ config: { registration: 'closed' }, deps: { db: api.db } });
  const body = { email: `${randomUUID()}@example.com`, password: 'Passw0rd', display_name: 'Me' };
  expect(await closed.send('POST', '/auth/register', { body })).toMatchObject({
    status: 403,
    body: { detail: 'Registration is closed: ask an administrator' },
  });
  const { email, password } = person;
  expect((await closed.send('POST', '/auth/login', { body: { email, password } })).status).toBe(
    200,
  );
  await closed.close();
});
