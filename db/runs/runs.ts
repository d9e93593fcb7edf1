/** The records of runs: opened once, closed once, read by their owner or by the machinery. */
import { sql, type Selectable } from 'kysely';
import { waitDetail, type AgentWait } from '../../domain/run/agent-waits.js';
import type { Design } from '../../domain/design/designs.js';
import { DomainError } from '../../domain/errors.js';
import type { StoredEvent } from '../../domain/events.js';
import { isUuid, type ConversationId, type PipelineId, type UserId } from '../../domain/ids.js';
import type { Language } from '../../domain/text/languages.js';
import { unstartedNodes } from '../../domain/run/pipeline-run.js';
import { checkGraph } from '../../domain/run/pipeline.js';
import { resultOf, type RunOutcome } from '../../domain/run/result-rules.js';
import { readStoredDesign } from '../../domain/design/stored-designs.js';
import {
  isFinal,
  WAIT_DETAILS,
  type BudgetRule,
  type FinalStatus,
  type PipelineResult,
  type PipelineStatusView,
} from '../../domain/run/results.js';
import { listSteps, resultOfStep, type AgentStep } from './agent-steps.js';
import type { Db, Tx } from '../connect.js';
import { UNENDED_STATUSES } from '../index-conditions.js';
import { appending, storedEventsOf, type EventRow, type EventStep } from '../events.js';
import { findLastEvents, storeRunEnd } from './run-end.js';
import type { PipelineExecutionsTable } from '../schema.js';
import { ownerOf } from './active-run-lock.js';

export type RunRecord = Selectable<PipelineExecutionsTable>;

export interface OpenedRun {
  readonly kind: 'opened';
  readonly id: PipelineId;
  readonly design: Design;
  readonly language: Language;
  readonly simulated: boolean;
  readonly onBudget: BudgetRule;
  readonly rerunOf: PipelineId | null;
  readonly reusedNodes: readonly string[];
  readonly conversationId: ConversationId | null;
  readonly userId: UserId;
  readonly startedAt: Date;
  /** What was to be said of it, as stored by this attempt or an earlier one. */
  readonly events: readonly StoredEvent[];
}

export type StoredRun = Omit<OpenedRun, 'kind' | 'startedAt' | 'events'>;

export interface RunStart {
  readonly now: Date;
  /** What to say of the run; default: nothing. */
  readonly stepsOf?: (run: StoredRun) => readonly EventStep[];
}

/**
 * Marks a pending run as running and says so, by one statement; one that runs already is returned as
 * it began. To be run by `retryTransaction`.
 *
 * @throws `not-found`
 */
export async function openRun(
  db: Db | Tx,
  pipelineId: PipelineId,
  { now, stepsOf = () => [] }: RunStart,
): Promise<OpenedRun | { readonly kind: 'already-final'; readonly status: FinalStatus }> {
  const record = await readRunById(db, pipelineId);
  if (record === null) {
    throw new DomainError('not-found', `pipeline ${pipelineId} does not exist`);
  }
  if (isFinal(record.status)) {
    return { kind: 'already-final', status: record.status };
  }
  const run = { ...record, language: languageOfRun(record) };
  const { isRunning, events } = await beginRun(db, run, { now, steps: stepsOf(run) });
  return isRunning
    ? { ...run, kind: 'opened', startedAt: record.startedAt ?? now, events }
    : openRun(db, pipelineId, { now, stepsOf }); // it was begun, ended or removed in between
}

/**
 * Begins a pending run; one that runs already is held against its end, which may be under way.
 *
 * @returns not running: it has changed since it was read
 */
async function beginRun(
  db: Db | Tx,
  { id, conversationId }: Pick<RunRecord, 'id' | 'conversationId'>,
  { now, steps }: { readonly now: Date; readonly steps: readonly EventStep[] },
): Promise<{ readonly isRunning: boolean; readonly events: readonly StoredEvent[] }> {
  const entry = { streamId: conversationId ?? id, conversationId, steps };
  const { rows } = await sql<EventRow & { readonly isRunning: boolean }>`
    with begun as (
      update pipeline_executions set status = 'running', started_at = ${now}::timestamptz
      where id = ${id}::uuid and status = 'pending'
      returning status
    ),
    begun_before as (
      select status from pipeline_executions
      where id = ${id}::uuid and status <> 'pending' for share
    ),
    ${appending(entry, sql`exists (select from begun)`)},
    run as (select * from begun union all select * from begun_before),
    said as (select * from known union all select * from added)
    select exists (select from run where status = 'running') as is_running, said.*
    from (values (1)) as always left join said on true`.execute(db);
  return {
    isRunning: rows.some(({ isRunning }) => isRunning),
    events: storedEventsOf(rows, steps),
  };
}

/**
 * Locks the run's owner, as every change of an active-run lock does, and then the run itself, which
 * excludes its other writers: its opening and its agents' ends.
 */
async function lockRun(tx: Tx, pipelineId: PipelineId): Promise<RunRecord> {
  const run = await tx
    .with('owner', (query) => ownerOf(query, pipelineId))
    .selectFrom('owner')
    .innerJoin('pipelineExecutions', 'pipelineExecutions.userId', 'owner.id')
    .selectAll('pipelineExecutions')
    .where('pipelineExecutions.id', '=', pipelineId)
    .forUpdate('pipelineExecutions')
    .executeTakeFirst();
  if (run === undefined) {
    throw new DomainError('not-found', `pipeline ${pipelineId} does not exist`);
  }
  return readable(run);
}

/** The run with its design as the present release knows it. */
export function readable<Run extends Pick<RunRecord, 'design' | 'designName'>>(run: Run): Run {
  return { ...run, design: readStoredDesign(run.design, run.designName) };
}

export function languageOfRun(run: Pick<RunRecord, 'language'>): Language {
  return run.language === 'ko' ? 'ko' : 'en';
}

export interface RunClosing {
  readonly pipelineId: PipelineId;
  readonly outcome: RunOutcome;
  /** Leave a run alone that has begun. */
  readonly onlyPending?: boolean;
  /** Leave what its agents have made out of the result. */
  readonly isBare?: boolean;
  readonly now: Date;
}

export interface ClosedRun {
  /** `left-running`: nothing was changed; `result` is what it has made so far. */
  readonly kind: 'closed' | 'already-closed' | 'left-running';
  readonly result: PipelineResult;
  /** Its last events as stored, to be sent on. */
  readonly events: readonly StoredEvent[];
  readonly conversationId: ConversationId | null;
  readonly userId: UserId;
  /** The run that has the lock now, to be signalled. */
  readonly grantedTo: PipelineId | null;
}

/**
 * Ends a run: status, result, slot, quota, last events and message row together. A client that sees the
 * events can read the result and start the next run. A closed run is returned as it ended.
 *
 * @throws `not-found`
 */
export async function closeRun(tx: Tx, closing: RunClosing): Promise<ClosedRun> {
  const run = await lockRun(tx, closing.pipelineId);
  const { conversationId, userId } = run;
  if (isFinal(run.status) && run.result !== null) {
    const events = await findLastEvents(tx, run);
    const { result } = run;
    return { kind: 'already-closed', result, events, conversationId, userId, grantedTo: null };
  }
  const result = await resultOfRun(tx, run, closing);
  if (closing.onlyPending === true && run.status !== 'pending') {
    return { kind: 'left-running', result, events: [], conversationId, userId, grantedTo: null };
  }
  const { outcome, now } = closing;
  const ending = { result, outcome, language: languageOfRun(run), now };
  const { events, grantedTo } = await storeRunEnd(tx, run, ending);
  return { kind: 'closed', result, events, conversationId, userId, grantedTo };
}

async function resultOfRun(tx: Tx, run: RunRecord, closing: RunClosing): Promise<PipelineResult> {
  const { outcome, now, isBare = false } = closing;
  const durationMs = run.startedAt === null ? 0 : now.getTime() - run.startedAt.getTime();
  const steps = isBare ? [] : (await listSteps(tx, run.id)).filter(({ seq }) => seq !== null);
  return resultOf({
    designName: run.design.name,
    ...agentsOf(run, steps),
    outcome,
    durationSeconds: Math.max(0, durationMs / 1_000),
    language: languageOfRun(run),
  });
}

/** What its agents have made, and which of them are left. */
function agentsOf({ design, agentWaits }: RunRecord, steps: readonly AgentStep[]) {
  const checked = checkGraph(design);
  const nodes = checked.kind === 'unbuildable' ? [] : checked.graph.nodes;
  const specs = new Map(nodes.map(({ node, position }) => [node, design.agents[position]]));
  const ended = steps.map((step) => ({ node: step.node, result: resultOfStep(step) }));
  const left = nodes.filter(({ node }) => ended.every((step) => step.node !== node));
  const unstarted = checked.kind === 'unbuildable' ? [] : unstartedNodes(checked.graph, steps);
  const documents = ended.filter(({ node }) => specs.get(node)?.output_schema != null);
  return {
    agents: ended.map(({ result }) => result),
    documents: new Set(documents.map(({ result }) => result)),
    waits: left.flatMap(({ node }): readonly AgentWait[] => {
      const wait = agentWaits !== null && Object.hasOwn(agentWaits, node) ? agentWaits[node] : null;
      return wait == null ? [] : [wait];
    }),
    notStarted: unstarted.map((node) => specs.get(node)?.name ?? node),
  };
}

/** Stands in for ids that are none, so that these are looked up like any other. */
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** What the owner may see of a run; null for a missing one as for someone else's. */
export async function readRun(
  db: Db | Tx,
  userId: UserId,
  pipelineId: string,
): Promise<PipelineStatusView | null> {
  const run = await db
    .selectFrom('pipelineExecutions')
    .select(VIEW_COLUMNS)
    .where('id', '=', isUuid(pipelineId) ? pipelineId : NO_ID)
    .where('userId', '=', userId)
    .executeTakeFirst();
  return run === undefined ? null : viewOf(run);
}

const VIEW_COLUMNS = [
  ...(['id', 'status', 'designName', 'startedAt', 'createdAt', 'result'] as const),
  ...(['waitingFor', 'agentWaits', 'language', 'rerunOf'] as const),
] as const;

function viewOf(run: Pick<RunRecord, (typeof VIEW_COLUMNS)[number]>): PipelineStatusView {
  const waitingFor = isFinal(run.status) ? null : run.waitingFor;
  const now = new Date().toISOString();
  const waits = isFinal(run.status)
    ? []
    : Object.values(run.agentWaits ?? {}).filter(({ until }) => until > now);
  const agentsDetail = waits.length === 0 ? null : waitDetail(waits, languageOfRun(run));
  return {
    pipeline_id: run.id,
    status: run.status,
    design_name: run.designName,
    started_at: (run.startedAt ?? run.createdAt).toISOString(),
    result: run.result,
    waiting_for: waitingFor,
    waiting_agents: waits,
    detail: waitingFor === null ? agentsDetail : WAIT_DETAILS[waitingFor],
    rerun_of: run.rerunOf,
  };
}

/** For the machinery, which has no owner to check. */
export async function readRunById(db: Db | Tx, pipelineId: PipelineId): Promise<RunRecord | null> {
  const run = await db
    .selectFrom('pipelineExecutions')
    .selectAll()
    .where('id', '=', isUuid(pipelineId) ? pipelineId : NO_ID)
    .executeTakeFirst();
  return run === undefined ? null : readable(run);
}

const OPEN_RUN_COLUMNS = [
  'id',
  'userId',
  'conversationId',
  'designName',
  'status',
  'createdAt',
  'waitingFor',
  'waitingSince',
  'holdsSlot',
] as const;
export type UnendedRun = Pick<RunRecord, (typeof OPEN_RUN_COLUMNS)[number]> & {
  /** An administrator has shut the account: its runs are to end. */
  readonly isOwnerDisabled: boolean;
};

/** How many runs have not ended. */
export async function countOpenRuns(
  db: Db,
): Promise<Readonly<Record<'pending' | 'running', number>>> {
  const rows = await db
    .selectFrom('pipelineExecutions')
    .select(({ fn }) => ['status', fn.countAll<number>().as('runs')])
    .where('status', 'in', UNENDED_STATUSES)
    .groupBy('status')
    .execute();
  const runsOf = (wanted: string) => rows.find(({ status }) => status === wanted)?.runs ?? 0;
  return { pending: runsOf('pending'), running: runsOf('running') };
}

/**
 * Runs that have not ended, in the order of their ids.
 *
 * @param page `olderThan` bounds when they were admitted; `afterId` is the last page's last id.
 */
export async function findOpenRuns(
  db: Db,
  page: { readonly olderThan: Date; readonly limit: number; readonly afterId?: string },
): Promise<readonly UnendedRun[]> {
  const runs = await db
    .selectFrom('pipelineExecutions')
    .select(OPEN_RUN_COLUMNS)
    .select(({ selectFrom }) =>
      selectFrom('users')
        .select('disabledAt')
        .whereRef('users.id', '=', 'pipelineExecutions.userId')
        .as('ownerDisabledAt'),
    )
    .where('status', 'in', UNENDED_STATUSES)
    .where('createdAt', '<', page.olderThan)
    .where('id', '>', page.afterId ?? NO_ID)
    .orderBy('id')
    .limit(page.limit)
    .execute();
  return runs.map(({ ownerDisabledAt, ...run }) => ({
    ...run,
    isOwnerDisabled: ownerDisabledAt !== null,
  }));
}
