/** What an owner may tell a run that works or waits: signals, after a look at its record. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import {
  findApproval,
  insertOffer,
  listApprovals,
  type ApprovalOffer,
  type ApprovalRow,
} from '../db/approvals.js';
import type { Db } from '../db/connect.js';
import { readRun } from '../db/pipelines.js';
import { findRunsOnBudget } from '../db/slots.js';
import { DomainError } from '../domain/errors.js';
import type { PipelineId, UserId } from '../domain/ids.js';
import { previewOf } from '../domain/previews.js';
import { isFinal, type PipelineStatusView } from '../domain/results.js';
import { comparable } from '../domain/storable-text.js';
import {
  decideApproval,
  notifyBudgetChanged,
  notifySlotGranted,
  pauseRun,
  resumeRun,
} from '../temporal/client/runs.js';
import type { Temporal } from '../temporal/client/timeouts.js';
import type { Logger } from '../telemetry/logger.js';

export interface RunControlDeps {
  readonly db: Db;
  readonly temporal: Temporal;
  readonly logger: Logger;
}

export type OfferOrder = Omit<ApprovalOffer, 'id'>;

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
   * Tells a run what its owner has decided, and waits a little for it to be recorded.
   *
   * @returns the approval, still `wanted` if the run has not recorded it yet
   * @throws `not-found`, `run-ended`, `nothing-to-approve`, `unavailable`
   */
  offerDecision(order: OfferOrder): Promise<ApprovalRow>;
  /** Tells a run that the slot it queues for is its own now; where that fails, the reconciler does. */
  tellSlotGranted(pipelineId: PipelineId): Promise<void>;
  /** Lets the user's runs that wait for a budget, or are about to, look again. */
  tellBudgetChanged(userId: UserId): Promise<void>;
}

/** How long a request waits for the run to have taken a decision. */
const RECORD_WAIT_MS = 5_000;
const RECORD_POLL_MS = 50;

export function createRunControl(deps: RunControlDeps): RunControl {
  return {
    pauseRun: (userId, pipelineId) => steer(deps, { userId, pipelineId }, pauseRun),
    resumeRun: (userId, pipelineId) => steer(deps, { userId, pipelineId }, resumeRun),
    offerDecision: (order) => offer(deps, order),
    tellSlotGranted: (pipelineId) => tryToNotify(deps, pipelineId, notifySlotGranted),
    async tellBudgetChanged(userId) {
      for (const pipelineId of await findRunsOnBudget(deps.db, userId)) {
        await tryToNotify(deps, pipelineId, notifyBudgetChanged);
      }
    },
  };
}

type Send = (temporal: Temporal, pipelineId: PipelineId) => Promise<void>;

async function tryToNotify(
  { temporal, logger }: RunControlDeps,
  pipelineId: PipelineId,
  notify: Send,
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
  send: Send,
): Promise<PipelineStatusView | null> {
  const view = await readRun(deps.db, userId, pipelineId);
  if (view === null) {
    return null;
  }
  requireOpen(view);
  await reach(() => send(deps.temporal, view.pipeline_id));
  return view;
}

function requireOpen({ status }: PipelineStatusView): void {
  if (isFinal(status)) {
    throw new DomainError('run-ended', `The run has ended: ${status}`);
  }
}

async function offer(deps: RunControlDeps, order: OfferOrder): Promise<ApprovalRow> {
  const { userId } = order;
  const view = await readRun(deps.db, userId, order.pipelineId);
  if (view === null) {
    throw new DomainError('not-found', 'Pipeline run not found');
  }
  requireOpen(view);
  const pipelineId = view.pipeline_id; // as it is stored, however it was asked for
  const asked = await findAsked(deps.db, { pipelineId, node: order.node });
  if (asked?.state !== 'wanted') {
    throw nothingToApprove(order.node, asked);
  }
  const { node } = asked;
  const id = randomUUID();
  await insertOffer(deps.db, { ...order, pipelineId, node, id });
  await reach(() => decideApproval(deps.temporal, pipelineId, { node, offerId: id }));
  const approval = await untilDecided(deps.db, { pipelineId, node });
  if (approval.state !== 'wanted' && approval.offerId !== id) {
    throw nothingToApprove(node, approval); // somebody, or the deadline, was quicker
  }
  return approval;
}

type NodeKey = Pick<ApprovalOffer, 'pipelineId' | 'node'>;

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

async function untilDecided(db: Db, key: NodeKey): Promise<ApprovalRow> {
  const deadline = Date.now() + RECORD_WAIT_MS;
  for (;;) {
    const approval = await findApproval(db, key);
    if (approval === null) {
      throw new DomainError('not-found', 'Pipeline run not found'); // deleted in between
    }
    if (approval.state !== 'wanted' || Date.now() > deadline) {
      return approval;
    }
    await pause(RECORD_POLL_MS);
  }
}

/** @throws `unavailable` while Temporal is away, or while the run has not begun */
async function reach(send: () => Promise<void>): Promise<void> {
  try {
    await send();
  } catch (cause) {
    throw new DomainError(
      'unavailable',
      cause instanceof WorkflowNotFoundError
        ? 'The run does not work now: it is about to begin or to end, try again'
        : 'The run cannot be reached now, try again',
      { cause, retryAfterSeconds: 1 },
    );
  }
}
