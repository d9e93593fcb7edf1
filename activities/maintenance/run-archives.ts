import { Context, log } from '@temporalio/activity';
import { bundleOf, type ArchivingDeps } from '../../audit/archive.js';
import type { ArchiveCipher } from '../../audit/archive-cipher.js';
import type { Db } from '../../db/connect.js';
import { readRunById } from '../../db/runs/runs.js';
import {
  findRunToArchive,
  findUnarchivedRuns,
  saveArchive,
  type EndedRun,
} from '../../db/audit/run-archives.js';
import { readRunRecords } from '../../db/audit/run-records.js';
import { pipelineWorkflowId, type PipelineId } from '../../domain/ids.js';
import { isFinal } from '../../domain/run/results.js';
import type { ClosedHistory, WorkflowRun } from '../../temporal/client/archives.js';

export interface RunArchiveActivities {
  /**
   * Makes and stores the archives of runs that have ended, the oldest first, for some seconds. One that
   * fails is logged and tried again later; it delays no other archive.
   */
  archiveEnded(call: { from: string | null }): Promise<ArchiveSlice>;
  /** Makes and stores the archive of a run, once: for orders of 0.4.0 and before. */
  archiveRun(call: { pipelineId: PipelineId }): Promise<Archiving>;
}

export interface ArchiveSlice {
  /** Those that are done with: also those that are gone. */
  readonly archived: number;
  /**
   * Those that could not be archived, because they have not closed, or failed; and one where the time
   * was up, since others may have ended in the moment after which the next slice begins.
   */
  readonly left: number;
  /** From when on the next slice goes on, ISO 8601; null: all have been looked at. */
  readonly next: string | null;
}

export interface Archiving {
  /** `open`: its workflow has not closed, or a call of it is not settled; ask again. */
  readonly kind: 'archived' | 'gone' | 'open';
}

export interface RunArchiveDeps extends ArchivingDeps {
  readonly db: Db;
  readonly archiveCipher: ArchiveCipher;
  readonly now: () => Date;
  readClosedHistory(run: WorkflowRun): Promise<ClosedHistory>;
  /** How long a slice may go on. Default: less than a worker that stops waits for its activities. */
  readonly sliceMs?: number;
}

/** A workflow that is to take the run may be on its way. */
const UNSTARTED_MS = 60_000;
/** Calls that no attempt will settle are closed after 15 minutes (worker/reconciler.ts). */
const UNSETTLED_MS = 30 * 60_000;
const SLICE_MS = 4_000;
/** Read at once; a run's design may be large. */
const BATCH = 10;

/** After its first failure; after each further one twice as long. */
const FIRST_BACKOFF_MS = 30_000;
const LONGEST_BACKOFF_MS = 10 * 60_000;

interface Backoff {
  readonly until: number;
  readonly ms: number;
}

export function createRunArchiveActivities(deps: RunArchiveDeps): RunArchiveActivities {
  const resting = new Map<PipelineId, Backoff>();
  return {
    async archiveEnded({ from }) {
      const tally = { archived: 0, left: 0 };
      const sliceEnds = performance.now() + (deps.sliceMs ?? SLICE_MS);
      forgetRested(resting, deps.now().getTime());
      for await (const run of eachEndedRun(deps.db, new Date(from ?? 0))) {
        Context.current().cancellationSignal.throwIfAborted();
        const kind = await attempt(deps, run, resting);
        tally[kind === 'open' ? 'left' : 'archived'] += 1;
        if (performance.now() > sliceEnds && run.endedAt !== null) {
          // always further on, or a slow one would keep all that follow from theirs
          const next = new Date(run.endedAt.getTime() + 1).toISOString();
          return { archived: tally.archived, left: tally.left + 1, next };
        }
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

async function attempt(
  deps: RunArchiveDeps,
  run: EndedRun,
  resting: Map<PipelineId, Backoff>,
): Promise<Archiving['kind']> {
  const now = deps.now().getTime();
  const backoff = resting.get(run.id);
  if (backoff !== undefined && now < backoff.until) {
    return 'open';
  }
  try {
    const kind = await archive(deps, run);
    resting.delete(run.id);
    return kind;
  } catch (error) {
    Context.current().cancellationSignal.throwIfAborted();
    log.warn('archiving a run failed', { pipelineId: run.id, error });
    const ms = Math.min(
      backoff === undefined ? FIRST_BACKOFF_MS : 2 * backoff.ms,
      LONGEST_BACKOFF_MS,
    );
    resting.set(run.id, { until: now + ms, ms });
    return 'open';
  }
}

/** Those that have rested long ago are archived, by whomever, or gone. */
function forgetRested(resting: Map<PipelineId, Backoff>, now: number): void {
  for (const [id, { until }] of resting) {
    if (until + LONGEST_BACKOFF_MS < now) {
      resting.delete(id);
    }
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
  const records = await readRunRecords(deps.db, run);
  const { text, head, otherPrompts } = await bundleOf(deps, records, { closed, now });
  reportPrompts(otherPrompts, { pipelineId });
  const sealed = await deps.archiveCipher.seal(text, pipelineId);
  if (await saveArchive(deps.db, { ...sealed, pipelineId, head, archivedAt: now })) {
    const history = closed.kind === 'closed' ? 'whole' : closed.kind;
    log.info('run archived', { pipelineId, head, history, bytes: sealed.bundle.length });
    return 'archived';
  }
  return (await readRunById(deps.db, pipelineId)) === null ? 'gone' : 'archived'; // by another attempt
}

export function reportPrompts(
  otherPrompts: readonly string[],
  of: Readonly<Record<string, string>>,
): void {
  if (otherPrompts.length > 0) {
    log.error('prompts are not what was sent: records were changed', { ...of, otherPrompts });
  }
}
