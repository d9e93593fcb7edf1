import { randomUUID } from 'node:crypto';
import { startApiServer, type ApiServer, type Person } from '../../support/api-server.js';

let api: ApiServer;
let person: Person;
beforeAll(async () => {
  api = await startApiServer();
});
beforeEach(async () => {
  person = await api.register();
});
afterAll(() => api.close());

const change = (body: unknown, token = person.token) =>
  api.send('PUT', '/auth/me', { token, body });
const logIn = (password: string) =>
  api.send('POST', '/auth/login', { body: { email: person.email, password } });
const refresh = (refreshToken: string) =>
  api.send('POST', '/auth/refresh', { body: { refresh_token: refreshToken } });

describe('PUT /auth/me', () => {
  test('changes the display name', async () => {
    const { status, body } = await change({ display_name: '새 이름' });
    expect([status, body]).toEqual([
      200,
      { id: person.id, email: person.email, display_name: '새 이름', role: 'free' },
    ]);
  });

  test('changes nothing when nothing is asked', async () => {
    expect((await change({})).body.display_name).toBe('Somebody');
  });

  test('with a new password ends the other sessions and keeps this one', async () => {
    const other = await logIn(person.password);
    const passwords = { current_password: person.password, new_password: 'N3wPassword' };
    expect((await change(passwords)).status).toBe(200);
    expect((await logIn(person.password)).status).toBe(401);
    expect((await logIn('N3wPassword')).status).toBe(200);
    expect((await refresh(other.body.refresh_token)).status).toBe(401);
    expect((await refresh(person.refreshToken)).status).toBe(200);
  });

  test('with a new password ends the access tokens of the other sessions', async () => {
    const { body: other } = await logIn(person.password);
    await change({ current_password: person.password, new_password: 'N3wPassword' });
    const answer = await api.send('GET', '/auth/me', { token: other.access_token });
    expect(answer).toMatchObject({ status: 401, body: { detail: 'The session has ended' } });
  });

  test('with a new password by an API key, which is no session, ends all of them', async () => {
    const { body: made } = await api.send('POST', '/api-keys', {
      token: person.token,
      body: { name: 'script' },
    });
    const { status } = await api.send('PUT', '/auth/me', {
      headers: { 'X-API-Key': made.key },
      body: { current_password: person.password, new_password: 'N3wPassword' },
    });
    expect(status).toBe(200);
    expect((await refresh(person.refreshToken)).status).toBe(401);
  });

  test('changes all that is asked or nothing', async () => {
    const passwords = { current_password: 'Wrong0000', new_password: 'N3wPassword' };
    expect((await change({ display_name: 'Another', ...passwords })).status).toBe(422);
    expect((await change({})).body.display_name).toBe('Somebody');
  });

  test.each([
    [{ new_password: 'N3wPassword' }, 'current_password', 'Field required'],
    [
      { new_password: 'N3wPassword', current_password: 'Wrong0000' },
      'current_password',
      'Value error, Current password is incorrect',
    ],
    [
      { new_password: 'short', current_password: 'Passw0rd' },
      'new_password',
      'Value error, Password must be at least 8 characters',
    ],
    [{ display_name: 'x' }, 'display_name', 'String should have at least 2 characters'],
    [{ display_name: null }, 'display_name', 'Input should be a valid string'],
    [{ role: 'admin' }, 'role', 'Extra inputs are not permitted'],
    [{ email: 'a@example.com' }, 'email', 'Extra inputs are not permitted'],
    [{ id: 1 }, 'id', 'Extra inputs are not permitted'],
  ])('%j is 422', async (body, field, msg) => {
    const answer = await change(body);
    expect([answer.status, answer.body]).toEqual([422, { detail: [{ field, msg }] }]);
    expect((await logIn(person.password)).status).toBe(200);
  });

  test('needs a user', async () => {
    expect((await api.send('PUT', '/auth/me', { body: {} })).status).toBe(401);
  });
});

describe('PUT /auth/users/{user_id}/role', () => {
  const setRole = (userId: string, role: string, token = person.token) =>
    api.send('PUT', `/auth/users/${userId}/role`, { token, body: { role } });
  const makeAdmin = () =>
    api.db.updateTable('users').set({ role: 'admin' }).where('id', '=', person.id).execute();

  test('is for administrators', async () => {
    const target = await api.register();
    const { status, body } = await setRole(target.id, 'pro');
    expect([status, body]).toEqual([403, { detail: 'Insufficient permissions' }]);
  });

  test('changes another user’s role at once and logs who did it', async () => {
    await makeAdmin();
    const target = await api.register();
    const { status, body } = await setRole(target.id, 'pro');
    expect([status, body]).toMatchObject([200, { id: target.id, role: 'pro' }]);
    const own = await api.send('GET', '/auth/me', { token: target.token });
    expect(own.body.role).toBe('pro');
    expect(api.lines()).toContainEqual(
      expect.objectContaining({
        event: 'role changed',
        adminId: person.id,
        userId: target.id,
        before: 'free',
        after: 'pro',
      }),
    );
  });

  test('never changes one’s own', async () => {
    await makeAdmin();
    const { status, body } = await setRole(person.id.toUpperCase(), 'free');
    expect([status, body]).toEqual([400, { detail: 'Cannot change your own role' }]);
  });

  test('knows no missing user, no other role and no id that is no UUID', async () => {
    await makeAdmin();
    const missing = await setRole(randomUUID(), 'pro');
    expect([missing.status, missing.body]).toEqual([404, { detail: 'User not found' }]);
    const other = await setRole(randomUUID(), 'king');
    expect(other.body.detail).toEqual([
      { field: 'role', msg: "Input should be 'free', 'pro' or 'admin'" },
    ]);
    expect((await setRole('7', 'pro')).body.detail[0].field).toBe('path.user_id');
    const none = await api.send('PUT', `/auth/users/${randomUUID()}/role`, {
      token: person.token,
      body: {},
    });
    expect(none.body.detail).toEqual([{ field: 'role', msg: 'Field required' }]);
  });
});
