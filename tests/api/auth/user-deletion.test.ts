import { removeUser } from '../../../db/users/user-deletion.js';
import { startApiServer, type ApiServer, type Person } from '../../support/api-server.js';
import { createTestConversation } from '../../support/runs.js';

let api: ApiServer;
const ordered: string[] = [];
beforeAll(async () => {
  api = await startApiServer({ deps: { deletionWaitMs: 100 } });
});
afterAll(() => api.close());
beforeEach(() => {
  ordered.length = 0;
  carryOut('at once');
});

/** The outcome of an order: the workflow itself is not under test here. */
function carryOut(when: 'at once' | 'later'): void {
  api.workflows.startUserDeletion = async (userId) => {
    ordered.push(userId);
    await (when === 'at once' ? removeUser(api.db, userId, () => ({})) : undefined);
  };
}

const deleteMe = ({ token, password }: Person, more: object = {}) =>
  api.send('DELETE', '/auth/me', { token, body: { current_password: password, ...more } });

async function admin(): Promise<Person> {
  const person = await api.register();
  await api.db.updateTable('users').set({ role: 'admin' }).where('id', '=', person.id).execute();
  return person;
}

const logged = (event: string) => api.lines().filter((line) => line['event'] === event);

describe('DELETE /auth/me', () => {
  test('204 where everything is removed in time; the log says who ordered it', async () => {
    const person = await api.register();
    expect(await deleteMe(person)).toMatchObject({ status: 204, body: null });
    expect(ordered).toEqual([person.id]);
    expect(logged('user deletion ordered').at(-1)).toMatchObject({
      ...{ userId: person.id, by: person.id },
    });
  });

  test('202 while it goes on', async () => {
    carryOut('later');
    const person = await api.register();
    expect(await deleteMe(person)).toMatchObject({ status: 202, body: { status: 'deleting' } });
  });

  test.each(['at once', 'later'] as const)(
    'no credential signs in any more, and the address is free (%s)',
    async (when) => {
      carryOut(when);
      const person = await api.register();
      const { email, password, token, refreshToken } = person;
      const key = await api.send('POST', '/api-keys', { token, body: { name: 'script' } });
      await deleteMe(person);
      const refused = (detail: string) => ({ status: 401, body: { detail } });
      const headers = { 'X-API-Key': key.body.key };
      const login = { email, password };
      expect(await api.send('GET', '/auth/me', { token })).toMatchObject(refused('User not found'));
      expect(await deleteMe(person)).toMatchObject(refused('User not found'));
      expect(
        await api.send('POST', '/auth/refresh', { body: { refresh_token: refreshToken } }),
      ).toMatchObject(refused('User not found'));
      expect(await api.send('GET', '/auth/me', { headers })).toMatchObject(
        refused('Invalid API key'),
      );
      expect(await api.send('POST', '/auth/login', { body: login })).toMatchObject(
        refused('Invalid email or password'),
      );
      const anew = await api.register({ email });
      expect(anew.id).not.toBe(person.id);
      expect(await api.send('GET', '/auth/me', { token: anew.token })).toMatchObject({
        status: 200,
        body: { email },
      });
    },
  );

  test('needs the password: a token is not enough', async () => {
    const person = await api.register();
    const { token } = person;
    expect(await deleteMe(person, { current_password: 'Wr0ng-word' })).toMatchObject({
      status: 422,
      body: { detail: [{ field: 'current_password' }] },
    });
    expect(await api.send('DELETE', '/auth/me', { token, body: {} })).toMatchObject({
      status: 422,
      body: { detail: [{ field: 'current_password', msg: 'Field required' }] },
    });
    expect((await api.send('DELETE', '/auth/me', { token })).status).toBe(422);
    expect((await api.send('GET', '/auth/me', { token })).status).toBe(200);
    expect(ordered).toEqual([]);
  });

  test('two orders at once are one', async () => {
    const person = await api.register();
    const answers = await Promise.all([deleteMe(person), deleteMe(person)]);
    const statuses = answers.map(({ status }) => status);
    expect(statuses).toContain(204);
    expect(statuses.every((status) => [204, 401, 422].includes(status))).toBe(true);
    expect(ordered).toEqual([person.id]);
  });
});

describe('DELETE /auth/users/{id}', () => {
  const deleteUser = (by: Person, id: string) =>
    api.send('DELETE', `/auth/users/${id}`, { token: by.token });

  test('an administrator deletes somebody else, once', async () => {
    const [boss, person] = [await admin(), await api.register()];
    expect(await deleteUser(boss, person.id.toUpperCase())).toMatchObject({ status: 204 });
    expect(ordered).toEqual([person.id]);
    expect(logged('user deletion ordered').at(-1)).toMatchObject({ by: boss.id });
    const gone = { status: 404, body: { detail: 'User not found' } };
    expect(await deleteUser(boss, person.id)).toMatchObject(gone);
  });

  test('an account that is being deleted is gone for administrators, too', async () => {
    carryOut('later');
    const [boss, person] = [await admin(), await api.register()];
    expect(await deleteUser(boss, person.id)).toMatchObject({ status: 202 });
    const gone = { status: 404, body: { detail: 'User not found' } };
    expect(await deleteUser(boss, person.id)).toMatchObject(gone);
    const path = `/auth/users/${person.id}`;
    for (const [what, body] of [
      ['role', { role: 'pro' }],
      ['budget', { daily_budget_usd: 1 }],
    ] as const) {
      expect(await api.send('PUT', `${path}/${what}`, { token: boss.token, body })).toMatchObject(
        gone,
      );
    }
  });

  test('administrators never delete themselves, and other users delete no account', async () => {
    const [boss, person, other] = [await admin(), await api.register(), await api.register()];
    expect(await deleteUser(boss, boss.id.toUpperCase())).toMatchObject({
      status: 400,
      body: { detail: 'Cannot delete your own account here' },
    });
    expect((await deleteUser(person, other.id)).status).toBe(403);
    expect(ordered).toEqual([]);
  });
});

test('what others have stays theirs', async () => {
  const [person, other] = [await api.register(), await api.register()];
  const conversation = await createTestConversation(api.db, other.id);
  await deleteMe(person);
  const listed = await api.send('GET', '/conversations', { token: other.token });
  expect(listed.body).toMatchObject([{ id: conversation }]);
});
