/**
 * Mends what a crash can leave between PostgreSQL and Temporal: runs that were admitted but not
 * started, runs whose workflow is gone, calls that no attempt will settle, users half deleted,
 * ended runs without an archive. Every step may be repeated, so that several workers at once do no harm.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Db } from '../db/connect.js';
import { sweepStaleReservations } from '../db/billing/costs.js';
import { findOpenRuns, readRunById, type UnendedRun } from '../db/runs/runs.js';
import { findUnfinishedDeletions } from '../db/users/user-deletion.js';
import type { PipelineId, UserId } from '../domain/ids.js';
import type { Logger } from '../telemetry/logger.js';

export interface ReconcilerDeps {
  readonly db: Db;
  readonly temporal: {
    /** Starts the run's workflow; that it is there already is no error. */
    startPipeline(run: UnendedRun): Promise<void>;
    /** Repeats the notice to the run's discussion, which alone starts it. */
    signalRunAdmitted(run: UnendedRun): Promise<void>;
    /** Repeats that the run has the slot that it queued for. */
    signalSlotGranted(pipelineId: PipelineId): Promise<void>;
    /** That it has ended meanwhile is no error. */
    cancelRun(pipelineId: PipelineId): Promise<void>;
    /** That it goes on already is no error. */
    startUserDeletion(userId: UserId): Promise<void>;
    /** Runs whose workflow is running; one that has only just begun may be missing. */
    listRunning(): Promise<ReadonlySet<PipelineId>>;
    describe(pipelineId: PipelineId): Promise<'running' | 'closed' | 'missing'>;
  };
  /** Orders archives that are missing. */
  sweepArchives(now: Date): Promise<void>;
  /** Ends a run whose workflow will not, and notifies those who wait for it. */
  closeRun(pipelineId: PipelineId, reason: string): Promise<void>;
  readonly logger: Logger;
  readonly intervalMs: number;
  readonly clock?: () => Date;
}

export interface Reconciler {
  start(): void;
  /** Waits for the round that is under way. */
  stop(): Promise<void>;
  /** One round; failures are logged, and tried again by the next. */
  runOnce(): Promise<void>;
}

/** Younger rows are most likely being started right now. */
const UNSTARTED_MS = 5_000;
/** From this age on, Temporal is asked what became of a run. */
const DOUBTFUL_MS = 10_000;
/** No vendor call lasts so long. */
const STALE_CALL_MS = 15 * 60_000;
/** A run that does not begin is nudged ever more rarely, so that no history fills with notices. */
const MAX_REMINDER_WAIT_MS = 60_000;
/** A run may wait for weeks: whether its workflow is still there is asked this often. */
const WAITING_POLL_MS = 10 * 60_000;
const BATCH = 100;
const SWEEP_BATCH = 500;

interface Reminder {
  readonly againAt: number;
  readonly waitMs: number;
}

export function createReconciler(deps: ReconcilerDeps): Reconciler {
  const reminders = new Map<PipelineId, Reminder>();
  const deletions = new Map<UserId, Reminder>();
  const stopping = new AbortController();
  let loop = Promise.resolve();
  const runOnce = async (): Promise<void> => {
    const now = (deps.clock ?? (() => new Date()))();
    await attempt(deps.logger, 'mending runs failed', () =>
      reconcileRuns({ deps, nudges: reminders, now }),
    );
    await attempt(deps.logger, 'sweeping calls failed', () => sweepCalls(deps, now));
    await attempt(deps.logger, 'ordering archives failed', () => deps.sweepArchives(now));
    const users = { deps, nudges: deletions, now };
    await attempt(deps.logger, 'going on with deletions failed', () => reconcileDeletions(users));
  };
  return {
    runOnce,
    start() {
      loop = repeat(runOnce, deps.intervalMs, stopping.signal);
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

async function repeat(
  work: () => Promise<void>,
  intervalMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await work();
    await pause(intervalMs, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
  }
}

async function attempt(logger: Logger, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    logger.warn(what, { error });
  }
}

interface Round {
  readonly deps: ReconcilerDeps;
  /** By the id of whom or what was nudged. */
  readonly nudges: Map<string, Reminder>;
  readonly now: Date;
}

interface RunRound extends Round {
  /** Asked once in a round, and only if there is somebody to look for. */
  listRunning(): Promise<ReadonlySet<PipelineId>>;
}

async function reconcileRuns(all: Round): Promise<void> {
  const { deps, nudges: reminders, now } = all;
  const round = { ...all, listRunning: once(() => listRunning(deps)) };
  const olderThan = new Date(now.getTime() - UNSTARTED_MS);
  const seen = new Set<PipelineId>();
  let page: readonly UnendedRun[] = [];
  do {
    const afterId = page.at(-1)?.id;
    const after = afterId === undefined ? {} : { afterId };
    page = await findOpenRuns(deps.db, { olderThan, limit: BATCH, ...after });
    for (const run of page) {
      seen.add(run.id);
      const logger = deps.logger.with({ pipelineId: run.id });
      await attempt(logger, 'mending a run failed', () => reconcileRun(round, run));
    }
  } while (page.length === BATCH);
  keepOnly(reminders, seen);
}

/** Without the list each run is asked for. */
async function listRunning({ temporal, logger }: ReconcilerDeps): Promise<ReadonlySet<PipelineId>> {
  try {
    return await temporal.listRunning();
  } catch (error) {
    logger.warn('running workflows cannot be listed', { error });
    return new Set();
  }
}

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | null = null;
  return () => (answer ??= ask());
}

function keepOnly(reminders: Map<string, Reminder>, seen: ReadonlySet<string>): void {
  for (const id of reminders.keys()) {
    if (!seen.has(id)) {
      reminders.delete(id);
    }
  }
}

async function reconcileRun(round: RunRound, run: UnendedRun): Promise<void> {
  const ageMs = round.now.getTime() - run.createdAt.getTime();
  if (run.isOwnerDisabled) {
    await endRun(round, run);
  } else if (run.waitingFor !== null) {
    await reconcileWaiting(round, run);
  } else if (ageMs >= DOUBTFUL_MS) {
    await reconcileDoubtful(round, run);
  } else if (run.status === 'pending') {
    await reminder(round, run);
  }
}

/** The request that disabled the account may not have reached the run. */
async function endRun({ deps }: Round, { id: pipelineId }: UnendedRun): Promise<void> {
  const { temporal, closeRun, logger } = deps;
  logger.info('ending a run of a disabled user', { pipelineId });
  if ((await temporal.describe(pipelineId)) === 'running') {
    await temporal.cancelRun(pipelineId);
  } else {
    await closeRun(pipelineId, 'its owner is disabled');
  }
}

/** A notice may be lost with its sender; a workflow may be terminated while it waits. */
async function reconcileWaiting(round: RunRound, run: UnendedRun): Promise<void> {
  const { deps, nudges: reminders, now } = round;
  const isGranted = run.waitingFor === 'slot' && run.holdsSlot;
  const last = reminders.get(run.id);
  if (last !== undefined && now.getTime() < last.againAt) {
    return;
  }
  const waitMs = isGranted ? MAX_REMINDER_WAIT_MS : WAITING_POLL_MS;
  reminders.set(run.id, { againAt: now.getTime() + waitMs, waitMs });
  await reconcileDoubtful(round, run);
  if (isGranted) {
    await deps.temporal.signalSlotGranted(run.id);
  }
}

async function reconcileDoubtful(round: RunRound, run: UnendedRun): Promise<void> {
  const { db, temporal, closeRun, logger } = round.deps;
  if ((await round.listRunning()).has(run.id)) {
    return;
  }
  const workflow = await temporal.describe(run.id);
  // a workflow that has closed may have ended its run in the meantime
  if (workflow === 'running' || (await readRunById(db, run.id))?.status !== run.status) {
    return;
  }
  if (run.status === 'pending' && workflow === 'missing') {
    await reminder(round, run);
  } else {
    await closeRun(run.id, 'terminated from outside');
    logger.warn('closed a run without a workflow', { pipelineId: run.id, workflow });
  }
}

async function reminder(round: Round, run: UnendedRun): Promise<void> {
  const { temporal, logger } = round.deps;
  await everMoreRarely(round, run.id, async () => {
    await (run.conversationId === null
      ? temporal.startPipeline(run)
      : temporal.signalRunAdmitted(run));
    logger.info('nudged a run that had not begun', { pipelineId: run.id });
  });
}

/** A deletion that was ordered goes on until its user is gone, also where its workflow was terminated. */
async function reconcileDeletions(round: Round): Promise<void> {
  const { deps, nudges: reminders, now } = round;
  const olderThan = new Date(now.getTime() - UNSTARTED_MS);
  const userIds = await findUnfinishedDeletions(deps.db, { olderThan, limit: BATCH });
  for (const userId of userIds) {
    await attempt(deps.logger.with({ userId }), 'starting a deletion failed', () =>
      everMoreRarely(round, userId, () => deps.temporal.startUserDeletion(userId)),
    );
  }
  keepOnly(reminders, new Set(userIds));
}

/** Only what succeeded waits: a notice that failed is repeated in the next round. */
async function everMoreRarely(
  { nudges: reminders, now }: Round,
  id: string,
  tell: () => Promise<void>,
): Promise<void> {
  const last = reminders.get(id);
  if (last !== undefined && now.getTime() < last.againAt) {
    return;
  }
  await tell();
  const waitMs = Math.min(
    MAX_REMINDER_WAIT_MS,
    last === undefined ? UNSTARTED_MS : 2 * last.waitMs,
  );
  reminders.set(id, { againAt: now.getTime() + waitMs, waitMs });
}

async function sweepCalls({ db, logger }: ReconcilerDeps, now: Date): Promise<void> {
  const olderThan = new Date(now.getTime() - STALE_CALL_MS);
  let swept: number;
  do {
    swept = await sweepStaleReservations(db, olderThan, SWEEP_BATCH);
    if (swept > 0) {
      logger.warn('left calls charged whose end is unknown', { calls: swept });
    }
  } while (swept === SWEEP_BATCH);
}
