import { DomainError } from '../../domain/errors.js';
import { isFinal, type PipelineStatusView } from '../../domain/run/results.js';
import type { Admission, AppDeps } from '../deps.js';
import type { SignedInUser } from '../http/route.js';
import { BASE_PATH } from '../http/routing.js';

/** An end that takes longer than the run's own limit is not waited for. */
const WAIT_SLACK_MS = 30_000;

export interface Waiter {
  readonly user: SignedInUser;
  readonly signal: AbortSignal;
  header(name: string): string;
}

export type RunReply =
  | { readonly status: 200; readonly body: PipelineStatusView }
  | {
      readonly status: 202;
      readonly body: PipelineStatusView;
      readonly headers: Readonly<Record<string, string>>;
    };

/**
 * Answers an order of a run: when the run has ended, or at once where the client prefers that, or
 * when the run begins to wait for somebody. A client that hangs up never stops a run.
 */
export async function awaitRun(
  deps: Pick<AppDeps, 'workflows' | 'config'>,
  admission: Admission,
  waiter: Waiter,
): Promise<RunReply> {
  if (admission.kind === 'refused') {
    throw admission.error;
  }
  const { pipelineId } = admission;
  const run = wantsAsync(waiter)
    ? await readNow(deps, waiter.user, pipelineId)
    : await deps.workflows.waitForEnd(pipelineId, {
        waitMs: deps.config.pipelineTimeoutMs + WAIT_SLACK_MS,
        signal: waiter.signal,
      });
  if (isFinal(run.status)) {
    return { status: 200, body: run };
  }
  const headers = { Location: `${BASE_PATH}/pipelines/${pipelineId}/status` };
  return { status: 202, body: run, headers };
}

/** Source: RFC 7240 §4.1. */
function wantsAsync(waiter: Waiter): boolean {
  const preferences = waiter.header('Prefer').split(/[,;]/);
  return preferences.some((preference) => preference.trim().toLowerCase() === 'respond-async');
}

async function readNow(
  { workflows }: Pick<AppDeps, 'workflows'>,
  user: SignedInUser,
  pipelineId: string,
): Promise<PipelineStatusView> {
  const run = await workflows.readPipeline(user.id, pipelineId);
  if (run === null) {
    // its owner was deleted meanwhile
    throw new DomainError('not-found', 'Pipeline run not found');
  }
  return run;
}
