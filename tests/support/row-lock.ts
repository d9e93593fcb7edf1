/** Stops a transaction of the product at a row that the test has locked. */
import { sql, type RawBuilder } from 'kysely';
import type { Db } from '../../db/connect.js';
import { until } from './until.js';

export interface RowLock {
  /** Resolves when somebody waits for the row. */
  awaited(): Promise<void>;
  release(): void;
}

/** @param select ends with `for update` or another lock. */
export async function lockRow(db: Db, select: RawBuilder<unknown>): Promise<RowLock> {
  const released = Promise.withResolvers<undefined>();
  const taken = Promise.withResolvers<number>();
  void db
    .transaction()
    .execute(async (tx) => {
      await sql`set local idle_in_transaction_session_timeout = '60s'`.execute(tx); // a test that fails
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx);
      const locked = await select.execute(tx);
      if (locked.rows.length === 0) {
        throw new Error(`no row to lock: ${select.compile(tx).sql}`);
      }
      taken.resolve(rows[0]?.pid ?? 0);
      await released.promise;
    })
    .catch(taken.reject);
  const pid = await taken.promise;
  return {
    release: () => {
      released.resolve(undefined);
    },
    async awaited() {
      await until('somebody waits for the row', async () => {
        const { rows } = await sql`
          select 1 from pg_stat_activity
          where datname = current_database() and ${pid}::integer = any(pg_blocking_pids(pid))
        `.execute(db);
        return rows.length > 0;
      });
    },
  };
}
