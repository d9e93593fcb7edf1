/** A run that has ended as its bundle: records, history, and the code that decided it. */
import type { PayloadCodec } from '@temporalio/common';
import type { PayloadReader } from '../temporal/payload-codec.js';
import type { RunRecords } from '../db/audit/run-records.js';
import { pipelineWorkflowId } from '../domain/ids.js';
import { codeVersionIn, type CodeVersion } from '../temporal/code-version.js';
import type { ClosedHistory } from '../temporal/client/archives.js';
import { makeBundle, type MadeBundle } from './bundle.js';
import type { CodeNote, ContentEntry, HistoryState } from './contents.js';
import { readableHistory, type HistoryEvent } from './history.js';
import { recordEntries } from './records.js';
import type { Signer } from './signing.js';

export interface ArchivingDeps {
  readonly codec: PayloadCodec & PayloadReader;
  readonly signer: Signer;
  /** The code of this process. */
  readonly code: CodeVersion;
}

type Closed = Exclude<ClosedHistory, { kind: 'open' }>;

export async function bundleOf(
  deps: ArchivingDeps,
  records: RunRecords,
  { closed, now }: { closed: Closed; now: Date },
): Promise<MadeBundle> {
  const events = closed.kind === 'closed' ? await readableHistory(closed.history, deps.codec) : [];
  const ending = {
    ...{ events, now, state: stateOf(closed, records) },
    workflowId: pipelineWorkflowId(records.run.id),
    runId: closed.kind === 'missing' ? null : closed.runId,
  };
  return makeBundle([...recordEntries(records), ...endEntries(deps, ending)], deps.signer);
}

export interface Ending {
  readonly events: readonly HistoryEvent[];
  readonly state: HistoryState;
  readonly workflowId: string;
  readonly runId: string | null;
  readonly now: Date;
}

/** What every bundle ends with: code, history, and the archive itself. */
export function endEntries(
  { code }: ArchivingDeps,
  { events, state, workflowId, runId, now }: Ending,
): readonly ContentEntry[] {
  return [
    { kind: 'code', data: events.length === 0 ? null : noteOf(codeIn(events) ?? code) },
    {
      kind: 'history',
      data: { state, workflow_id: workflowId, run_id: runId, events: events.length },
    },
    ...events.map((event) => ({ kind: 'event' as const, data: { ...event } })),
    { kind: 'archive', data: { archived_at: now.toISOString(), archived_by: noteOf(code) } },
  ];
}

function stateOf({ kind }: Closed, { run }: RunRecords): HistoryState {
  switch (kind) {
    case 'closed':
      return 'archived';
    case 'too-large':
      return 'too-large';
    case 'missing':
      return run.startedAt === null ? 'none' : 'lost'; // a run is started by its workflow
  }
}

/** The code that took the last decision: it replays the whole history, also one that earlier code began. */
function codeIn(events: readonly HistoryEvent[]): CodeVersion | null {
  const deciders = events.map(({ workflowTaskCompletedEventAttributes: task }) =>
    codeVersionIn(typeof task === 'object' && task !== null ? Reflect.get(task, 'identity') : null),
  );
  return deciders.findLast((code) => code !== null) ?? null;
}

function noteOf({ version, workflowBundle }: CodeVersion): CodeNote {
  return { version, workflow_bundle: workflowBundle };
}
