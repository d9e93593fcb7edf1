import { randomUUID } from 'node:crypto';
import { createPasswords } from '../../api/auth/passwords.js';
import { findUserByEmail, replaceHash } from '../../db/users/users.js';
import { utcDay } from '../../domain/account/days.js';
import { startApiServer, type ApiServer } from '../support/api-server.js';

let api: ApiServer;
beforeAll(async () => {
  api = await startApiServer();
});
afterAll(() => api.close());

const newcomer = (fields: Record<string, unknown> = {}) => ({
  email: `${randomUUID()}@example.com`,
  password: 'Passw0rd',
  display_name: 'Somebody',
  ...fields,
});
const register = (fields?: Record<string, unknown>) =>
  api.send('POST', '/auth/register', { body: newcomer(fields) });
const logIn = (email: string, password: string) =>
  api.send('POST', '/auth/login', { body: { email, password } });
const refresh = (refreshToken: string) =>
  api.send('POST', '/auth/refresh', { body: { refresh_token: refreshToken } });
const me = (token: string) => api.send('GET', '/auth/me', { token });

describe('registering', () => {
  test('makes a free user and answers 201 with both tokens', async () => {
    const { status, body } = await register({ email: 'Ada.Lovelace@Example.COM' });
    expect(status).toBe(201);
    expect(Object.keys(body).sort()).toEqual(['access_token', 'refresh_token', 'token_type']);
    expect(body.token_type).toBe('bearer');
    const own = await me(body.access_token);
    expect([own.status, own.body]).toEqual([
      200,
      {
        id: expect.any(String),
        email: 'Ada.Lovelace@example.com',
        display_name: 'Somebody',
        role: 'free',
      },
    ]);
  });

  test('hashes with bcrypt at the cost that is set and a salt of its own', async () => {
    const { hash } = createPasswords(12);
    const hashes = [await hash('Passw0rd'), await hash('Passw0rd')];
    expect(hashes).toEqual(Array(2).fill(expect.stringMatching(/^\$2b\$12\$/)));
    expect(new Set(hashes).size).toBe(2);
  });

  test('stores bcrypt, never the password', async () => {
    const person = await api.register();
    const row = await api.db
      .selectFrom('users')
      .select('hashedPassword')
      .where('id', '=', person.id)
      .executeTakeFirstOrThrow();
    expect(row.hashedPassword).toMatch(/^\$2b\$/);
  });

  test('an address that differs in letter case only is 409', async () => {
    const email = `taken-${randomUUID()}@example.com`;
    await register({ email });
    const { status, body } = await register({ email: email.toUpperCase() });
    expect([status, body]).toEqual([409, { detail: 'Email already registered' }]);
  });

  test('a hundred times at once, at two servers, makes one user and 99 times 409', async () => {
    const other = await startApiServer({ deps: { db: api.db } });
    const name = `Race.${randomUUID()}`;
    const spellings = [name, name.toUpperCase(), name.toLowerCase()];
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => {
        const email = `${spellings[index % spellings.length] ?? name}@Example.com`;
        const server = index % 2 === 0 ? api : other;
        return server.send('POST', '/auth/register', { body: newcomer({ email }) });
      }),
    );
    await other.close();
    const statuses = answers.map((answer) => answer.status).sort();
    expect(statuses).toEqual([201, ...Array.from({ length: 99 }, () => 409)]);
  });

  test.each([
    ['no-at-sign', 'An email address must have an @-sign.'],
    ['a@nodot', 'It should have a period.'],
    ['a@host.test', 'special-use or reserved'],
    ['a@host.local', 'special-use or reserved'],
    ['a@host.invalid', 'special-use or reserved'],
    ['a b@example.com', 'invalid characters before'],
    ['a..b@example.com', 'invalid characters before'],
    ['@example.com', 'something before'],
    ['a@', 'something after'],
    ['a@-x.com', 'invalid characters'],
    ['a@1.2.3.4', 'top-level domain'],
    [`${'a'.repeat(65)}@example.com`, 'too long before'],
    ['a\0@example.com', 'invalid characters'],
    ['a\ud800@example.com', 'invalid characters before'],
    [`a@${'b'.repeat(60)}.${`${'c'.repeat(60)}.`.repeat(3)}example.com`, 'too long'],
  ])('the address %j is 422: %s', async (email, reason) => {
    const { status, body } = await register({ email });
    expect(status).toBe(422);
    expect(body.detail).toEqual([
      {
        field: 'email',
        msg: expect.stringMatching(`^value is not a valid email address: .*${reason}`),
      },
    ]);
  });

  test.each([
    ['  spaces@example.com  ', 'spaces@example.com'],
    ['Ada <named@example.com>', 'named@example.com'],
    ['user+tag@mail.example', 'user+tag@mail.example'],
    ['사용자@example.com', '사용자@example.com'],
  ])('the address %j is taken as %s', async (email, taken) => {
    const { body } = await register({ email });
    expect((await me(body.access_token)).body.email).toBe(taken);
  });

  test.each([
    ['Sh0rt', 'Value error, Password must be at least 8 characters'],
    ['weak', 'Value error, Password must be at least 8 characters'], // the first violation alone
    ['lower-case', 'Value error, Password must contain at least one uppercase letter'],
    ['lowercase1', 'Value error, Password must contain at least one uppercase letter'],
    ['NoDigitsHere', 'Value error, Password must contain at least one digit'],
    [`A1${'x'.repeat(71)}`, 'Value error, Password must be at most 72 bytes'],
    [`A1${'가'.repeat(24)}`, 'Value error, Password must be at most 72 bytes'],
    ['Passw0rd\0', 'Value error, Password must not contain NUL characters'],
  ])('the password %j is 422: %s', async (password, msg) => {
    const { status, body } = await register({ password });
    expect([status, body]).toEqual([422, { detail: [{ field: 'password', msg }] }]);
  });

  test('a display name counts characters, not bytes, and takes no NUL', async () => {
    expect((await register({ display_name: '👩‍🚀'.repeat(33) })).status).toBe(201); // 99 code points
    expect((await register({ display_name: 'x'.repeat(100) })).status).toBe(201);
    expect((await register({ display_name: 'x'.repeat(101) })).status).toBe(422);
    expect((await register({ display_name: '김철' })).status).toBe(201);
    expect((await register({ display_name: 'a\0b' })).status).toBe(422);
  });

  test('fields that it does not know are ignored', async () => {
    const { body } = await register({ role: 'admin', id: randomUUID() });
    expect((await me(body.access_token)).body.role).toBe('free');
  });
});

describe('signing in', () => {
  test('answers 200 with a pair, in any letter case of the address', async () => {
    const person = await api.register();
    const { status, body } = await logIn(person.email.toUpperCase(), person.password);
    expect(status).toBe(200);
    expect((await me(body.access_token)).body.id).toBe(person.id);
  });

  test('says the same of an unknown address and of a wrong password', async () => {
    const person = await api.register();
    const wrong = await logIn(person.email, 'Wrong0000');
    const unknown = await logIn(`${randomUUID()}@example.com`, 'Wrong0000');
    for (const { status, body } of [wrong, unknown]) {
      expect([status, body]).toEqual([401, { detail: 'Invalid email or password' }]);
    }
  });

  test('a password of 72 bytes does not match with something behind it', async () => {
    const password = `A1${'x'.repeat(70)}`;
    const email = `${randomUUID()}@example.com`;
    await register({ email, password });
    expect((await logIn(email, password)).status).toBe(200);
    expect((await logIn(email, `${password}y`)).status).toBe(401);
  });

  test('with a password that no registration would take is 401, not 422', async () => {
    const { email } = await api.register();
    expect((await logIn(email, 'x')).status).toBe(401);
    expect((await logIn(email, '')).status).toBe(401);
  });

  test('replaces a hash of another cost, and only after a correct password', async () => {
    const person = await api.register();
    const hashedPassword = await createPasswords(5).hash(person.password);
    const ofPerson = api.db.updateTable('users').where('id', '=', person.id);
    await ofPerson.set({ hashedPassword }).execute();
    const stored = async () => (await findUserByEmail(api.db, person.email))?.hashedPassword;
    expect((await logIn(person.email, 'Wrong0000')).status).toBe(401);
    expect(await stored()).toBe(hashedPassword);
    expect((await logIn(person.email, person.password)).status).toBe(200);
    const renewed = await stored();
    expect(renewed).toMatch(/^\$2b\$04\$/);
    expect((await logIn(person.email, person.password)).status).toBe(200);
    expect(await stored()).toBe(renewed);
  });

  test('a password that is changed while its hash is made anew stays changed', async () => {
    const { id, email } = await api.register();
    const { hashedPassword: before = '' } = (await findUserByEmail(api.db, email)) ?? {};
    await replaceHash(api.db, id, { from: before, to: 'changed' });
    await replaceHash(api.db, id, { from: before, to: 'anew' });
    expect((await findUserByEmail(api.db, email))?.hashedPassword).toBe('changed');
  });

  test('a malformed address is 422', async () => {
    expect((await logIn('no address', 'x')).status).toBe(422);
  });

  test('compares with bcrypt for an unknown address, too', async () => {
    const slow = await startApiServer({ config: { passwordCost: 11 } });
    const time = async (email: string) => {
      const startedAt = performance.now();
      await slow.send('POST', '/auth/login', { body: { email, password: 'Wrong0000' } });
      return performance.now() - startedAt;
    };
    const person = await slow.register();
    const known = await time(person.email);
    const unknown = await time(`${randomUUID()}@example.com`);
    await slow.close();
    expect(unknown).toBeGreaterThan(known / 3);
  });
});

describe('refreshing', () => {
  test('answers 200 with two new tokens that work', async () => {
    const person = await api.register();
    const { status, body } = await refresh(person.refreshToken);
    expect(status).toBe(200);
    expect(body.refresh_token).not.toBe(person.refreshToken);
    expect((await me(body.access_token)).body.id).toBe(person.id);
    expect((await refresh(body.refresh_token)).status).toBe(200);
  });

  test('gives the role that the database has by now', async () => {
    const person = await api.register();
    await api.db.updateTable('users').set({ role: 'pro' }).where('id', '=', person.id).execute();
    const { body } = await refresh(person.refreshToken);
    expect((await api.tokens.readAccess(body.access_token)).role).toBe('pro');
  });

  test('leaves the access tokens of before valid until they expire', async () => {
    const person = await api.register();
    await refresh(person.refreshToken);
    expect((await me(person.token)).status).toBe(200);
  });

  test('with a used token is refused and ends its family, but no other session', async () => {
    const person = await api.register();
    const other = await logIn(person.email, person.password);
    const successor = await refresh(person.refreshToken);
    const reused = await refresh(person.refreshToken);
    expect([reused.status, reused.body]).toEqual([401, { detail: 'Invalid token' }]);
    expect((await refresh(successor.body.refresh_token)).status).toBe(401);
    expect((await refresh(other.body.refresh_token)).status).toBe(200);
  });

  test('ten times at once with one token gives at most one pair and ends the family', async () => {
    const person = await api.register();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => refresh(person.refreshToken)),
    );
    const winners = answers.filter((answer) => answer.status === 200);
    expect(winners).toHaveLength(1);
    expect((await refresh(winners[0]?.body.refresh_token)).status).toBe(401);
  });

  test.each<[string, (person: { token: string; id: string }) => Promise<string> | string, string]>([
    ['an access token', (person) => person.token, 'Invalid token type'],
    ['garbage', () => 'garbage', 'Invalid token'],
    [
      'a token that was never stored',
      ({ id }) => issue({ id: randomUUID(), userId: id }),
      'Invalid token',
    ],
    [
      'an expired token',
      ({ id }) => issue({ id: randomUUID(), userId: id, expiresAt: new Date(0) }),
      'Token has expired',
    ],
    [
      'a token of a user who is gone',
      () => issue({ id: randomUUID(), userId: randomUUID() }),
      'User not found',
    ],
  ])('%s is 401', async (_name, make, detail) => {
    const person = await api.register();
    const { status, body } = await refresh(await make(person));
    expect([status, body]).toEqual([401, { detail }]);
  });

  const issue = (token: { id: string; userId: string; expiresAt?: Date }) =>
    api.tokens.issueRefresh({ expiresAt: new Date(Date.now() + 60_000), ...token });
});

describe('an API key', () => {
  const key = `sk-${'0123456789abcdef'.repeat(2)}`;
  const keyHash = '1cc5b3d1aa4b6ef7ed8cf9a1f0d2b1d2';
  const withKey = (apiKey: string, token?: string) =>
    api.send('GET', '/auth/me', {
      headers: { 'X-API-Key': apiKey },
      ...(token === undefined ? {} : { token }),
    });

  async function giveKey(userId: string, isActive: boolean): Promise<string> {
    const { createHash } = await import('node:crypto');
    const apiKey = `sk-${randomUUID().replaceAll('-', '')}`;
    await api.db
      .insertInto('apiKeys')
      .values({
        id: randomUUID(),
        userId,
        name: 'script',
        keyHash: createHash('sha256').update(apiKey).digest('hex'),
        keyPrefix: apiKey.slice(0, 11),
        isActive,
      })
      .execute();
    return apiKey;
  }

  test('signs its owner in and notes its use', async () => {
    const person = await api.register();
    const answer = await withKey(await giveKey(person.id, true));
    expect([answer.status, answer.body.id]).toEqual([200, person.id]);
    const row = await api.db
      .selectFrom('apiKeys')
      .select('lastUsedAt')
      .where('userId', '=', person.id)
      .executeTakeFirstOrThrow();
    expect(row.lastUsedAt).toBeInstanceOf(Date);
  });

  test('that is unknown or inactive is 401, even beside a good token', async () => {
    const person = await api.register();
    for (const apiKey of [key, keyHash, await giveKey(person.id, false)]) {
      const { status, body } = await withKey(apiKey, person.token);
      expect([status, body]).toEqual([401, { detail: 'Invalid API key' }]);
    }
  });

  test('that is empty leaves the decision to the token', async () => {
    const person = await api.register();
    expect((await withKey('', person.token)).status).toBe(200);
  });
});

describe('usage', () => {
  test.each([
    [
      'free',
      '0.123456',
      { daily_cost: 0.1235, daily_limit: 1, remaining: 0.8765, is_unlimited: false },
    ],
    ['pro', '60', { daily_cost: 60, daily_limit: 50, remaining: 0, is_unlimited: false }],
    ['admin', '2.5', { daily_cost: 2.5, daily_limit: -1, remaining: -1, is_unlimited: true }],
  ] as const)('of a %s user', async (role, totalCost, usage) => {
    const person = await api.register();
    const date = new Date().toISOString().slice(0, 10);
    await api.db.updateTable('users').set({ role }).where('id', '=', person.id).execute();
    await api.db
      .insertInto('userDailyCosts')
      .values({ userId: person.id, date, totalCost })
      .execute();
    const { status, body } = await api.send('GET', '/auth/me/usage', { token: person.token });
    expect([status, body]).toEqual([200, usage]);
  });

  test('is of this UTC day alone', async () => {
    const person = await api.register();
    const date = utcDay(new Date(Date.now() - 86_400_000));
    const yesterday = { userId: person.id, date, totalCost: '1' };
    await api.db.insertInto('userDailyCosts').values(yesterday).execute();
    const { body } = await api.send('GET', '/auth/me/usage', { token: person.token });
    expect([body.daily_cost, body.remaining]).toEqual([0, 1]);
  });

  test('is 0 before anything was spent', async () => {
    const person = await api.register();
    const { body } = await api.send('GET', '/auth/me/usage', { token: person.token });
    expect(body).toEqual({ daily_cost: 0, daily_limit: 1, remaining: 1, is_unlimited: false });
  });
});
