/** The nightly removal of what has outlived its age; how old that is, the activity knows. */
import { continueAsNew, log, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import { RETENTION_KINDS, type RetentionKind } from '../domain/retention.js';
import { upkeep } from './activity-proxies.js';

/** Carried over continue-as-new; a night begins with neither. */
export interface RetentionInput {
  readonly left: readonly RetentionKind[];
  readonly removed: Removed;
}

export type Removed = Readonly<Partial<Record<RetentionKind, number>>>;

const MAX_HISTORY_EVENTS = 200;

/** @returns how many of each kind were removed; kinds of which nothing was are left out */
export async function retentionWorkflow(input?: RetentionInput): Promise<Removed> {
  const left = [...(input?.left ?? RETENTION_KINDS)];
  let removed = input?.removed ?? {};
  for (let kind = left[0]; kind !== undefined; kind = left[0]) {
    const slice = await upkeep.prune.executeWithOptions({ summary: `remove ${kind}` }, [{ kind }]);
    removed = withMore(removed, kind, slice.removed);
    if (slice.isDone) {
      left.shift();
    }
    setCurrentDetails(detailsOf(removed, left));
    if (left.length > 0 && historyIsLong()) {
      await continueAsNew<typeof retentionWorkflow>({ left, removed });
    }
  }
  log.info('retention ended', { removed });
  return removed;
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
