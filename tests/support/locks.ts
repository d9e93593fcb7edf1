import { sql } from 'kysely';
import type { Db } from '../../db/connect.js';
import { until } from './until.js';

/** Waits until a session waits for a lock in this database. */
export async function untilBlocked(db: Db): Promise<void> {
  await until('somebody waits for a lock', async () => {
    const { rows } = await sql`select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(db);
    return rows.length > 0;
  });
}
