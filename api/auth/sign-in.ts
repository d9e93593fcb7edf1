/** Accounts and their token pairs: what the auth routes do, without HTTP. */
import { createHash, randomUUID } from 'node:crypto';
import type { Db, Tx } from '../../db/connect.js';
import { isKnownNetwork, rememberNetwork } from '../../db/users/sign-in-networks.js';
import {
  insertRefreshToken,
  revokeFamilyOfToken,
  rotateRefreshToken,
} from '../../db/users/refresh-tokens.js';
import {
  findUserByEmail,
  insertUser,
  lockAccount,
  replaceHash,
  spellingOf,
  type UserRow,
} from '../../db/users/users.js';
import { inTransaction } from '../../db/transactions.js';
import { DomainError } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import type { ApiConfig } from '../deps.js';
import { refuseDisabled } from '../http/middleware/authenticate.js';
import { networkOf } from '../http/middleware/client-ip.js';
import { takeAuthAttempt } from '../http/middleware/rate-limit.js';
import type { Passwords } from './passwords.js';
import type { Bucket, RateLimiter } from '../http/rate-limiter.js';
import type { Tokens, TokenOwner } from './tokens.js';

export interface SignInDeps {
  readonly db: Db;
  readonly tokens: Tokens;
  readonly passwords: Passwords;
  readonly limiter: RateLimiter;
  /** Has every process look up what the user's open connections still may. */
  readonly userChanged: (userId: UserId) => Promise<void>;
  readonly config: Pick<ApiConfig, 'authRateLimit' | 'authRateWindowSeconds' | 'registration'>;
}

export interface TokenPair {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly token_type: 'bearer';
}

/** @throws `conflict` when the address is taken, `not-permitted` where registration is closed */
export async function register(
  deps: SignInDeps,
  account: { email: string; password: string; displayName: string },
  clientIp: string,
): Promise<TokenPair> {
  const { registration } = deps.config;
  if (registration === 'closed') {
    throw new DomainError('not-permitted', 'Registration is closed: ask an administrator');
  }
  const hashedPassword = await deps.passwords.hash(account.password);
  const { email, displayName } = account;
  const { user, token } = await inTransaction(deps.db, async (tx) => {
    const user = await insertUser(tx, {
      ...{ id: randomUUID(), email, hashedPassword, displayName },
      awaitingApprovalSince: registration === 'approval' ? new Date() : null,
    });
    return { user, token: await beginSession(tx, deps.tokens, { userId: user.id, clientIp }) };
  });
  return signPair(deps.tokens, user, token); // others wait for the address until the commit
}

/** Takes the same time for an unknown address as for a wrong password. @throws `not-authenticated` */
export async function logIn(
  deps: SignInDeps,
  credentials: { email: string; password: string },
  clientIp: string,
): Promise<TokenPair> {
  const user = await findUserByEmail(deps.db, credentials.email);
  const bucket = await bucketOfSignIn(deps, { user, email: credentials.email, clientIp });
  const isRight = await matches(deps, bucket, () =>
    deps.passwords.matches(credentials.password, user?.hashedPassword),
  );
  if (user === undefined || !isRight) {
    throw new DomainError('not-authenticated', 'Invalid email or password');
  }
  refuseDisabled(user);
  const session = await inTransaction(deps.db, async (tx) =>
    (await isUnchanged(tx, user))
      ? beginSession(tx, deps.tokens, { userId: user.id, clientIp })
      : null,
  );
  if (session === null) {
    return logIn(deps, credentials, clientIp); // the password, or only its hash, is another one by now
  }
  const { id, hashedPassword: from } = user;
  if (deps.passwords.isOutdated(from)) {
    await replaceHash(deps.db, id, { from, to: await deps.passwords.hash(credentials.password) });
  }
  return signPair(deps.tokens, user, session);
}

/**
 * Compares a password, which counts as an attempt unless it is right, or was not compared at all.
 *
 * @throws `too-many-requests`, `unavailable`
 */
export async function matches(
  { limiter }: Pick<SignInDeps, 'limiter'>,
  bucket: Bucket,
  compare: () => Promise<boolean>,
): Promise<boolean> {
  await takeAuthAttempt(limiter, bucket);
  let isWrong = false;
  try {
    isWrong = !(await compare());
    return !isWrong;
  } finally {
    if (!isWrong) {
      await limiter.take(bucket, -1);
    }
  }
}

/**
 * Locks the account: a change of the password, a disabling or a deletion that came while the
 * password was compared must leave no credential behind that was given for the old one.
 */
export async function isUnchanged(
  tx: Tx,
  { id, hashedPassword }: Pick<UserRow, 'id' | 'hashedPassword'>,
): Promise<boolean> {
  const now = await lockAccount(tx, id);
  return now?.disabledAt === null && now.hashedPassword === hashedPassword;
}

/** @throws `not-authenticated`; a token used before ends its whole family. */
export async function refresh(deps: SignInDeps, refreshToken: string): Promise<TokenPair> {
  const { id, userId } = await deps.tokens.readRefresh(refreshToken);
  const successor = { id: randomUUID(), expiresAt: deps.tokens.refreshExpiry(new Date()) };
  const rotation = await rotateRefreshToken(deps.db, { id, userId, successor });
  switch (rotation.kind) {
    case 'rotated':
      return signPair(deps.tokens, rotation.user, { ...successor, familyId: rotation.familyId });
    case 'user-gone':
      throw new DomainError('not-authenticated', 'User not found');
    case 'reused':
      await deps.userChanged(userId);
      throw new DomainError('not-authenticated', 'Invalid token');
    case 'refused':
      throw new DomainError('not-authenticated', 'Invalid token');
  }
}

/** Ends the session that the refresh token is of, and its access tokens. @throws `not-authenticated` */
export async function endSession(
  deps: Pick<SignInDeps, 'db' | 'tokens' | 'userChanged'>,
  refreshToken: string,
): Promise<void> {
  const token = await deps.tokens.readRefresh(refreshToken);
  await inTransaction(deps.db, async (tx) => {
    await lockAccount(tx, token.userId); // a refresh under way stores its token first, to end with the rest
    await revokeFamilyOfToken(tx, token);
  });
  await deps.userChanged(token.userId);
}

/**
 * Failed attempts at one account, from wherever, and apart from them those from each network from
 * which its owner has signed in: a stranger's guesses must not keep the owner out. An address
 * without an account is counted by the spelling that PostgreSQL would look for, as an account is.
 */
async function bucketOfSignIn(
  { db, config }: SignInDeps,
  by: { user: UserRow | undefined; email: string; clientIp: string },
): Promise<Bucket> {
  const userId = by.user?.id;
  if (userId === undefined) {
    return attemptsBucket(config, `address:${hashOf(await spellingOf(db, by.email))}`);
  }
  const network = { userId, networkHash: networkHashOf(userId, by.clientIp) };
  const isKnown = await isKnownNetwork(db, network);
  return attemptsBucket(config, isKnown ? `${userId}:${network.networkHash}` : userId);
}

/** @param key names what is guessed at, without any address: it is written into Redis */
export function attemptsBucket(config: SignInDeps['config'], key: string): Bucket {
  return {
    key: `account:${key}`,
    capacity: config.authRateLimit * ATTEMPTS_PER_ADDRESS,
    windowSeconds: config.authRateWindowSeconds,
  };
}

/** An account bears more than one address does, so that one stranger cannot lock its owner out. */
const ATTEMPTS_PER_ADDRESS = 4;

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** No address of a client is stored: the hash holds for one user alone. */
function networkHashOf(userId: UserId, clientIp: string): string {
  return hashOf(`${userId} ${networkOf(clientIp)}`);
}

interface SessionToken {
  readonly id: string;
  readonly familyId: string;
  readonly expiresAt: Date;
}

/** Stores the first refresh token of a session, and where it was begun. */
async function beginSession(
  tx: Tx,
  tokens: Tokens,
  { userId, clientIp }: { userId: UserId; clientIp: string },
): Promise<SessionToken> {
  const expiresAt = tokens.refreshExpiry(new Date());
  const token = { id: randomUUID(), familyId: randomUUID(), expiresAt };
  await insertRefreshToken(tx, { ...token, userId });
  await rememberNetwork(tx, { userId, networkHash: networkHashOf(userId, clientIp) });
  return token;
}

async function signPair(
  tokens: Tokens,
  user: TokenOwner,
  { id, familyId, expiresAt }: SessionToken,
): Promise<TokenPair> {
  return {
    access_token: await tokens.issueAccess(user, familyId),
    refresh_token: await tokens.issueRefresh({ id, userId: user.id, expiresAt }),
    token_type: 'bearer',
  };
}
