/** Everything that is kept of a run once it has ended. */
import { readEvents } from '../../db/events.js';
import type { Db } from '../../db/connect.js';
import { listSteps } from '../../db/runs/agent-steps.js';
import { listApprovals } from '../../db/runs/approvals.js';
import { readRunById } from '../../db/runs/runs.js';
import type { FixtureRun } from './run-fixture.js';

export type RunRecords = Awaited<ReturnType<typeof readRecords>>;

export async function readRecords(db: Db, { id, userId }: Pick<FixtureRun, 'id' | 'userId'>) {
  const record = await readRunById(db, id);
  if (record === null) {
    throw new Error(`run ${id} is not there`);
  }
  return {
    record,
    events: await readEvents(db, id, { after: 0, limit: 1_000 }),
    steps: await listSteps(db, id),
    approvals: await listApprovals(db, id),
    ledger: await db
      .selectFrom('costLedger')
      .selectAll()
      .where('pipelineId', '=', id)
      .orderBy('createdAt')
      .execute(),
    slots: await db
      .selectFrom('pipelineExecutions')
      .select('id')
      .where('userId', '=', userId)
      .where('holdsSlot', '=', true)
      .execute(),
  };
}
