/** What a run writes when it waits: for a person, a budget, a pause, or its slot. */
import type { Db, Tx } from '../../db/connect.js';
import { storeEnd } from '../../db/runs/node-ends.js';
import { isRunOpen, listSteps, resultOfStep } from '../../db/runs/agent-steps.js';
import { decideApproval, requestApproval, type ApprovalRow } from '../../db/runs/approvals.js';
import { appendEvents, findEvents, type EventStep } from '../../db/events.js';
import { languageOfRun, readRunById, type RunRecord } from '../../db/runs/runs.js';
import { lockOwner, suspendRun, takeSlot } from '../../db/runs/active-run-lock.js';
import { inTransaction } from '../../db/transactions.js';
import { agentFailureText } from '../../domain/agents/failures.js';
import { DomainError } from '../../domain/errors.js';
import { missingLine, missingOf } from '../../domain/run/missing.js';
import type { StoredEvent } from '../../domain/events.js';
import { stepIdOf, toStreamId, type PipelineId, type StreamId } from '../../domain/ids.js';
import { upstreamOf, type ApprovalRule } from '../../domain/run/pipeline.js';
import { isFinal, type WaitReason } from '../../domain/run/results.js';
import { NO_EFFORT, toNodeResult, type NodeResult } from '../node/result.js';

/** One short transaction each, safe to repeat, also by an attempt that comes late. */
export interface RunWaitActivities {
  /**
   * Asks the owner to agree to a node that is ready; asked before, it changes nothing. A run that
   * was ended from outside asks no one: its deadline has passed.
   */
  askForApproval(call: ApprovalCall & ApprovalRule): Promise<{ readonly deadlineMs: number }>;
  /**
   * Takes what the owner has said, or without an offer what the deadline means; the first decision
   * stays. A rejected node's end is stored with its `agent_completed`.
   */
  takeDecision(call: ApprovalCall & { readonly offerId: string | null }): Promise<Decision>;
  /** Gives the slot back and says why the run waits. `round` counts the waits of the run. */
  parkRun(call: WaitCall & { readonly reason: WaitReason }): Promise<void>;
  /** Takes the active-run lock again, or queues for it: then a signal says that the run has it. */
  unparkRun(call: WaitCall): Promise<{ readonly kind: 'taken' | 'queued' | 'ended' }>;
}

/** Records that must be written in every case (see `toApplicationFailure`). */
export const RUN_WAIT_RECORDS: readonly string[] = [
  'askForApproval',
  'takeDecision',
  'parkRun',
  'unparkRun',
] satisfies (keyof RunWaitActivities)[];

export interface ApprovalCall {
  readonly pipelineId: PipelineId;
  readonly node: string;
  /** Index in `design.agents`. */
  readonly position: number;
}

export type Decision =
  | { readonly kind: 'approved' }
  /** `receipt` is what histories of all releases call the rejected node's result. */
  | { readonly kind: 'rejected'; readonly receipt: NodeResult }
  /** The offer was none: nothing is decided. */
  | { readonly kind: 'ignored' };

export interface WaitCall {
  readonly pipelineId: PipelineId;
  readonly round: number;
}

export interface RunWaitDeps {
  readonly db: Db;
  readonly now: () => Date;
  publish(streamId: StreamId, events: readonly StoredEvent[]): void;
  /** Tells a run that the slot it queues for is its own now. */
  tellSlotGranted(pipelineId: PipelineId): Promise<void>;
}

export function createRunWaitActivities(deps: RunWaitDeps): RunWaitActivities {
  return {
    askForApproval: (call) => ask(deps, call),
    takeDecision: (call) => take(deps, call),
    parkRun: (call) => park(deps, call),
    unparkRun: (call) => resumeRun(deps, call),
  };
}

async function ask(deps: RunWaitDeps, call: ApprovalCall & ApprovalRule) {
  const { pipelineId, node, position, timeoutMs, onTimeout } = call;
  const { deadlineMs, events, streamId } = await inTransaction(deps.db, async (tx) => {
    const run = await readRunOrThrow(tx, pipelineId);
    if (!(await isRunOpen(tx, pipelineId))) {
      return { deadlineMs: 0, events: [], streamId: pipelineId };
    }
    const requestedAt = deps.now();
    const approval = await requestApproval(tx, {
      ...{ pipelineId, node, onTimeout, requestedAt },
      agentName: run.design.agents[position]?.name ?? node,
      input: await inputOf(tx, run, node),
      deadline: new Date(requestedAt.getTime() + timeoutMs),
    });
    const events = await append(tx, run, {
      stepKey: `approval:${pipelineId}:${node}:asked`,
      event: {
        type: 'approval_requested',
        pipeline_id: pipelineId,
        node,
        agent_name: approval.agentName,
        deadline: approval.deadline.toISOString(),
        on_timeout: onTimeout,
      },
    });
    const deadlineMs = approval.deadline.getTime();
    return { deadlineMs, events, streamId: toStreamId({ ...run, pipelineId }) };
  });
  deps.publish(streamId, events);
  return { deadlineMs };
}

/** What the agents before it have made, as the owner reads it and may edit it. */
async function inputOf(tx: Tx, run: RunRecord, node: string) {
  const { id: pipelineId, design } = run;
  const steps = await listSteps(tx, pipelineId);
  const upstream = upstreamOf(steps, design, node).map(resultOfStep);
  const made = upstream.filter(({ status }) => status === 'success');
  const texts = made.map((it) => `## ${it.agent_name} (${it.role})\n\n${it.content}`);
  const [only, ...others] = made;
  const input = only !== undefined && others.length === 0 ? only.content : texts.join('\n\n');
  const language = languageOfRun(run);
  const line = missingLine(missingOf(upstream, language), language);
  const isDocument = /^\s*[[{]/.test(input); // conditions look into it: nothing may stand before
  return line === null || isDocument ? input : `${line}\n\n${input}`;
}

async function take(
  deps: RunWaitDeps,
  call: ApprovalCall & { readonly offerId: string | null },
): Promise<Decision> {
  const { pipelineId, node, offerId } = call;
  const { decision, events, streamId } = await inTransaction(deps.db, async (tx) => {
    const run = await readRunOrThrow(tx, pipelineId);
    const streamId = toStreamId({ ...run, pipelineId });
    const isOpen = await isRunOpen(tx, pipelineId);
    const approval = isOpen
      ? await decideApproval(tx, { pipelineId, node, offerId, now: deps.now() })
      : null;
    if (approval === null) {
      return { decision: { kind: 'ignored' } as const, events: [], streamId };
    }
    const said = await sayDecision(tx, run, approval);
    const { decision, events } = await settleDecision(tx, { run, call, approval });
    return { decision, events: [...said, ...events], streamId };
  });
  deps.publish(streamId, events);
  return decision;
}

async function sayDecision(
  tx: Tx,
  run: RunRecord,
  { node, agentName, state, decidedBy }: ApprovalRow,
): Promise<readonly StoredEvent[]> {
  return state === 'approved' || state === 'rejected'
    ? append(tx, run, {
        stepKey: `approval:${run.id}:${node}:decided`,
        event: {
          type: 'approval_decided',
          pipeline_id: run.id,
          node,
          agent_name: agentName,
          decision: state,
          decided_by: decidedBy === null ? 'deadline' : 'user',
        },
      })
    : [];
}

interface Deciding {
  readonly run: RunRecord;
  readonly call: ApprovalCall;
  readonly approval: ApprovalRow;
}

async function settleDecision(
  tx: Tx,
  { run, call, approval }: Deciding,
): Promise<{ decision: Decision; events: readonly StoredEvent[] }> {
  switch (approval.state) {
    case 'approved':
      return { decision: { kind: 'approved' }, events: [] };
    case 'wanted':
    case 'withdrawn':
      return { decision: { kind: 'ignored' }, events: [] };
    case 'rejected': {
      const { step, events } = await failRejected(tx, { run, call, approval });
      return { decision: { kind: 'rejected', receipt: toNodeResult(step) }, events };
    }
  }
}

async function failRejected(tx: Tx, { run, call, approval }: Deciding) {
  const { pipelineId, node, position } = call;
  const language = languageOfRun(run);
  const { agentName, comment } = approval;
  const text = agentFailureText({ agentName, code: 'approval-rejected' }, language);
  const { conversationId } = run;
  return storeEnd(
    tx,
    {
      ...NO_EFFORT,
      id: stepIdOf(pipelineId, node),
      ...{ pipelineId, node, agentName },
      role: run.design.agents[position]?.role ?? '',
      status: 'failed',
      content: '',
      error: comment === null || comment === '' ? text : `${text}: ${comment}`,
      errorCode: 'approval-rejected',
      durationSeconds: 0,
      fields: {},
      paidSteps: [],
      reusedFrom: null,
    },
    conversationId,
  );
}

async function park(
  deps: RunWaitDeps,
  { pipelineId, round, reason }: WaitCall & { readonly reason: WaitReason },
): Promise<void> {
  const step: EventStep = {
    stepKey: `wait:${pipelineId}:${round}:${reason}`,
    event: { type: 'pipeline_waiting', pipeline_id: pipelineId, reason },
  };
  const { grantedTo, events, streamId } = await inTransaction(deps.db, async (tx) => {
    const { run, streamId, known } = await readWait(tx, pipelineId, [step]);
    if (known.length > 0) {
      return { grantedTo: null, events: known, streamId };
    }
    const parked = await suspendRun(tx, { pipelineId, reason, now: deps.now() });
    return parked.kind === 'ended'
      ? { grantedTo: null, events: [], streamId }
      : { grantedTo: parked.grantedTo, events: await append(tx, run, step), streamId };
  });
  deps.publish(streamId, events);
  if (grantedTo !== null) {
    await deps.tellSlotGranted(grantedTo);
  }
}

async function resumeRun(deps: RunWaitDeps, { pipelineId, round }: WaitCall) {
  const stepOf = (kind: 'taken' | 'queued'): EventStep => ({
    stepKey: `wait:${pipelineId}:${round}:${kind}`,
    event:
      kind === 'taken'
        ? { type: 'pipeline_resumed', pipeline_id: pipelineId }
        : { type: 'pipeline_waiting', pipeline_id: pipelineId, reason: 'slot' },
  });
  const { kind, events, streamId } = await inTransaction(deps.db, async (tx) => {
    const steps = [stepOf('taken'), stepOf('queued')];
    const { run, streamId, known } = await readWait(tx, pipelineId, steps);
    const told = known.at(-1); // an older version may have stored two
    if (told !== undefined && !isFinal(run.status)) {
      const kind = told.type === 'pipeline_resumed' ? 'taken' : 'queued';
      return { kind, events: known, streamId } as const;
    }
    const kind = await takeSlot(tx, { pipelineId, now: deps.now() });
    const events = kind === 'ended' ? [] : await append(tx, run, stepOf(kind));
    return { kind, events, streamId };
  });
  deps.publish(streamId, events);
  return { kind };
}

/**
 * Locks the run's owner. What an earlier attempt has told is `known`: then its slot is left alone,
 * since an attempt that was given up may come so late that the run is in another round.
 */
async function readWait(tx: Tx, pipelineId: PipelineId, steps: readonly EventStep[]) {
  await lockOwner(tx, pipelineId);
  const run = await readRunOrThrow(tx, pipelineId);
  const streamId = toStreamId({ ...run, pipelineId });
  const stepKeys = steps.map(({ stepKey }) => stepKey);
  return { run, streamId, known: await findEvents(tx, streamId, stepKeys) };
}

async function append(
  tx: Tx,
  { id: pipelineId, conversationId }: RunRecord,
  step: EventStep,
): Promise<readonly StoredEvent[]> {
  const streamId = toStreamId({ pipelineId, conversationId });
  return appendEvents(tx, { streamId, conversationId, steps: [step] });
}

async function readRunOrThrow(tx: Tx, pipelineId: PipelineId): Promise<RunRecord> {
  const run = await readRunById(tx, pipelineId);
  if (run === null) {
    throw new DomainError('not-found', `pipeline ${pipelineId} does not exist`);
  }
  return run;
}
