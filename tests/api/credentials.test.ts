/** Sessions, tokens and keys for scripts, and what ends them. */
import { randomUUID } from 'node:crypto';
import { sql, type RawBuilder } from 'kysely';
import { createPasswords } from '../../api/auth/passwords.js';
import { findUser } from '../../db/users/users.js';
import { startApiServer, type Answer, type ApiServer, type Person } from '../support/api-server.js';
import { lockRow } from '../support/row-lock.js';

let api: ApiServer;
let admin: Person;
let person: Person;
beforeAll(async () => {
  api = await startApiServer();
  admin = await api.register();
  await api.db.updateTable('users').set({ role: 'admin' }).where('id', '=', admin.id).execute();
});
beforeEach(async () => {
  person = await api.register();
});
afterAll(() => api.close());

const me = (token: string) => api.send('GET', '/auth/me', { token });
const withKey = (key: string) => api.send('GET', '/auth/me', { headers: { 'X-API-Key': key } });
const refresh = (refreshToken: string) =>
  api.send('POST', '/auth/refresh', { body: { refresh_token: refreshToken } });
const logIn = (password = person.password) =>
  api.send('POST', '/auth/login', { body: { email: person.email, password } });
const changePassword = (token: string) =>
  api.send('PUT', '/auth/me', {
    token,
    body: { current_password: person.password, new_password: 'N3wPassword' },
  });
const disable = () =>
  api.send('POST', `/admin/users/${person.id}/disable`, {
    token: admin.token,
    body: { reason: 'lost laptop' },
  });
const enable = () => api.send('POST', `/admin/users/${person.id}/enable`, { token: admin.token });

async function makeKey(by: { token?: string; key?: string } = { token: person.token }) {
  const { body } = await api.send('POST', '/api-keys', {
    body: { name: 'script' },
    ...(by.token === undefined ? {} : { token: by.token }),
    ...(by.key === undefined ? {} : { headers: { 'X-API-Key': by.key } }),
  });
  return body as { id: string; key: string };
}
const makeKeyBy = (token: string) =>
  api.send('POST', '/api-keys', { token, body: { name: 'late' } });
const deleteKey = (id: string) => api.send('DELETE', `/api-keys/${id}`, { token: person.token });

const ENDED = { status: 401, body: { detail: 'The session has ended' } };
const BAD_KEY = { status: 401, body: { detail: 'Invalid API key' } };

describe('an account that is disabled and enabled again', () => {
  test('gives back no access token, no refresh token and no API key of before', async () => {
    const second = (await logIn()).body;
    const { key } = await makeKey();
    const bare = await api.tokens.issueAccess({ ...person, role: 'free', displayName: 'x' });
    expect((await me(bare)).status).toBe(200);
    await disable();
    // a token without a session is known by its second alone
    await sql`update users set sessions_valid_after = sessions_valid_after + interval '1 second'
      where id = ${person.id}`.execute(api.db);
    const after = await findUser(api.db, person.id);
    await enable();
    await api.db
      .updateTable('users')
      .set({ sessionsValidAfter: after?.sessionsValidAfter ?? null })
      .where('id', '=', person.id)
      .execute();
    for (const token of [person.token, second.access_token, bare]) {
      expect(await me(token)).toMatchObject(ENDED);
    }
    for (const token of [person.refreshToken, second.refresh_token]) {
      expect((await refresh(token)).status).toBe(401);
    }
    expect(await withKey(key)).toMatchObject(BAD_KEY);
  });

  test('is signed in to anew at once, makes keys again, and shows the old ones as inactive', async () => {
    const { id } = await makeKey();
    await disable();
    await enable();
    const { body } = await logIn();
    expect((await me(body.access_token)).status).toBe(200);
    const fresh = await makeKey({ token: body.access_token });
    expect((await withKey(fresh.key)).status).toBe(200);
    const keys = (await api.send('GET', '/api-keys', { token: body.access_token })).body;
    expect(keys).toMatchObject([
      { id: fresh.id, is_active: true },
      { id, is_active: false },
    ]);
  });

  test('has nothing left where an older release has disabled it', async () => {
    const { key } = await makeKey();
    await api.db
      .updateTable('users')
      .set({ disabledAt: new Date() })
      .where('id', '=', person.id)
      .execute();
    await enable();
    expect(await me(person.token)).toMatchObject(ENDED);
    expect(await withKey(key)).toMatchObject(BAD_KEY);
  });
});

describe('an ended session', () => {
  test('takes its access token with it when the password is changed; the own one goes on', async () => {
    const other = (await logIn()).body;
    expect((await changePassword(person.token)).status).toBe(200);
    expect(await me(other.access_token)).toMatchObject(ENDED);
    expect((await me(person.token)).status).toBe(200);
    expect((await refresh(person.refreshToken)).status).toBe(200);
  });

  test('takes the access tokens of its family with it when a refresh token is reused', async () => {
    const other = (await logIn()).body;
    const successor = (await refresh(person.refreshToken)).body;
    await refresh(person.refreshToken);
    expect(await me(person.token)).toMatchObject(ENDED);
    expect(await me(successor.access_token)).toMatchObject(ENDED);
    expect((await me(other.access_token)).status).toBe(200);
  });

  test('leaves a token that names no session, until it expires', async () => {
    const bare = await api.tokens.issueAccess({ ...person, role: 'free', displayName: 'x' });
    await changePassword(person.token);
    expect((await me(bare)).status).toBe(200);
  });
});

/** Has a change of the account committed while the request waits for the account. */
async function meanwhile(change: RawBuilder<unknown>, request: () => Promise<Answer>) {
  const lock = await lockRow(api.db, change);
  const answer = request();
  await lock.awaited();
  lock.release();
  return answer;
}

describe('what is under way when credentials end', () => {
  const sessionsEnd = () =>
    sql`with ended as (update refresh_tokens set revoked_at = now() where user_id = ${person.id})
      update users set updated_at = now() where id = ${person.id} returning id`;

  test('a sign-in with the old password begins no session', async () => {
    const { status } = await meanwhile(
      sql`update users set hashed_password = 'another' where id = ${person.id} returning id`,
      logIn,
    );
    expect(status).toBe(401);
  });

  test('a sign-in begins no session in an account that is disabled', async () => {
    const { status } = await meanwhile(
      sql`update users set disabled_at = now() where id = ${person.id} returning id`,
      logIn,
    );
    expect(status).toBe(401);
    await enable();
    const { rows } = await sql`select from refresh_tokens
      where user_id = ${person.id} and revoked_at is null`.execute(api.db);
    expect(rows).toEqual([]);
  });

  test('a sign-in goes on where only the hash has been made anew', async () => {
    const hash = await createPasswords(5).hash(person.password);
    const { status } = await meanwhile(
      sql`update users set hashed_password = ${hash} where id = ${person.id} returning id`,
      logIn,
    );
    expect(status).toBe(200);
  });

  test('an ended session makes no API key and changes no password', async () => {
    const send = () => makeKeyBy(person.token);
    expect(await meanwhile(sessionsEnd(), send)).toMatchObject(ENDED);
    person = await api.register();
    expect(await meanwhile(sessionsEnd(), () => changePassword(person.token))).toMatchObject(ENDED);
    expect((await logIn()).status).toBe(200);
  });
});

describe('an API key that an API key has made', () => {
  test('ends with it, and so do those that it has made', async () => {
    const parent = await makeKey();
    const child = await makeKey({ key: parent.key });
    const grandchild = await makeKey({ key: child.key });
    const other = await makeKey();
    expect((await withKey(grandchild.key)).status).toBe(200);
    expect((await deleteKey(parent.id)).status).toBe(204);
    for (const { key } of [parent, child, grandchild]) {
      expect(await withKey(key)).toMatchObject(BAD_KEY);
    }
    expect((await withKey(other.key)).status).toBe(200);
    expect((await api.send('GET', '/api-keys', { token: person.token })).body).toHaveLength(1);
  });

  test.each(['parent', 'child'] as const)(
    'counts no more while its %s is inactive',
    async (which) => {
      const parent = await makeKey();
      const child = await makeKey({ key: parent.key });
      const grandchild = await makeKey({ key: child.key });
      const { id } = which === 'parent' ? parent : child;
      await api.db.updateTable('apiKeys').set({ isActive: false }).where('id', '=', id).execute();
      expect(await withKey(grandchild.key)).toMatchObject(BAD_KEY);
    },
  );

  test('is no way for an ended key to make another one', async () => {
    const parent = await makeKey();
    await deleteKey(parent.id);
    expect((await makeKey({ key: parent.key })).key).toBeUndefined();
    const keys = await api.send('GET', '/api-keys', { token: person.token });
    expect(keys.body).toEqual([]);
  });
});

test('a made-up session in a signed token counts for nothing', async () => {
  const owner = { ...person, role: 'free' as const, displayName: 'x' };
  expect(await me(await api.tokens.issueAccess(owner, randomUUID()))).toMatchObject(ENDED);
});
