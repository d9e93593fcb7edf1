/** Finds what has ended and was not archived: its request may have been lost. */
import type { Db } from '../../db/connect.js';
import {
  findUnarchivedDiscussions,
  type DiscussionRun,
  type OwnedDiscussionRun,
} from '../../db/audit/discussion-archives.js';
import { isArchiveMissing } from '../../db/audit/run-archives.js';

export interface ArchiveSweepDeps {
  readonly db: Db;
  wantArchives(): void;
}

/** A worker requests archives of what has ended within a minute (requests.ts). */
const DUE_MS = 75_000;

/** Those that cannot be archived yet are left to the workflow that waits for them. */
const REMINDER_MS = 30_000;

/** @returns a round of it; several processes at once do no harm */
export function createArchiveSweep({ db, wantArchives }: ArchiveSweepDeps) {
  let remindedAt = 0;
  return async (now: Date): Promise<void> => {
    const isLate = now.getTime() >= remindedAt + REMINDER_MS;
    if (isLate && (await isArchiveMissing(db, new Date(now.getTime() - DUE_MS)))) {
      remindedAt = now.getTime();
      wantArchives();
    }
  };
}

export interface DiscussionSweepDeps {
  readonly db: Db;
  /** Runs of discussions that have closed since then. */
  listClosed(since: Date): AsyncIterable<DiscussionRun>;
  /** That it goes on already is no error. */
  startArchive(run: OwnedDiscussionRun): Promise<void>;
}

/** A discussion is archived this long after its run has closed, at most. */
const POLL_MS = 60_000;
/** How late the server may list what has closed. */
const LATE_MS = 5 * 60_000;
/** The first search of a process: there may have been none for as long as `npm start` keeps histories. */
const FIRST_POLL_MS = 30 * 24 * 60 * 60_000;
const PAGE = 500;
/** So long an archive that was ordered is left alone. */
const AGAIN_MS = 10 * 60_000;
/** Of one round; what is left follows in the next. */
const BATCH = 20;

/**
 * Nothing of ours tells when a discussion continues as new or falls asleep, so Temporal is asked.
 * A look that fails, or finds more than one round may order, is repeated in the next. An order that
 * fails keeps no other from its turn, and rests for a while.
 *
 * @returns a round of it; several processes at once do no harm; it throws what failed, in the end
 */
export function createDiscussionSweep({ db, listClosed, startArchive }: DiscussionSweepDeps) {
  const ordered = new Map<string, number>();
  let lookedAt: number | null = null;
  return async (now: Date): Promise<void> => {
    if (lookedAt !== null && now.getTime() < lookedAt + POLL_MS) {
      return;
    }
    forgetOld(ordered, now);
    const since = lookedAt === null ? now.getTime() - FIRST_POLL_MS : lookedAt - LATE_MS;
    const runs = await findMissing(db, listClosed(new Date(since)), ordered);
    const failures: unknown[] = [];
    for (const run of runs.slice(0, BATCH)) {
      try {
        await startArchive(run);
        ordered.set(run.runId, now.getTime());
      } catch (error) {
        failures.push(error);
        ordered.set(run.runId, now.getTime() - AGAIN_MS + POLL_MS);
      }
    }
    if (failures.length > 0) {
      throw new AggregateError(failures, `${failures.length} archives could not be ordered`);
    }
    lookedAt = runs.length > BATCH ? lookedAt : now.getTime();
  };
}

function forgetOld(ordered: Map<string, number>, now: Date): void {
  for (const [id, at] of ordered) {
    if (at <= now.getTime() - AGAIN_MS) {
      ordered.delete(id);
    }
  }
}

/** Up to a page of them beyond what one round may order. */
async function findMissing(
  db: Db,
  closed: AsyncIterable<DiscussionRun>,
  ordered: ReadonlyMap<string, number>,
): Promise<readonly OwnedDiscussionRun[]> {
  const missing: OwnedDiscussionRun[] = [];
  let page: DiscussionRun[] = [];
  for await (const run of closed) {
    page.push(...(ordered.has(run.runId) ? [] : [run]));
    if (page.length === PAGE) {
      missing.push(...(await findUnarchivedDiscussions(db, page)));
      page = [];
    }
    if (missing.length > BATCH) {
      return missing;
    }
  }
  return [...missing, ...(await findUnarchivedDiscussions(db, page))];
}
