/**
 * Conditions of partial indexes, as literals. Plans are made once for all parameters (connect.ts), and such
 * a plan uses a partial index only where the statement itself says what the index requires.
 */
import { sql } from 'kysely';
import type { PipelineStatus } from '../domain/run/results.js';

export const TRUE = sql.lit(true);

const UNENDED: readonly PipelineStatus[] = ['pending', 'running'];
/** Statuses of runs that have not ended. */
export const UNENDED_STATUSES = sql<
  'pending' | 'running'
>`(${sql.join(UNENDED.map((it) => sql.lit(it)))})`;
