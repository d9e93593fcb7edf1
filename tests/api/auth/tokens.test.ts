import { createHmac, randomUUID } from 'node:crypto';
import { CompactSign, SignJWT, UnsecuredJWT } from 'jose';
import { createTokens } from '../../../api/auth/tokens.js';
import {
  SECRET_KEY,
  startApiServer,
  type ApiServer,
  type Person,
} from '../../support/api-server.js';
import { connectChat } from '../../support/chat-client.js';
import {
  createConversationWithToken,
  startGateway,
  type Gateway,
} from '../../support/chat-server.js';

let api: ApiServer;
let gateway: Gateway;
beforeAll(async () => {
  api = await startApiServer();
  gateway = await startGateway(api.db, { readAccess: api.tokens.readAccess });
});
afterAll(async () => {
  await gateway.close();
  await api.close();
});

const me = (token: string) => api.send('GET', '/auth/me', { token });
const refresh = (refreshToken: string) =>
  api.send('POST', '/auth/refresh', { body: { refresh_token: refreshToken } });

const bytes = (text: string) => new TextEncoder().encode(text);
const secret = bytes(SECRET_KEY);
const now = () => Math.floor(Date.now() / 1_000);
type Claims = Record<string, unknown>;

/** Whose token is forged, of which kind, and a true one to start from. */
interface Victim {
  readonly id: string;
  readonly type: 'access' | 'refresh';
  readonly token: string;
}

const victimOf = ({ id, token }: Person): Victim => ({ id, token, type: 'access' });

/** What the contract's own tokens carry; `undefined` leaves a claim out. */
const claimsFor = ({ id, type }: Victim, claims: Claims) => ({
  sub: id,
  type,
  role: 'free',
  jti: randomUUID(),
  iat: now(),
  exp: now() + 60,
  ...claims,
});

function sign(claims: Claims, { key = secret, alg = 'HS256', header = {} } = {}): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg, ...header }).sign(key);
}

/** Signs a payload as it is written. */
function signText(payload: string): Promise<string> {
  return new CompactSign(bytes(payload)).setProtectedHeader({ alg: 'HS256' }).sign(secret);
}

const hmac = (key: string, text: string) =>
  createHmac('sha256', key).update(text).digest('base64url');

const read = (part: string) => JSON.parse(Buffer.from(part, 'base64').toString()) as Claims;
const claimsOf = (token: string) => read(token.split('.')[1] ?? '');

function withPart(token: string, at: 0 | 1 | 2, change: (part: string) => string): string {
  return token
    .split('.')
    .map((part, index) => (index === at ? change(part) : part))
    .join('.');
}

const withClaims = (token: string, claims: Claims) =>
  withPart(token, 1, (part) =>
    Buffer.from(JSON.stringify({ ...read(part), ...claims })).toString('base64url'),
  );

describe('tokens that we give', () => {
  test('carry the contract’s claims', async () => {
    const person = await api.register();
    const access = claimsOf(person.token);
    expect(access).toMatchObject({ sub: person.id, role: 'free', type: 'access' });
    expect(Number(access['exp']) - Number(access['iat'])).toBe(30 * 60);
    const refreshed = claimsOf(person.refreshToken);
    expect(refreshed).toMatchObject({ sub: person.id, type: 'refresh', jti: expect.any(String) });
    expect(refreshed).not.toHaveProperty('role');
    const lifetime = Number(refreshed['exp']) - Number(refreshed['iat']);
    expect(Math.abs(lifetime - 7 * 86_400)).toBeLessThanOrEqual(1);
  });

  test('can be read with plain base64, as browsers do, with any name', async () => {
    for (const display_name of ['김철수 🙂', 'Zoë?>~', '~~~???>>>\u007f']) {
      const { body } = await api.send('POST', '/auth/register', {
        body: { email: `${randomUUID()}@example.com`, password: 'Passw0rd', display_name },
      });
      const payload = String(body.access_token).split('.')[1] ?? '';
      expect(payload).toMatch(/^[A-Za-z0-9]+$/);
      expect(JSON.parse(atob(payload))).toMatchObject({ display_name });
      expect((await me(body.access_token)).body.display_name).toBe(display_name);
    }
  });
});

describe.each(['HS384', 'HS512'] as const)('where the algorithm is %s', (algorithm) => {
  const tokens = createTokens({
    ...{ secretKey: SECRET_KEY, algorithm },
    ...{ accessMinutes: 2, refreshDays: 3 },
  });
  const owner = {
    id: randomUUID(),
    role: 'pro',
    email: 'a@example.com',
    displayName: 'A',
  } as const;

  test('tokens are signed and read with it, for as long as is set', async () => {
    const token = await tokens.issueAccess(owner);
    expect(read(token.split('.')[0] ?? '')).toMatchObject({ alg: algorithm });
    expect(await tokens.readAccess(token)).toMatchObject({ userId: owner.id, role: 'pro' });
    const { iat, exp } = claimsOf(token);
    expect(Number(exp) - Number(iat)).toBe(120);
    expect(tokens.refreshExpiry(new Date(0))).toEqual(new Date(3 * 86_400_000));
  });

  test('no other one is taken', async () => {
    const token = await sign(claimsFor({ id: owner.id, type: 'access', token: '' }, {}));
    await expect(tokens.readAccess(token)).rejects.toThrow('Invalid token');
  });
});

describe('tokens that others could make', () => {
  test('are accepted with only the contract’s claims, iat or not', async () => {
    const person = await api.register();
    for (const claims of [{}, { iat: undefined }]) {
      expect((await me(await sign(claimsFor(victimOf(person), claims)))).status).toBe(200);
    }
  });

  type Forge = (victim: Victim) => string | Promise<string>;
  const claiming =
    (claims: Claims): Forge =>
    (victim) =>
      sign(claimsFor(victim, claims));

  /** Refused everywhere with the same words; first those that need the key. */
  const FORGED: readonly (readonly [string, Forge, string])[] = [
    ['an expired token', claiming({ exp: now() - 1 }), 'Token has expired'],
    ['one that ends this very second', claiming({ exp: now() }), 'Token has expired'],
    ['no exp', claiming({ exp: undefined }), 'Invalid token'],
    ['an exp that is no number', claiming({ exp: String(now() + 60) }), 'Invalid token'],
    ['no sub', claiming({ sub: undefined }), 'Invalid token'],
    ['a sub that is no UUID', claiming({ sub: '42' }), 'Invalid token'],
    ['a sub that is no text', claiming({ sub: 42 }), 'Invalid token'],
    ['an iat in the future', claiming({ iat: now() + 60 }), 'Invalid token'],
    ['an iat that is no number', claiming({ iat: 'yesterday' }), 'Invalid token'],
    ['one that is not valid yet', claiming({ nbf: now() + 60 }), 'Invalid token'],
    ['no type', claiming({ type: undefined }), 'Invalid token type'],
    ['a type of another kind', claiming({ type: ['access', 'refresh'] }), 'Invalid token type'],
    [
      'a claim that is there twice, of which the last one counts',
      (victim) => signText(JSON.stringify(claimsFor(victim, {})).replace('}', ',"type":"x"}')),
      'Invalid token type',
    ],
    ['claims that are a list', () => signText('["access"]'), 'Invalid token'],
    ['claims that are no JSON', () => signText('access'), 'Invalid token'],

    ['alg none', (victim) => new UnsecuredJWT(claimsFor(victim, {})).encode(), 'Invalid token'],
    [
      'alg none with the signature left in place',
      ({ token }) => withPart(token, 0, () => Buffer.from('{"alg":"none"}').toString('base64url')),
      'Invalid token',
    ],
    [
      'another algorithm with our key',
      (victim) => sign(claimsFor(victim, {}), { alg: 'HS512' }),
      'Invalid token',
    ],
    [
      'another key',
      (victim) => sign(claimsFor(victim, {}), { key: bytes('x'.repeat(32)) }),
      'Invalid token',
    ],
    [
      'another key that the header brings along',
      (victim) => {
        const key = bytes('x'.repeat(32));
        const jwk = { kty: 'oct', k: Buffer.from(key).toString('base64url') };
        return sign(claimsFor(victim, {}), { key, header: { jwk, kid: '../../dev/null' } });
      },
      'Invalid token',
    ],
    [
      'an empty key',
      ({ token }) => {
        const signed = token.split('.').slice(0, 2).join('.');
        return `${signed}.${hmac('', signed)}`;
      },
      'Invalid token',
    ],
    [
      'an expired token with another key',
      (victim) => sign(claimsFor(victim, { exp: 1 }), { key: bytes('x'.repeat(32)) }),
      'Invalid token',
    ],
    [
      'a header that asks for what we do not know',
      (victim) => {
        const parts = [{ alg: 'HS256', crit: ['x'], x: 1 }, claimsFor(victim, {})].map((part) =>
          Buffer.from(JSON.stringify(part)).toString('base64url'),
        );
        return `${parts.join('.')}.${hmac(SECRET_KEY, parts.join('.'))}`;
      },
      'Invalid token',
    ],
    [
      'the sub of somebody else',
      ({ token }) => withClaims(token, { sub: randomUUID() }),
      'Invalid token',
    ],
    [
      'a role of one’s own choice',
      ({ token }) => withClaims(token, { role: 'admin' }),
      'Invalid token',
    ],
    ['a later exp', ({ token }) => withClaims(token, { exp: now() + 1e6 }), 'Invalid token'],
    ['a signature cut short', ({ token }) => token.slice(0, -4), 'Invalid token'],
    ['a signature that is missing', ({ token }) => withPart(token, 2, () => ''), 'Invalid token'],
    [
      'a payload cut short',
      ({ token }) => withPart(token, 1, (it) => it.slice(0, -8)),
      'Invalid token',
    ],
    ['two parts', ({ token }) => token.split('.').slice(0, 2).join('.'), 'Invalid token'],
    ['four parts', ({ token }) => `${token}.x`, 'Invalid token'],
    ['garbage', () => 'a.b.c', 'Invalid token'],
    ['10 KB', ({ token }) => withPart(token, 1, (it) => it.repeat(40)), 'Invalid token'],
  ];

  test.each(FORGED)('%s is 401, alike over HTTP and to refresh, and 1008', async (...row) => {
    const [, forge, detail] = row;
    const person = await api.register();
    const state = await createConversationWithToken(api.db, 'free', person.id);
    const token = await forge(victimOf(person));
    const answer = await me(token);
    expect([answer.status, answer.body]).toEqual([401, { detail }]);
    expect(answer.headers.get('www-authenticate')).toBeNull();
    const { id, refreshToken } = person;
    const refreshed = await refresh(await forge({ id, token: refreshToken, type: 'refresh' }));
    expect([refreshed.status, refreshed.body]).toEqual([401, { detail }]);
    const chat = connectChat(
      gateway.url({ ...state, token: encodeURIComponent(token) }, '&events=basic'),
    );
    expect(await chat.closed()).toEqual({ code: 1008, reason: detail });
  });

  test.each([undefined, '42', 42])(
    'a refresh token whose jti is %p was never stored',
    async (jti) => {
      const victim = { ...victimOf(await api.register()), type: 'refresh' as const };
      const { status, body } = await refresh(await sign(claimsFor(victim, { jti })));
      expect([status, body]).toEqual([401, { detail: 'Invalid token' }]);
    },
  );

  test('a token of one kind does not serve as the other', async () => {
    const person = await api.register();
    const state = await createConversationWithToken(api.db, 'free', person.id);
    const wrongType = { detail: 'Invalid token type' };
    expect((await me(person.refreshToken)).body).toEqual(wrongType);
    expect((await refresh(person.token)).body).toEqual(wrongType);
    const chat = connectChat(
      gateway.url({ ...state, token: person.refreshToken }, '&events=basic'),
    );
    expect(await chat.closed()).toEqual({ code: 1008, reason: 'Invalid token type' });
  });

  test('a user who is gone is 401, and has no conversations left', async () => {
    const person = await api.register();
    const state = await createConversationWithToken(api.db, 'free', person.id);
    await api.db.deleteFrom('users').where('id', '=', person.id).execute();
    const gone = { detail: 'User not found' };
    expect((await me(person.token)).body).toEqual(gone);
    expect((await refresh(person.refreshToken)).body).toEqual(gone);
    const chat = connectChat(gateway.url({ ...state, token: person.token }, '&events=basic'));
    expect((await chat.closed()).reason).toBe('conversation not found or access denied');
  });

  test('an API key opens no socket, neither as a token nor beside none', async () => {
    const person = await api.register();
    const { body } = await api.send('POST', '/api-keys', {
      token: person.token,
      body: { name: 'script' },
    });
    const state = await createConversationWithToken(api.db, 'free', person.id);
    const asToken = connectChat(gateway.url({ ...state, token: body.key }, '&events=basic'));
    expect(await asToken.closed()).toEqual({ code: 1008, reason: 'Invalid token' });
    const asHeader = connectChat(gateway.url({ ...state, token: '' }, '&events=basic'), {
      'X-API-Key': body.key,
    });
    expect((await asHeader.closed()).reason).toBe('missing authentication token');
  });

  test('another user’s token opens nothing of this one’s', async () => {
    const [person, other] = [await api.register(), await api.register()];
    const state = await createConversationWithToken(api.db, 'free', person.id);
    expect((await me(other.token)).body.id).toBe(other.id);
    const chat = connectChat(gateway.url({ ...state, token: other.token }, '&events=basic'));
    expect((await chat.closed()).reason).toBe('conversation not found or access denied');
  });

  test('a token beyond the size of headers is a 431 like any other error', async () => {
    const answer = await me('x'.repeat(20_000));
    expect([answer.status, answer.body]).toEqual([
      431,
      { detail: 'Request Header Fields Too Large' },
    ]);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  });
});

describe('the Authorization header', () => {
  test.each([
    ['is missing', undefined],
    ['is empty', ''],
    ['has another scheme', 'Basic abc'],
    ['has no token', 'Bearer'],
    ['has two tokens', 'Bearer a b'],
    ['has no scheme', 'abc'],
  ])('that %s is 401, without a challenge', async (_how, authorization) => {
    const headers = authorization === undefined ? {} : { Authorization: authorization };
    const answer = await api.send('GET', '/auth/me', { headers });
    expect([answer.status, answer.body]).toEqual([401, { detail: 'Not authenticated' }]);
    expect(answer.headers.get('www-authenticate')).toBeNull();
  });

  test('takes the scheme in any letter case', async () => {
    const { token, id } = await api.register();
    const answer = await api.send('GET', '/auth/me', {
      headers: { Authorization: `bEaReR ${token}` },
    });
    expect(answer.body.id).toBe(id);
  });

  test('does not freeze the role: the database decides', async () => {
    const person = await api.register();
    await api.db.updateTable('users').set({ role: 'pro' }).where('id', '=', person.id).execute();
    expect((await me(person.token)).body.role).toBe('pro');
  });
});
