/** What administrators see and do; the workflows themselves are not under test here. */
import { randomUUID } from 'node:crypto';
import { closeRun, openRun } from '../../../../db/runs/runs.js';
import { suspendRun } from '../../../../db/runs/active-run-lock.js';
import { inTransaction } from '../../../../db/transactions.js';
import { utcDay } from '../../../../domain/account/days.js';
import { DomainError } from '../../../../domain/errors.js';
import { startApiServer, type ApiServer, type Person } from '../../../support/api-server.js';
import { connectChat, opened } from '../../../support/chat-client.js';
import { startGateway } from '../../../support/chat-server.js';
import { designOf } from '../../../support/designs.js';
import { admittedRun, createTestConversation } from '../../../support/runs.js';

let api: ApiServer;
let admin: Person;
beforeAll(async () => {
  api = await startApiServer({ deps: { deletionWaitMs: 0 } });
});
afterAll(() => api.close());
beforeEach(async () => {
  admin = await api.register();
  await setRole(admin, 'admin');
  api.workflows.cancelPipeline = NOT_CALLED;
  api.workflows.readLiveness = () => Promise.resolve('running');
  api.workflows.releaseRun = NOT_CALLED;
});

const NOT_CALLED = () => Promise.reject(new Error('this test expects no such call'));
const LONG_AGO = new Date(Date.now() - 60_000);

const setRole = ({ id }: Person, role: 'free' | 'pro' | 'admin') =>
  api.db.updateTable('users').set({ role }).where('id', '=', id).execute();

const get = async (path: string, person = admin) =>
  api.send('GET', `/admin${path}`, { token: person.token });
const idsOf = ({ body }: { body: any }) => body.map(({ id }: { id: string }) => id);

const shut = ({ id }: { id: string }, person = admin, body: object = { reason: 'spam' }) =>
  api.send('POST', `/admin/users/${id}/disable`, { token: person.token, body });
const open = ({ id }: Person) =>
  api.send('POST', `/admin/users/${id}/enable`, { token: admin.token });

/** The lines of an administrator in the log, oldest first. */
async function linesOf(person = admin): Promise<any[]> {
  const { body } = await get(`/actions?actor_id=${person.id}`);
  return body.toReversed();
}

interface RunFields {
  readonly status?: 'pending' | 'running' | 'completed';
  readonly waitingFor?: 'approval' | 'slot';
  readonly createdAt?: Date;
}

async function runOf({ id: userId }: Person, fields: RunFields = {}): Promise<string> {
  const { status = 'pending', waitingFor, createdAt = LONG_AGO } = fields;
  const id = await admittedRun(api.db, { userId, design: designOf(['a']) }, createdAt);
  await inTransaction(api.db, async (tx) => {
    if (status !== 'pending') {
      await openRun(tx, id, { now: createdAt });
    }
    if (waitingFor !== undefined) {
      await suspendRun(tx, { pipelineId: id, reason: waitingFor, now: createdAt });
    }
    if (status === 'completed') {
      await closeRun(tx, { pipelineId: id, outcome: { kind: 'cancelled' }, now: new Date() });
    }
  });
  return id;
}

test.each([
  ['GET', '/admin/users'],
  ['GET', '/admin/runs'],
  ['GET', '/admin/stuck'],
  ['GET', '/admin/costs'],
  ['GET', '/admin/actions'],
  ['POST', `/admin/users/${randomUUID()}/disable`],
  ['POST', `/admin/users/${randomUUID()}/enable`],
  ['POST', `/admin/users/${randomUUID()}/approve`],
  ['POST', `/admin/runs/${randomUUID()}/release`],
])('%s %s is for administrators alone', async (method, path) => {
  const person = await api.register();
  for (const role of ['free', 'pro'] as const) {
    await setRole(person, role);
    const body = path.endsWith('disable') ? { body: { reason: 'x' } } : {};
    expect(await api.send(method, path, { token: person.token, ...body })).toMatchObject({
      status: 403,
      body: { detail: 'Insufficient permissions' },
    });
  }
});

describe('GET /admin/users', () => {
  test('are found by a part of address or name in any letter case, by id, and by role', async () => {
    const mark = randomUUID().slice(0, 8);
    const one = await api.register({ email: `Ada-${mark}@example.com` });
    const two = await api.register({ email: `bob-${mark}@example.com` });
    await setRole(two, 'pro');
    expect(idsOf(await get(`/users?search=${mark.toUpperCase()}`))).toEqual([two.id, one.id]);
    expect(idsOf(await get(`/users?search=ada-${mark}`))).toEqual([one.id]);
    expect(idsOf(await get(`/users?search=${one.id}`))).toEqual([one.id]);
    expect(idsOf(await get(`/users?search=${mark}&role=pro`))).toEqual([two.id]);
    expect(idsOf(await get(`/users?search=%25${mark}`))).toEqual([]);
    const name = `Grace ${mark}`;
    await api.send('PUT', '/auth/me', { token: one.token, body: { display_name: name } });
    expect(idsOf(await get(`/users?search=grace%20${mark}`))).toEqual([one.id]);
  });

  test('show limit, cost of today, open runs and whether the account works', async () => {
    const person = await api.register();
    await runOf(person);
    await api.db
      .insertInto('userDailyCosts')
      .values({ userId: person.id, date: utcDay(new Date()), totalCost: '0.25' })
      .execute();
    const { body } = await get(`/users?search=${person.id}`);
    expect(body).toMatchObject([
      {
        ...{ id: person.id, email: person.email, display_name: 'Somebody', role: 'free' },
        ...{ daily_budget_usd: null, daily_limit: 1, cost_today: 0.25, open_runs: 1 },
        disabled_at: null,
      },
    ]);
    expect(JSON.stringify(body)).not.toMatch(/password/i);
  });

  test('come page by page, each account once', async () => {
    const mark = randomUUID().slice(0, 8);
    const people: Person[] = [];
    for (let at = 0; at < 5; at += 1) {
      people.push(await api.register({ email: `${at}-${mark}@example.com` }));
    }
    const newest = people.map(({ id }) => id).reverse();
    const pageAfter = async (last = '') =>
      idsOf(await get(`/users?search=${mark}&limit=2${last === '' ? '' : `&after=${last}`}`));
    expect(await pageAfter()).toEqual(newest.slice(0, 2));
    expect(await pageAfter(newest[1])).toEqual(newest.slice(2, 4));
    expect(await pageAfter(newest[3])).toEqual(newest.slice(4));
    expect(await pageAfter(newest[4])).toEqual([]);
  });

  test.each(['limit=0', 'limit=101', 'after=42', 'role=king', 'disabled=maybe', 'search='])(
    '%s is a 422',
    async (query) => {
      expect((await get(`/users?${query}`)).status).toBe(422);
    },
  );
});

describe('GET /admin/runs', () => {
  test('are found by user, status and what they wait for, newest first, page by page', async () => {
    const person = await api.register();
    const waiting = await runOf(person, { status: 'running', waitingFor: 'approval' });
    const ended = await runOf(person, { status: 'completed', createdAt: new Date() });
    const ofUser = (more = '') => get(`/runs?user_id=${person.id}${more}`);
    expect(idsOf(await ofUser())).toEqual([ended, waiting]);
    expect(idsOf(await ofUser('&status=running'))).toEqual([waiting]);
    expect(idsOf(await ofUser('&waiting_for=approval'))).toEqual([waiting]);
    expect(idsOf(await ofUser(`&limit=1&after=${ended}`))).toEqual([waiting]);
    expect((await ofUser('&status=running')).body).toMatchObject([
      {
        ...{ email: person.email, design_name: 'Quick look', status: 'running', cost: 0 },
        ...{ waiting_for: 'approval', holds_slot: false, ended_at: null },
      },
    ]);
  });
});

describe('GET /admin/costs', () => {
  test('sums days over users, names who has spent most, and counts deleted users', async () => {
    const [one, two] = [await api.register(), await api.register()];
    const date = utcDay(new Date(Date.now() - 5 * 86_400_000));
    const spend = (userId: string, totalCost: string) =>
      api.db.insertInto('userDailyCosts').values({ userId, date, totalCost }).execute();
    await spend(one.id, '900');
    await spend(two.id, '1000.5');
    await api.db.insertInto('anonymousDays').values({ date, totalCost: '2' }).execute();
    const call = (userId: string, state: 'estimated' | 'unknown', cost: string) =>
      api.db
        .insertInto('costLedger')
        .values({
          ...{ id: randomUUID(), stepId: randomUUID(), runId: 'r', attempt: 1, callNumber: 1 },
          ...{ userId, date, provider: 'openai', model: 'm', state, cost, reserved: cost },
          ...{ inputUsdPerMillion: '1', outputUsdPerMillion: '1', maxTokens: 1 },
        })
        .execute();
    await call(one.id, 'estimated', '0.5');
    await call(two.id, 'unknown', '0.25');
    const { body } = await get('/costs?days=6&limit=2');
    expect(body.days.find((day: { date: string }) => day.date === date)).toEqual({
      ...{ date, cost: 1902.5, users: 2, estimated_cost: 0.5, unknown_cost: 0.25 },
    });
    expect(body.users).toEqual([
      { id: two.id, email: two.email, cost: 1000.5 },
      { id: one.id, email: one.email, cost: 900 },
    ]);
    expect((await get('/costs?days=5')).body.days).not.toContainEqual(
      expect.objectContaining({ date }),
    );
    expect((await get(`/costs?user_id=${one.id}`)).body).toEqual({
      days: [{ date, cost: 900, users: 1, estimated_cost: 0.5, unknown_cost: 0 }],
      users: [{ id: one.id, email: one.email, cost: 900 }],
    });
  });
});

describe('POST /admin/users/{user_id}/disable', () => {
  const refused = { status: 401 };

  test('refuses every credential at once, for good; enabled, the account is signed in to anew', async () => {
    const person = await api.register();
    const { token, refreshToken, email, password } = person;
    const key = await api.send('POST', '/api-keys', { token, body: { name: 'script' } });
    const headers = { 'X-API-Key': key.body.key };
    const logIn = (typed = password) =>
      api.send('POST', '/auth/login', { body: { email, password: typed } });
    const refresh = () =>
      api.send('POST', '/auth/refresh', { body: { refresh_token: refreshToken } });
    expect(await shut(person)).toMatchObject({
      status: 200,
      body: { user: person.id, runs_ended: 0, runs_left: 0 },
    });
    expect(await api.send('GET', '/auth/me', { token })).toMatchObject({
      ...refused,
      body: { detail: 'The account is disabled' },
    });
    expect(await api.send('GET', '/auth/me', { headers })).toMatchObject(refused);
    expect(await refresh()).toMatchObject(refused);
    expect(await logIn()).toMatchObject({
      ...refused,
      body: { detail: 'The account is disabled' },
    });
    expect(await logIn('Wrong-passw0rd')).toMatchObject({
      ...refused,
      body: { detail: 'Invalid email or password' },
    });
    expect(idsOf(await get(`/users?search=${person.id}&disabled=true`))).toEqual([person.id]);
    expect(await open(person)).toMatchObject({ status: 200, body: { user: person.id } });
    expect(await logIn()).toMatchObject({ status: 200 });
    expect(await api.send('GET', '/auth/me', { headers })).toMatchObject(refused);
    expect(await api.send('GET', '/auth/me', { token })).toMatchObject(refused);
    expect(await refresh()).toMatchObject(refused);
    expect(idsOf(await get(`/users?search=${person.id}&disabled=true`))).toEqual([]);
  });

  test('closes connections, and refuses new ones', async () => {
    const gateway = await startGateway(api.db, { readAccess: api.tokens.readAccess });
    const person = await api.register();
    const id = await createTestConversation(api.db, person.id);
    const url = gateway.url({ id, userId: person.id, token: person.token });
    const chat = await opened(connectChat(url));
    await shut(person);
    expect(await chat.closed()).toMatchObject({ code: 1008 });
    expect(await connectChat(url).refused()).toMatchObject({ status: 403 });
    await gateway.close();
  });

  test('ends runs, says which could not be reached, and ends those when ordered again', async () => {
    const person = await api.register();
    const parked = await runOf(person, { status: 'running', waitingFor: 'approval' });
    const active = await runOf(person);
    const asked: string[] = [];
    let isAway = true;
    api.workflows.cancelPipeline = (userId, id) => {
      asked.push(`${userId} ${id}`);
      return isAway && id === parked
        ? Promise.reject(new DomainError('unavailable', 'away'))
        : Promise.resolve(null);
    };
    expect((await shut(person)).body).toMatchObject({ runs_ended: 1, runs_left: 1 });
    expect(asked.sort()).toEqual([`${person.id} ${active}`, `${person.id} ${parked}`].sort());
    isAway = false;
    expect((await shut(person)).body).toMatchObject({ runs_ended: 2, runs_left: 0 });
  });

  test('lets no run be admitted that was ordered before', async () => {
    const person = await api.register();
    await shut(person);
    await expect(runOf(person)).rejects.toThrow('The account is disabled');
  });

  test('is logged with its reason, and so is its end', async () => {
    const person = await api.register();
    await shut(person, admin, { reason: 'sends spam' });
    await open(person);
    const subject = `user:${person.id}`;
    expect(await linesOf()).toMatchObject([
      { action: 'user:disable', subject, details: { reason: 'sends spam' } },
      { action: 'user:enable', subject, details: {} },
    ]);
    const found = await get(`/actions?subject=user:${person.id.toUpperCase()}`); // an id in capitals
    expect(found.body.map((line: any) => line.subject)).toEqual([subject, subject]);
  });

  test('is not possible for oneself or a missing user, and needs a reason', async () => {
    expect(await shut(admin)).toMatchObject({ status: 400 });
    expect(await shut({ id: randomUUID() })).toMatchObject({ status: 404 });
    expect(await shut({ id: '42' })).toMatchObject({ status: 422 });
    expect(await shut(await api.register(), admin, {})).toMatchObject({ status: 422 });
    expect(await linesOf()).toEqual([]);
  });
});

describe('GET /admin/stuck', () => {
  const stuckOf = async (person: Person) => {
    const { body } = await get('/stuck?limit=100');
    return body.runs.filter((run: any) => run.user_id === person.id);
  };

  test('names runs whose workflow is gone, and those that wait for somebody', async () => {
    const person = await api.register();
    const waiting = await runOf(person, { status: 'running', waitingFor: 'approval' });
    const lost = await runOf(person, { createdAt: new Date(LONG_AGO.getTime() + 1_000) });
    api.workflows.readLiveness = (id) => Promise.resolve(id === lost ? 'missing' : 'running');
    expect(await stuckOf(person)).toMatchObject([
      { id: waiting, why: 'waiting', workflow: 'running', waiting_for: 'approval' },
      { id: lost, why: 'no-workflow', workflow: 'missing' },
    ]);
  });

  test('names a run that queues for the lock only if no run holds it', async () => {
    const person = await api.register();
    const queued = await runOf(person, { status: 'running', waitingFor: 'slot' });
    await api.db
      .updateTable('pipelineExecutions')
      .set({ holdsSlot: false })
      .where('id', '=', queued)
      .execute();
    expect(await stuckOf(person)).toMatchObject([{ id: queued, why: 'slot-not-handed-on' }]);
    const holder = await runOf(person, { createdAt: new Date() });
    expect(await stuckOf(person)).toEqual([]);
    await api.db.deleteFrom('pipelineExecutions').where('id', '=', holder).execute();
  });

  test('leaves out runs that work, that have ended, or that are being started', async () => {
    const [one, two, three] = [await api.register(), await api.register(), await api.register()];
    await runOf(one, { status: 'running' });
    await runOf(two, { status: 'completed' });
    const young = await runOf(three, { createdAt: new Date() });
    api.workflows.readLiveness = (id) => Promise.resolve(id === young ? 'missing' : 'running');
    expect([await stuckOf(one), await stuckOf(two), await stuckOf(three)]).toEqual([[], [], []]);
  });

  test('goes page by page', async () => {
    const seen: string[] = [];
    for (let next = ''; ;) {
      const { body } = await get(`/stuck?limit=1${next}`);
      seen.push(...body.runs.map(({ id }: { id: string }) => id));
      if (body.next === null) {
        break;
      }
      next = `&after=${body.next}`;
    }
    const { body } = await get('/stuck?limit=100');
    expect(seen).toEqual(body.runs.map(({ id }: { id: string }) => id));
    expect(seen.length).toBeGreaterThan(1);
  });

  test('is a 503 while Temporal is away', async () => {
    await runOf(await api.register());
    api.workflows.readLiveness = () => Promise.reject(new Error('14 UNAVAILABLE'));
    expect((await get('/stuck')).status).toBe(503);
  });
});

describe('POST /admin/runs/{run_id}/release', () => {
  const release = (id: string) =>
    api.send('POST', `/admin/runs/${id}/release`, { token: admin.token });

  const openRunOf = async () =>
    runOf(await api.register(), { status: 'running', waitingFor: 'approval' });

  test('says how the run was unblocked, and logs it', async () => {
    const id = await openRunOf();
    api.workflows.releaseRun = (asked) => Promise.resolve(asked === id ? 'closed' : null);
    expect(await release(id.toUpperCase())).toMatchObject({
      status: 200,
      body: { outcome: 'closed' },
    });
    const details = { status: 'running', waiting_for: 'approval' };
    expect(await linesOf()).toMatchObject([
      { action: 'run:release', subject: `pipeline:${id}`, details },
    ]);
  });

  test('that failed is logged, too', async () => {
    api.workflows.releaseRun = () => Promise.reject(new DomainError('unavailable', 'x'));
    expect((await release(await openRunOf())).status).toBe(503);
    api.workflows.releaseRun = () => Promise.reject(new DomainError('run-ended', 'x'));
    expect((await release(await openRunOf())).status).toBe(409);
    api.workflows.releaseRun = () => Promise.resolve(null);
    expect((await release(await openRunOf())).status).toBe(404);
    expect(await linesOf()).toHaveLength(3);
  });

  test('of a run that has ended, or is none, is refused and leaves none', async () => {
    const ended = await runOf(await api.register(), { status: 'completed' });
    expect((await release(ended)).status).toBe(409);
    expect((await release(randomUUID())).status).toBe(404);
    expect(await linesOf()).toEqual([]);
  });
});

describe('GET /admin/actions', () => {
  test('lists roles, budgets and deletions, newest first, by whom and of whom, page by page', async () => {
    const person = await api.register();
    const put = (what: string, body: object) =>
      api.send('PUT', `/auth/users/${person.id}/${what}`, { token: admin.token, body });
    await put('role', { role: 'pro' });
    await put('budget', { daily_budget_usd: 2.5 });
    api.workflows.startUserDeletion = () => Promise.resolve();
    const path = `/auth/users/${person.id}`;
    await api.db.updateTable('users').set({ role: 'pro' }).where('id', '=', person.id).execute();
    await api.send('DELETE', path, { token: admin.token });
    const subject = `user:${person.id}`;
    const lines = [
      { action: 'user:delete', subject, actor_id: admin.id, details: {} },
      { action: 'user:set-budget', subject, details: { after: '2.500000' } },
      { action: 'user:set-role', subject, details: { before: 'free', after: 'pro' } },
    ];
    const { body } = await get(`/actions?subject=${encodeURIComponent(subject)}`);
    expect(body).toMatchObject(lines);
    const older = await get(`/actions?actor_id=${admin.id}&limit=1&before=${body[0].id}`);
    expect(older.body).toMatchObject([lines[1]]);
    expect(Math.abs(Date.now() - Date.parse(body[0].at))).toBeLessThan(60_000);
  });

  test('leaves out what was refused', async () => {
    const missing = randomUUID();
    const put = (id: string, body: object) =>
      api.send('PUT', `/auth/users/${id}/role`, { token: admin.token, body });
    expect((await put(missing, { role: 'pro' })).status).toBe(404);
    expect((await put(admin.id, { role: 'pro' })).status).toBe(400);
    expect(await linesOf()).toEqual([]);
  });

  test.each(['before=0', 'before=x', 'limit=101', 'actor_id=42'])('%s is a 422', async (query) => {
    expect((await get(`/actions?${query}`)).status).toBe(422);
  });
});
