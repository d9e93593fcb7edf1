/** Everything that the product has stored anywhere, as text to be searched. */
import { Redis } from 'ioredis';
import { sql } from 'kysely';
import type { Client } from '@temporalio/client';
import type { Db } from '../../db/connect.js';

/** Every row of every table; `bytea` as hexadecimal digits. */
export async function dumpDatabase(db: Db): Promise<string> {
  const tables = await sql<{ name: string }>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'`.execute(db);
  const texts: string[] = [];
  for (const { name } of tables.rows) {
    const rows = await sql<{
      row: string;
    }>`select t::text as row from ${sql.table(name)} t`.execute(db);
    texts.push(...rows.rows.map(({ row }) => `${name} ${row}`));
  }
  return texts.join('\n');
}

/** Every key with its value, of any type. */
export async function dumpRedis(url: string): Promise<string> {
  const redis = new Redis(url);
  try {
    const texts: string[] = [];
    for await (const keys of redis.scanStream()) {
      for (const key of keys as string[]) {
        texts.push(`${key} ${JSON.stringify(await valueOf(redis, key))}`);
      }
    }
    return texts.join('\n');
  } finally {
    redis.disconnect();
  }
}

async function valueOf(redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case 'string':
      return redis.get(key);
    case 'hash':
      return redis.hgetall(key);
    case 'zset':
      return redis.zrange(key, '0', '-1', 'WITHSCORES');
    case 'set':
      return redis.smembers(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    default:
      return redis.xrange(key, '-', '+').catch(() => null); // gone meanwhile
  }
}

export interface StoredWorkflows {
  readonly ids: readonly string[];
  /** Lists and whole histories as the server keeps them: nothing is decoded. */
  readonly text: string;
}

/** @param client without a codec */
export async function dumpTemporal(client: Client, taskQueue: string): Promise<StoredWorkflows> {
  const ids: string[] = [];
  const texts: string[] = [];
  for await (const run of client.workflow.list({ query: `TaskQueue = '${taskQueue}'` })) {
    ids.push(run.workflowId);
    const history = await client.workflow.getHandle(run.workflowId, run.runId).fetchHistory();
    texts.push(...textsIn(run.raw), ...textsIn(history));
  }
  return { ids, text: texts.join('\n') };
}

/** All texts and bytes inside, bytes as the characters that they may be. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') {
    return [value];
  }
  if (value instanceof Uint8Array) {
    return [Buffer.from(value).toString('latin1')];
  }
  return typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([name, inner]) => [name, ...textsIn(inner)])
    : [];
}

/** The ways in which a secret may be written down. */
export function spellingsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const base64 = bytes.toString('base64').replace(/=+$/, '');
  return [secret, bytes.toString('hex'), base64, encodeURIComponent(secret)];
}
