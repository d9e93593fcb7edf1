/** The servers of a test run, and fresh databases on them. */
import { randomInt, randomUUID } from 'node:crypto';
import pg from 'pg';
import { connectDb, type Db } from '../../db/connect.js';
import type { Role } from '../../domain/account/permissions.js';

export interface TestServers {
  /** Of the administrator, for making databases; tests use `createTestDb`. */
  databaseUrl: string;
  redisUrl: string;
  /** Of collectors' own user. */
  collectorRedisUrl: string;
  /** Of a user that reads everything. */
  observerRedisUrl: string;
  temporalAddress: string;
  temporalNamespace: string;
}

export interface TestDb {
  db: Db;
  url: string;
  /** Closes the pool and removes the database. */
  readonly drop: () => Promise<void>;
}

/** So many that two test files hardly ever meet in one; Redis has 16 by default. */
export const TEST_REDIS_DATABASES = 10_000;

/** Each test file has one of its own, or the requests of others would count among its own. */
const redisDatabase = randomInt(TEST_REDIS_DATABASES);

export function testServers(): TestServers {
  return {
    databaseUrl: setting('AGENTFORGE_TEST_DATABASE_URL'),
    redisUrl: inOwnDatabase(setting('AGENTFORGE_TEST_REDIS_URL')),
    observerRedisUrl: inOwnDatabase(setting('AGENTFORGE_TEST_OBSERVER_REDIS_URL')),
    collectorRedisUrl: inOwnDatabase(setting('AGENTFORGE_TEST_COLLECTOR_REDIS_URL')),
    temporalAddress: setting('AGENTFORGE_TEST_TEMPORAL_ADDRESS'),
    temporalNamespace: 'default',
  };
}

function inOwnDatabase(address: string): string {
  const url = new URL(address);
  url.pathname = `/${redisDatabase}`;
  return url.href;
}

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) {
    throw new Error(`${name} is not set: run the tests with jest, which starts the servers`);
  }
  return value;
}

const POOL_SIZE = 10;

/** A new database with the current schema, cloned from a migrated template. */
export async function createTestDb(): Promise<TestDb> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await administer(`create database ${name} template ${setting('AGENTFORGE_TEST_TEMPLATE')}`);
  const url = new URL(testServers().databaseUrl);
  url.pathname = `/${name}`;
  const db = connectDb({
    url: url.href,
    poolSize: POOL_SIZE,
    applicationName: 'test',
    statementTimeoutMs: 0, // tests hold locks as long as they like
  });
  return {
    db,
    url: url.href,
    drop: async () => {
      await db.destroy();
      await administer(`drop database if exists ${name} with (force)`);
    },
  };
}

/** For the top of a test file: one database for all of its tests, removed after them. */
export function testDbOfFile(): TestDb {
  let own: TestDb;
  beforeAll(async () => {
    own = await createTestDb();
  });
  afterAll(() => own.drop());
  return {
    get db() {
      return own.db;
    },
    get url() {
      return own.url;
    },
    drop: () => own.drop(),
  };
}

/** As the administrator of the database server. */
export async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: testServers().databaseUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** A user without a usable password. */
export async function createTestUser(
  db: Db,
  fields: Partial<{ role: Role; email: string }> = {},
): Promise<{ id: string; email: string; role: Role }> {
  const id = randomUUID();
  const user = { id, email: fields.email ?? `${id}@example.com`, role: fields.role ?? 'free' };
  await db
    .insertInto('users')
    .values({ ...user, hashedPassword: 'unusable', displayName: 'Test User' })
    .execute();
  return user;
}
