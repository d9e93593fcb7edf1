/** Which calls of a step have failed, as the ledger has it: they count against `retry_count`. */
import { sql } from 'kysely';
import type { StepFailures } from '../domain/costs.js';
import type { StepId } from '../domain/ids.js';
import type { Db } from './connect.js';

export async function failPass(db: Db, callId: string): Promise<void> {
  await db.updateTable('costLedger').set({ passFailed: true }).where('id', '=', callId).execute();
}

export async function readFailures(db: Db, stepId: StepId): Promise<StepFailures> {
  const { rows } = await sql<StepFailures>`
    select count(*) filter (where pass_failed)::integer as passes,
      count(*) filter (where error_code = 'model-empty')::integer as empty_answers,
      (array_agg(json_build_object('code', error_code, 'provider', provider) order by created_at desc, attempt desc, call_number desc)
        filter (where pass_failed and error_code is not null))[1] as last
    from cost_ledger where step_id = ${stepId}`.execute(db);
  return rows[0] ?? { passes: 0, emptyAnswers: 0, last: null };
}
