/**
 * Conditions of partial indexes, as literals. Plans are made once for all parameters (connect.ts), and such
 * a plan uses a partial index only where the statement itself says what the index requires.
 */
import { sql } from 'kysely';
import type { FinalStatus, PipelineStatus } from '../domain/run/results.js';

export const TRUE = sql.lit(true);

type UnendedStatus = Exclude<PipelineStatus, FinalStatus>;
const UNENDED: Readonly<Record<UnendedStatus, true>> = { pending: true, running: true };
/** Statuses of runs that have not ended, for `in`. */
export const UNENDED_STATUSES = sql<UnendedStatus>`(${sql.join(Object.keys(UNENDED).map((it) => sql.lit(it)))})`;
