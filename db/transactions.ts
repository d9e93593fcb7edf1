import { Transaction } from 'kysely';
import type { Db, Tx } from './connect.js';
import { isOutdatedPlan } from './prepared.js';

/** Source: PostgreSQL, appendix A: `serialization_failure`, `deadlock_detected`. */
const ROLLED_BACK = /^40(?:001|P01)$/;
/** Source: PostgreSQL, appendix A: `unique_violation`. */
const NOT_UNIQUE = '23505';
/** What another attempt has stored meanwhile is found when the work is repeated. */
const STEP_KEYS = 'uq_stream_events_step';
const TRIES = 4;

/** Runs `work` in the caller's transaction where there is one, else in its own. */
export async function inTransaction<T>(db: Db | Tx, work: (tx: Tx) => Promise<T>): Promise<T> {
  return db instanceof Transaction
    ? work(db)
    : retryTransaction(() => db.transaction().execute(work));
}

/**
 * Runs a transaction, which one statement is as well. One of several that wait in a circle is ended
 * by PostgreSQL, as is one that stores a step which another has just stored, or whose plans a
 * migration has made useless: such a victim has changed nothing and is run again, so `work` must not
 * do what a rollback cannot take back.
 */
export async function retryTransaction<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === TRIES || !isRolledBack(error)) {
        throw error;
      }
    }
  }
}

function isRolledBack(error: unknown): boolean {
  if (!(error instanceof Error)) {
    return false;
  }
  const code: unknown = Reflect.get(error, 'code');
  return (
    (typeof code === 'string' && ROLLED_BACK.test(code)) ||
    (code === NOT_UNIQUE && Reflect.get(error, 'constraint') === STEP_KEYS) ||
    isOutdatedPlan(error)
  );
}
