/** The nightly removal of what has outlived its age; how old that is, the activity knows. */
import {
  continueAsNew,
  isCancellation,
  log,
  setCurrentDetails,
  setWorkflowOptions,
  workflowInfo,
} from '@temporalio/workflow';
import { RETENTION_KINDS, type RetentionKind } from '../../domain/account/retention.js';
import type { Pruning } from '../../activities/maintenance/retention.js';
import { maintenance } from '../activity-proxies.js';
import { describeError, failNow, MISTAKES } from '../failures.js';

/** Carried over continue-as-new; a night begins with none, or with an empty one. */
export interface RetentionInput {
  readonly left?: readonly RetentionKind[];
  readonly removed?: Removed;
  /** Kinds of which something cannot be removed: a mistake of ours. */
  readonly failed?: readonly RetentionKind[];
}

export type Removed = Readonly<Partial<Record<RetentionKind, number>>>;

const MAX_HISTORY_EVENTS = 200;

/**
 * @returns how many of each kind were removed; kinds of which nothing was are left out
 * @throws `internal` at the end where a kind could not be removed: it keeps no other from it
 */
export async function retentionWorkflow(input: RetentionInput = {}): Promise<Removed> {
  const { left: kinds = RETENTION_KINDS, removed: before = {}, failed: lost = [] } = input;
  const [left, failed] = [[...kinds], [...lost]];
  let removed = before;
  for (let kind = left[0]; kind !== undefined; kind = left[0]) {
    const slice = await prune(kind);
    removed = withMore(removed, kind, slice.removed);
    if (slice.isDone) {
      left.shift();
    }
    if (slice.isBroken) {
      failed.push(kind);
    }
    setCurrentDetails(detailsOf(removed, left));
    if (left.length > 0 && historyIsLong()) {
      await continueAsNew<typeof retentionWorkflow>({ left, removed, failed });
    }
  }
  failIfAny(failed);
  log.info('retention ended', { removed });
  return removed;
}

setWorkflowOptions({ failureExceptionTypes: MISTAKES }, retentionWorkflow);

function failIfAny(failed: readonly RetentionKind[]): void {
  if (failed.length > 0) {
    failNow('internal', `could not remove all ${failed.join(', ')}: look into the worker's log`);
  }
}

/** `isBroken`: it fails for good, and is done with for tonight. */
async function prune(kind: RetentionKind): Promise<Pruning & { readonly isBroken: boolean }> {
  try {
    const slice = await maintenance.prune.executeWithOptions({ summary: `remove ${kind}` }, [
      { kind },
    ]);
    return { ...slice, isBroken: false };
  } catch (error) {
    if (isCancellation(error)) {
      throw error;
    }
    log.error('retention failed', { kind, ...describeError(error) });
    return { removed: 0, isDone: true, isBroken: true };
  }
}

function withMore(removed: Removed, kind: RetentionKind, rows: number): Removed {
  return rows === 0 ? removed : { ...removed, [kind]: (removed[kind] ?? 0) + rows };
}

function historyIsLong(): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > MAX_HISTORY_EVENTS;
}

function detailsOf(removed: Removed, left: readonly RetentionKind[]): string {
  const rows = Object.entries(removed).map(([kind, count]) => `| ${kind} | ${count} |`);
  return [
    '**Removes what has outlived its age**',
    ['| removed | rows |', '| --- | --- |', ...rows].join('\n'),
    `**Left** ${left.join(', ') || '–'}`,
  ].join('\n\n');
}
