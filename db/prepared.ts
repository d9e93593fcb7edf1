/** Lets PostgreSQL parse and plan each statement once per connection, and notices when it falls silent. */
import { Socket } from 'node:net';
import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import type pg from 'pg';

interface Names {
  /** @returns null for a statement that is sent as it is */
  of(text: string): string | null;
  /** Its plans are out of date: it gets another name. */
  forget(text: string): void;
}

/**
 * Statements of a process that are kept prepared, in the order in which they come. Ours are fewer, since
 * what is asked often has its lists as one parameter (`= any(…)`). What is left over is planned each time.
 */
const MAX_NAMES = 300;

/**
 * A pool whose statements with parameters are prepared under a name when they are first used.
 *
 * @param silenceMs after so much silence during a statement the connection is given up: the server keeps
 *   the time of statements itself, but one behind a dead network says nothing at all; null: no limit
 */
export function preparing(
  pool: pg.Pool,
  { silenceMs }: { readonly silenceMs: number | null },
): PostgresPool {
  const names = createNames();
  const known = new WeakMap<pg.PoolClient, PostgresPoolClient>();
  return {
    options: pool.options,
    async connect() {
      const client = await pool.connect();
      const wrapped = known.get(client) ?? wrap(client, names, silenceMs);
      known.set(client, wrapped);
      return wrapped;
    },
    end: () => pool.end(),
  };
}

function createNames(): Names {
  const names = new Map<string, string>();
  let given = 0;
  return {
    of(text) {
      const name = names.get(text);
      if (name !== undefined || names.size >= MAX_NAMES) {
        return name ?? null;
      }
      given += 1;
      names.set(text, `s${given}`);
      return `s${given}`;
    },
    forget: (text) => void names.delete(text),
  };
}

function wrap(client: pg.PoolClient, names: Names, silenceMs: number | null): PostgresPoolClient {
  const limitSilence = silenceLimitOf(client.connection.stream);
  const send = async (text: string, values: readonly unknown[]): Promise<unknown> => {
    const name = values.length === 0 ? null : names.of(text);
    limitSilence(silenceMs);
    try {
      return await client.query({ text, values: [...values], ...(name === null ? {} : { name }) });
    } finally {
      limitSilence(null);
    }
  };
  const run = async (text: string, values: readonly unknown[]): Promise<unknown> => {
    try {
      return await send(text, values);
    } catch (error) {
      if (!isOutdatedPlan(error)) {
        throw error;
      }
      names.forget(text);
      return send(text, values).catch((again: unknown) => {
        // in a transaction that is over with it, `retryTransaction` begins anew for the first error
        throw isOverAlready(again) ? error : again;
      });
    }
  };
  function query<R>(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  function query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  function query(asked: unknown, values: readonly unknown[] = []): unknown {
    return run(String(asked), values); // there are no cursors
  }
  return {
    query,
    release: (destroy) => {
      client.release(destroy);
    },
  };
}

/** @returns to be called with the limit in milliseconds; null: none, between statements */
function silenceLimitOf(stream: unknown): (limitMs: number | null) => void {
  if (!(stream instanceof Socket)) {
    return () => undefined;
  }
  stream.on('timeout', () => {
    stream.destroy(new Error('PostgreSQL does not answer'));
  });
  return (limitMs) => {
    stream.setTimeout(limitMs ?? 0);
  };
}

/** Source: PostgreSQL, appendix A: `in_failed_sql_transaction`. */
function isOverAlready(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === '25P02';
}

/**
 * Whether a statement was refused, before it did anything, since a migration has changed the columns
 * that it returns. Source: PostgreSQL, `plancache.c`.
 */
export function isOutdatedPlan(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'routine') === 'RevalidateCachedQuery';
}
