/**
 * What the API has workflows do: it starts and signals them, and reads what they stored.
 * A message is accepted when Temporal has acknowledged its signal; a run, when its row is there.
 */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { KeySources } from '../../db/runs/admission.js';
import { findChatAccess } from '../../db/discussions/chat-access.js';
import type { Db } from '../../db/connect.js';
import { readDiscussion } from '../../db/discussions/discussions.js';
import { readRun } from '../../db/runs/runs.js';
import { DomainError } from '../../domain/errors.js';
import type { ConversationId, PipelineId } from '../../domain/ids.js';
import { isFinal, type BudgetRule, type PipelineStatusView } from '../../domain/run/results.js';
import type { Bus } from '../../events/bus.js';
import { requestArchivesOfRuns } from '../../temporal/client/archives.js';
import {
  notifyRunAdmitted,
  sendMessage,
  type ChatMessage,
  type Discussions,
  type RunOfDiscussion,
} from '../../temporal/client/discussions.js';
import { readRunLiveness, startRun } from '../../temporal/client/runs.js';
import type { Starter } from '../../temporal/client/start-options.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Admission, Workflows } from '../deps.js';
import { validateKey } from '../routes/llm-keys/key-check.js';
import { admit } from './admission.js';
import { createRunControl } from './control.js';
import { endRun, releaseRun } from './end.js';
import { requestUserDeletion } from '../auth/user-deletion.js';
import { waitForEnd } from './wait-for-end.js';

export interface WorkflowsDeps {
  readonly db: Db;
  readonly bus: Bus;
  readonly redis: Redis;
  readonly temporal: Discussions;
  readonly keySources: KeySources;
  readonly logger: Logger;
  /** Ends blocking calls when the process is about to stop. */
  readonly stopping: AbortSignal;
}

export interface Chat {
  /** Resolves once Temporal has acknowledged the message; repeat it with the same id until then. */
  sendMessage(message: ChatMessage, timeoutMs: number): Promise<void>;
}

export function createWorkflows(deps: WorkflowsDeps): Workflows & Chat {
  return {
    ...createRunControl(deps),
    sendMessage: (message, timeoutMs) => sendMessage(deps.temporal, message, timeoutMs),
    async startPipeline(request) {
      const pipelineId = randomUUID();
      const admission = await admit(deps, { ...request, pipelineId, conversationId: null });
      if (admission.kind === 'admitted') {
        await startNow(deps, { ...request, pipelineId, designName: request.design.name });
      }
      return admission;
    },
    runConfirmed: (request) => runConfirmed(deps, request),
    waitForEnd: (pipelineId, { waitMs, signal }) =>
      waitForEnd(deps, pipelineId, {
        waitMs,
        signal: AbortSignal.any([signal, deps.stopping]),
      }),
    readPipeline: (userId, pipelineId) => readRun(deps.db, userId, pipelineId),
    cancelPipeline: (userId, pipelineId) => cancelPipeline(deps, userId, pipelineId),
    readLiveness: (pipelineId) => readRunLiveness(deps.temporal, pipelineId),
    releaseRun: (pipelineId) => releaseRun(deps, pipelineId),
    requestArchives: () => requestArchives(deps),
    validateKey: (request) => validateKey(deps, request),
    startUserDeletion: (userId) => requestUserDeletion(deps, userId),
  };
}

/** A start that fails is not lost: the row is there, and the reconciler starts it. */
async function startNow(
  deps: WorkflowsDeps,
  run: Starter & { pipelineId: PipelineId; designName: string },
): Promise<void> {
  try {
    await startRun(deps.temporal, run);
  } catch (error) {
    const { pipelineId } = run;
    deps.logger.warn('a run waits for the reconciler', { pipelineId, error });
  }
}

async function runConfirmed(
  deps: WorkflowsDeps,
  request: Starter & { conversationId: ConversationId; onBudget?: BudgetRule },
): Promise<Admission> {
  const { conversationId, userId } = request;
  const access = await findChatAccess(deps.db, conversationId, userId);
  if (access === null) {
    throw new DomainError('not-found', 'Conversation not found');
  }
  const discussion = await readDiscussion(deps.db, conversationId);
  const state = discussion?.talk ?? null;
  if (state?.machine.state !== 'plan' || state.selected === null) {
    throw new DomainError('nothing-confirmed', 'No design has been confirmed in this conversation');
  }
  const pipelineId = randomUUID();
  const { selected: design, language } = state;
  const admission = await admit(deps, { ...request, pipelineId, design, language });
  if (admission.kind === 'admitted') {
    await notifyAdmitted(deps, { ...request, pipelineId });
  }
  return admission;
}

/** A signal that fails is not lost: the reconciler repeats it. */
async function notifyAdmitted(deps: WorkflowsDeps, run: RunOfDiscussion): Promise<void> {
  try {
    await notifyRunAdmitted(deps.temporal, run);
  } catch (error) {
    const { pipelineId } = run;
    deps.logger.warn('an admitted run waits for the reconciler', { pipelineId, error });
  }
}

/** A request that fails is not lost: a worker archives what has ended within a minute. */
async function requestArchives({ temporal, logger }: WorkflowsDeps): Promise<void> {
  try {
    await requestArchivesOfRuns(temporal);
  } catch (error) {
    logger.warn('archives wait for a quiet time', { error });
  }
}

async function cancelPipeline(
  deps: WorkflowsDeps,
  userId: string,
  pipelineId: PipelineId,
): Promise<{ kind: 'asked' | 'already-ended'; view: PipelineStatusView } | null> {
  const view = await readRun(deps.db, userId, pipelineId);
  if (view === null) {
    return null;
  }
  if (isFinal(view.status)) {
    return { kind: 'already-ended', view };
  }
  await endRun(deps, { pipelineId: view.pipeline_id, userId }); // as it is stored, however it was asked for
  return { kind: 'asked', view };
}
