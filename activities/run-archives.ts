import { Context, log } from '@temporalio/activity';
import { bundleOf, type ArchivingDeps } from '../audit/archive.js';
import type { ArchiveBox } from '../audit/archive-box.js';
import type { Db } from '../db/connect.js';
import {
  findRunToArchive,
  findUnarchivedRuns,
  saveArchive,
  type EndedRun,
} from '../db/run-archives.js';
import { readRunRecords } from '../db/run-records.js';
import { pipelineWorkflowId, type PipelineId } from '../domain/ids.js';
import { isFinal } from '../domain/results.js';
import type { ClosedHistory, WorkflowRun } from '../temporal/closed-history.js';

export interface RunArchiveActivities {
  /**
   * Makes and stores the archives of runs that have ended, the oldest first, for some seconds.
   *
   * @throws where not one could be made because something failed: the next attempt is later
   */
  archiveEnded(call: { from: string | null }): Promise<ArchiveSlice>;
  /** Makes and stores the archive of a run, once: for orders of 0.4.0 and before. */
  archiveRun(call: { pipelineId: PipelineId }): Promise<Archiving>;
}

export interface ArchiveSlice {
  readonly archived: number;
  /** Those that could not be archived: not closed yet, or failed. They stay where they are. */
  readonly left: number;
  /** Where the next slice goes on: the end of a run, ISO 8601; null: all have been looked at. */
  readonly next: string | null;
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
/** Less than a worker that stops waits for its activities. */
const SLICE_MS = 4_000;
/** Read at once; a run's design may be large. */
const BATCH = 10;

export function createRunArchiveActivities(deps: RunArchiveDeps): RunArchiveActivities {
  return {
    async archiveEnded({ from }) {
      const tally = { archived: 0, left: 0 };
      const failures: unknown[] = [];
      const sliceEnds = performance.now() + SLICE_MS;
      for await (const run of eachEndedRun(deps.db, new Date(from ?? 0))) {
        const kind = await attempt(deps, run, failures);
        tally[kind === 'open' ? 'left' : 'archived'] += 1;
        if (performance.now() > sliceEnds) {
          return { ...tally, next: (run.endedAt ?? new Date(0)).toISOString() };
        }
      }
      if (failures.length > 0 && tally.archived === 0) {
        throw failures[0];
      }
      return { ...tally, next: null };
    },
    async archiveRun({ pipelineId }) {
      const run = await findRunToArchive(deps.db, pipelineId);
      if (run === null || run.archivedAt !== null) {
        return { kind: run === null ? 'gone' : 'archived' };
      }
      return isFinal(run.status) ? { kind: await archive(deps, run) } : { kind: 'open' };
    },
  };
}

/** Each once, also those that end meanwhile. */
async function* eachEndedRun(db: Db, from: Date): AsyncIterable<EndedRun> {
  const seen = new Set<PipelineId>();
  let page: readonly EndedRun[];
  do {
    page = await findUnarchivedRuns(db, { from, limit: BATCH, except: [...seen] });
    for (const run of page) {
      seen.add(run.id);
      yield run;
    }
  } while (page.length > 0);
}

/** One that fails keeps no other from its archive. */
async function attempt(
  deps: RunArchiveDeps,
  run: EndedRun,
  failures: unknown[],
): Promise<Archiving['kind']> {
  const { cancellationSignal } = Context.current();
  cancellationSignal.throwIfAborted();
  try {
    return await archive(deps, run);
  } catch (error) {
    cancellationSignal.throwIfAborted();
    log.warn('archiving a run failed', { pipelineId: run.id, error });
    failures.push(error);
    return 'open';
  }
}

async function archive(deps: RunArchiveDeps, run: EndedRun): Promise<Archiving['kind']> {
  const { id: pipelineId } = run;
  const now = deps.now();
  const endedMs = run.endedAt === null ? 0 : now.getTime() - run.endedAt.getTime();
  if (run.hasOpenCalls && endedMs < UNSETTLED_MS) {
    return 'open';
  }
  const closed = await deps.readClosedHistory({ workflowId: pipelineWorkflowId(pipelineId) });
  const isUnstarted = closed.kind === 'missing' && endedMs < UNSTARTED_MS;
  if (closed.kind === 'open' || isUnstarted) {
    return 'open';
  }
  const { hasOpenCalls: _hasOpenCalls, ...record } = run;
  const records = await readRunRecords(deps.db, record);
  const { text, head } = await bundleOf(deps, records, { closed, now });
  const sealed = await deps.archiveBox.seal(text, pipelineId);
  if (await saveArchive(deps.db, { ...sealed, pipelineId, head, archivedAt: now })) {
    const history = closed.kind === 'closed' ? 'whole' : closed.kind;
    log.info('run archived', { pipelineId, head, history, bytes: sealed.bundle.length });
    return 'archived';
  }
  return (await findRunToArchive(deps.db, pipelineId)) === null ? 'gone' : 'archived'; // by another attempt
}
