import { log } from '@temporalio/activity';
import { bundleOf, type ArchivingDeps } from '../audit/archive.js';
import type { ArchiveBox } from '../audit/archive-box.js';
import type { Db } from '../db/connect.js';
import { readRunById } from '../db/pipelines.js';
import { saveArchive } from '../db/run-archives.js';
import { hasOpenCalls, readRunRecords } from '../db/run-records.js';
import { pipelineWorkflowId, type PipelineId } from '../domain/ids.js';
import { isFinal } from '../domain/results.js';
import type { ClosedHistory, WorkflowRun } from '../temporal/closed-history.js';

export interface RunArchiveActivities {
  /** Makes and stores the archive of a run, once. */
  archiveRun(call: { pipelineId: PipelineId }): Promise<Archiving>;
}

export interface Archiving {
  /** `open`: its workflow has not closed, or a call of it is not settled; ask again. */
  readonly kind: 'archived' | 'gone' | 'open';
}

export interface RunArchiveDeps extends ArchivingDeps {
  readonly db: Db;
  readonly archiveBox: ArchiveBox;
  readonly now: () => Date;
  readClosedHistory(run: WorkflowRun): Promise<ClosedHistory>;
}

/** A workflow that is to take the run may be on its way. */
const UNSTARTED_MS = 60_000;
/** Calls that nobody will settle are closed after 15 minutes (worker/reconciler.ts). */
const UNSETTLED_MS = 30 * 60_000;

export function createRunArchiveActivities(deps: RunArchiveDeps): RunArchiveActivities {
  return {
    async archiveRun({ pipelineId }) {
      const run = await readRunById(deps.db, pipelineId);
      if (run === null) {
        return { kind: 'gone' };
      }
      if (run.archivedAt !== null) {
        return { kind: 'archived' };
      }
      const endedMs = run.endedAt === null ? 0 : deps.now().getTime() - run.endedAt.getTime();
      if (!isFinal(run.status)) {
        return { kind: 'open' };
      }
      if (endedMs < UNSETTLED_MS && (await hasOpenCalls(deps.db, pipelineId))) {
        return { kind: 'open' };
      }
      const closed = await deps.readClosedHistory({
        workflowId: pipelineWorkflowId(pipelineId),
      });
      const isUnstarted = closed.kind === 'missing' && endedMs < UNSTARTED_MS;
      if (closed.kind === 'open' || isUnstarted) {
        return { kind: 'open' };
      }
      return { kind: await archive(deps, run, closed) };
    },
  };
}

async function archive(
  deps: RunArchiveDeps,
  run: NonNullable<Awaited<ReturnType<typeof readRunById>>>,
  closed: Exclude<ClosedHistory, { kind: 'open' }>,
): Promise<'archived' | 'gone'> {
  const { id: pipelineId } = run;
  const now = deps.now();
  const records = await readRunRecords(deps.db, run);
  const { text, head } = await bundleOf(deps, records, { closed, now });
  const sealed = await deps.archiveBox.seal(text, pipelineId);
  const isNew = await saveArchive(deps.db, { ...sealed, pipelineId, head, archivedAt: now });
  if (isNew) {
    const history = closed.kind === 'closed' ? 'whole' : closed.kind;
    log.info('run archived', { pipelineId, head, history, bytes: sealed.bundle.length });
    return 'archived';
  }
  return (await readRunById(deps.db, pipelineId)) === null ? 'gone' : 'archived'; // by another attempt
}
