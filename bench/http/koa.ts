/**
 * Bare Koa routes that answer what the product's do: each verifies the same token, runs the same
 * Redis script and asks PostgreSQL the same, prepared as the product has it prepared, with no cache.
 */
import Koa from 'koa';
import Router from '@koa/router';
import { Redis } from 'ioredis';
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { createRateLimiter } from '../../api/http/rate-limiter.js';
import { createTokens, type AccessClaims } from '../../api/auth/tokens.js';
import { loadConfig } from '../../config/config.js';
import type { Db } from '../../db/connect.js';
import { listConversations } from '../../db/discussions/conversations.js';
import { requireCredential } from '../../db/users/credentials.js';
import type { Database } from '../../db/schema.js';
import { userBucketOf } from '../../events/user-keys.js';
import { createLogger } from '../../telemetry/logger.js';

const config = loadConfig();
const redis = new Redis(config.redisUrl);
const limiter = createRateLimiter({ redis, logger: createLogger('bare') });
const tokens = createTokens({
  secretKey: config.secretKey,
  algorithm: 'HS256',
  accessMinutes: 60,
  refreshDays: 1,
});
const pool = new pg.Pool({
  connectionString: config.databaseUrl,
  max: config.databasePoolSize,
  application_name: 'bare-koa',
});

/** A question of the product's, as its own function asks it of one user. */
interface Question {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

async function questionOf(name: string, ask: (db: Db) => Promise<unknown>): Promise<Question> {
  const asked: Question[] = [];
  const db = new Kysely<Database>({
    dialect: new PostgresDialect({ pool }),
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
    log({ query }) {
      asked.push({ name, text: query.sql, values: query.parameters });
    },
  });
  await ask(db);
  const [question, ...more] = asked;
  if (question === undefined || more.length > 0) {
    throw new Error(`${name} is not one statement`);
  }
  return question;
}

interface Questions {
  readonly who: Question;
  readonly conversations: Question;
}

async function questionsOf({ userId, sessionId, issuedAt }: AccessClaims): Promise<Questions> {
  const credential = { userId, sessionId, apiKeyId: null, issuedAt };
  return {
    who: await questionOf('who', (db) => requireCredential(db, credential)),
    conversations: await questionOf('conversations', (db) => listConversations(db, userId)),
  };
}

interface Row {
  readonly [column: string]: unknown;
}

async function rowsOf({ name, text, values }: Question): Promise<readonly Row[]> {
  return (await pool.query<Row>({ name, text, values: [...values] })).rows;
}

const RATE = { capacity: 1_000_000, windowSeconds: 60 };
/** Texts and parameters alone; what they find is asked for each time. */
const asked = new Map<string, Promise<Questions>>();

async function admit(authorization: string): Promise<{ user: Row; questions: Questions }> {
  const claims = await tokens.readAccess(authorization.slice('Bearer '.length));
  const questions = await (asked.get(claims.userId) ?? prepare(claims));
  const [user = {}] = await rowsOf(questions.who);
  const { kind } = await limiter.take({ key: userBucketOf(claims.userId), ...RATE }, 1);
  if (user['is_open'] !== true || kind !== 'allowed') {
    throw new Error('refused');
  }
  return { user, questions };
}

function prepare(claims: AccessClaims): Promise<Questions> {
  const questions = questionsOf(claims);
  asked.set(claims.userId, questions);
  return questions;
}

const router = new Router();
router.get('/readyz', (ctx) => {
  ctx.body = 'ready';
});
router.get('/api/v1/auth/me', async (ctx) => {
  const { user } = await admit(ctx.get('Authorization'));
  const { id, email, display_name, role } = user;
  ctx.body = { id, email, display_name, role };
});
router.get('/api/v1/conversations', async (ctx) => {
  const { questions } = await admit(ctx.get('Authorization'));
  ctx.body = await rowsOf(questions.conversations);
});
new Koa().use(router.routes()).listen(config.port, '127.0.0.1');
