/** What an owner may ask of a run that works or waits: updates, after a look at its row. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import {
  findApproval,
  insertResponse,
  listApprovals,
  type ApprovalResponse,
  type ApprovalRow,
} from '../../db/runs/approvals.js';
import type { Db } from '../../db/connect.js';
import { readRun } from '../../db/runs/runs.js';
import { findRunsOnBudget } from '../../db/runs/active-run-lock.js';
import { DomainError } from '../../domain/errors.js';
import type { PipelineId, UserId } from '../../domain/ids.js';
import { previewOf } from '../../domain/text/previews.js';
import { isFinal, type PipelineStatusView } from '../../domain/run/results.js';
import { comparable } from '../../domain/text/storable-text.js';
import {
  notifyBudgetChanged,
  notifySlotGranted,
  pauseRun,
  resumeRun,
  sendDecision,
  type Answer,
} from '../../temporal/client/runs.js';
import {
  DECISION_POLL_MS,
  DECISION_RECORDED_TIMEOUT_MS,
  type Temporal,
} from '../../temporal/client/timeouts.js';
import type { Logger } from '../../telemetry/logger.js';

export interface RunControlDeps {
  readonly db: Db;
  readonly temporal: Temporal;
  readonly logger: Logger;
}

export type DecisionRequest = Omit<ApprovalResponse, 'id'>;

export interface RunControl {
  /**
   * No further node begins; calls in flight end and are kept.
   *
   * @returns null for a missing run as for someone else's
   * @throws `run-ended`, `unavailable`
   */
  pauseRun(userId: UserId, pipelineId: PipelineId): Promise<PipelineStatusView | null>;
  resumeRun(userId: UserId, pipelineId: PipelineId): Promise<PipelineStatusView | null>;
  /**
   * Stores what the owner has decided, and has the run record it.
   *
   * @returns the approval, still `wanted` where no worker is there to record it: the run gets it later
   * @throws `not-found`, `run-ended`, `nothing-to-approve`, `unavailable`
   */
  decideApproval(request: DecisionRequest): Promise<ApprovalRow>;
  /** Tells a run that the slot it queues for is its own now; where that fails, the reconciler does. */
  tellSlotGranted(pipelineId: PipelineId): Promise<void>;
  /** Lets the user's runs that wait for a budget, or are about to, look again. */
  tellBudgetChanged(userId: UserId): Promise<void>;
}

export function createRunControl(deps: RunControlDeps): RunControl {
  return {
    pauseRun: (userId, pipelineId) => steer(deps, { userId, pipelineId }, pauseRun),
    resumeRun: (userId, pipelineId) => steer(deps, { userId, pipelineId }, resumeRun),
    decideApproval: (request) => decide(deps, request),
    tellSlotGranted: (pipelineId) => tryToNotify(deps, pipelineId, notifySlotGranted),
    async tellBudgetChanged(userId) {
      for (const pipelineId of await findRunsOnBudget(deps.db, userId)) {
        await tryToNotify(deps, pipelineId, notifyBudgetChanged);
      }
    },
  };
}

async function tryToNotify(
  { temporal, logger }: RunControlDeps,
  pipelineId: PipelineId,
  notify: typeof notifySlotGranted,
): Promise<void> {
  try {
    await notify(temporal, pipelineId);
  } catch (error) {
    logger.warn('a run was not notified', { pipelineId, error });
  }
}

async function steer(
  deps: RunControlDeps,
  { userId, pipelineId }: { userId: UserId; pipelineId: PipelineId },
  ask: typeof pauseRun,
): Promise<PipelineStatusView | null> {
  const view = await readRun(deps.db, userId, pipelineId);
  if (view === null) {
    return null;
  }
  requireOpen(view);
  const { pipeline_id } = view;
  if (
    (await reach(deps, { userId, pipelineId }, () => ask(deps.temporal, pipeline_id))) === 'ended'
  ) {
    throw new DomainError('run-ended', 'The run has ended');
  }
  return view;
}

function requireOpen({ status }: PipelineStatusView): void {
  if (isFinal(status)) {
    throw new DomainError('run-ended', `The run has ended: ${status}`);
  }
}

async function decide(deps: RunControlDeps, request: DecisionRequest): Promise<ApprovalRow> {
  const { userId } = request;
  const view = await readRun(deps.db, userId, request.pipelineId);
  if (view === null) {
    throw new DomainError('not-found', 'Pipeline run not found');
  }
  requireOpen(view);
  const pipelineId = view.pipeline_id; // as it is stored, however it was asked for
  const asked = await findAsked(deps.db, { pipelineId, node: request.node });
  if (asked?.state !== 'wanted') {
    throw nothingToApprove(request.node, asked);
  }
  const { node } = asked;
  const offerId = randomUUID();
  await insertResponse(deps.db, { ...request, pipelineId, node, id: offerId });
  const answer = await reach(deps, { userId, pipelineId }, () =>
    sendDecision(deps.temporal, pipelineId, { node, offerId }),
  );
  const approval = await readApproval(deps.db, { pipelineId, node }, answer);
  if (approval.state !== 'wanted' && approval.offerId !== offerId) {
    throw nothingToApprove(node, approval); // somebody, or the deadline, was quicker
  }
  if (approval.state === 'wanted' && answer === 'ignored') {
    throw nothingToApprove(node, null);
  }
  if (approval.state === 'wanted' && answer === 'ended') {
    throw new DomainError('run-ended', 'The run has ended');
  }
  return approval;
}

type NodeKey = Pick<ApprovalResponse, 'pipelineId' | 'node'>;

/** The node of exactly that name, else of one that is spelled with the same letters in another way. */
async function findAsked(db: Db, key: NodeKey): Promise<ApprovalRow | null> {
  const { pipelineId, node } = key;
  const exact = await findApproval(db, key);
  const isSame = (row: ApprovalRow): boolean => comparable(row.node) === comparable(node);
  return exact ?? (await listApprovals(db, pipelineId)).find(isSame) ?? null;
}

function nothingToApprove(node: string, asked: ApprovalRow | null): DomainError {
  const how = asked === null ? 'does not wait for an approval' : `is ${asked.state} already`;
  return new DomainError('nothing-to-approve', `The node "${previewOf(node)}" ${how}`);
}

/** The row says what became of a decision. Of one that went as a signal it does so a little later. */
async function readApproval(db: Db, key: NodeKey, answer: Answer): Promise<ApprovalRow> {
  const deadline = Date.now() + (answer === 'sent' ? DECISION_RECORDED_TIMEOUT_MS : 0);
  for (;;) {
    const approval = await findApproval(db, key);
    if (approval === null) {
      throw new DomainError('not-found', 'Pipeline run not found'); // deleted in between
    }
    if (approval.state !== 'wanted' || Date.now() >= deadline) {
      return approval;
    }
    await pause(DECISION_POLL_MS);
  }
}

/** @throws `run-ended`; `unavailable` while Temporal is away, or while the run has not begun */
async function reach(
  { db }: RunControlDeps,
  { userId, pipelineId }: { userId: UserId; pipelineId: PipelineId },
  ask: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await ask();
  } catch (cause) {
    const view = await readRun(db, userId, pipelineId);
    if (view !== null) {
      requireOpen(view); // it has closed in between
    }
    throw new DomainError(
      'unavailable',
      cause instanceof WorkflowNotFoundError
        ? 'The run does not work now: it is about to begin or to end, try again'
        : 'The run cannot be reached now, try again',
      { cause, retryAfterSeconds: 1 },
    );
  }
}
