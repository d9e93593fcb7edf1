/**
 * Executes one node of a run: reads what it needs, takes over an earlier answer, collects or asks, and
 * stores its end.
 */
import { ApplicationFailure, Context, log } from '@temporalio/activity';
import { findStep, findStepOrThrow, type AgentStep } from '../../db/runs/agent-steps.js';
import { findApproval } from '../../db/runs/approvals.js';
import { storeEnd, type NodeEnd } from '../../db/runs/node-ends.js';
import { retryTransaction } from '../../db/transactions.js';
import { designInjection } from '../../domain/agents/prompts.js';
import type { AllowedAddress } from '../../domain/security/allowed-addresses.js';
import { sourceUrlsOf } from '../../domain/collector/sources.js';
import { COLLECTOR_AWAY } from '../../domain/collector/texts.js';
import { numericFieldsOf } from '../../domain/run/conditions.js';
import { DomainError } from '../../domain/errors.js';
import { adviceOf } from '../../domain/agents/failure-advice.js';
import { stepIdOf, toStreamId, type PipelineId } from '../../domain/ids.js';
import { unreadSource } from '../../domain/collector/unread-sources.js';
import type { LiveWriter, OpenLiveWriter } from '../../events/live-writer.js';
import { askedSoFar } from '../../llm/attempt-scope.js';
import { ask, type AskDeps } from './ask.js';
import { collect } from './collect.js';
import { createCollector, type Collector } from './collector-client.js';
import { readContext, type NodeCall, type NodeContext } from './context.js';
import { failed, NO_EFFORT, succeeded, toNodeResult, type NodeResult } from './result.js';

export interface NodeActivities {
  /**
   * Executes one node of a run. Its end is stored once per `stepId` together with its
   * `agent_completed` event, and found by retries; a reply that has arrived is never paid twice.
   *
   * @returns the result of an agent that succeeded; texts stay in PostgreSQL.
   * @throws for a failed agent: a final failure whose type is the agent's error code and whose
   *   first detail is its result. `model-unavailable`, `model-rate-limited`, `model-timeout`
   *   while attempts are left and `unavailable` while a store is away are retried.
   */
  runAgent(call: NodeCall): Promise<NodeResult>;
}

export interface NodeDeps extends AskDeps {
  /** `DATA_COLLECTOR_URL` */
  readonly collectorUrl: string;
  /** Absent or null: the collector asks for none. */
  readonly collectorSecret?: string | null;
  /** Private hosts that collectors may read nevertheless; default: none. */
  readonly collectorAllowed?: readonly AllowedAddress[];
  readonly openLive: OpenLiveWriter;
}

export function createNodeActivities(deps: NodeDeps): NodeActivities {
  const collector = createCollector({
    baseUrl: deps.collectorUrl,
    secret: deps.collectorSecret ?? null,
    allowed: deps.collectorAllowed ?? [],
  });
  return { runAgent: (call) => runNode({ ...deps, collector }, call) };
}

type RunningDeps = NodeDeps & { readonly collector: Collector };

async function runNode(deps: RunningDeps, call: NodeCall): Promise<NodeResult> {
  const { db } = deps;
  const context = await readContext(db, call);
  if (context.hasEnded) {
    return resultOrFailure(await findStepOrThrow(db, call.stepId));
  }
  const { reuseFrom } = call;
  const end =
    reuseFrom === undefined ? await execute(deps, context) : await reuse(deps, call, reuseFrom);
  const { step, events } = await retryTransaction(() => storeEnd(db, end, call.conversationId));
  if (events.length > 0) {
    deps.publish(toStreamId(call), events);
  }
  return resultOrFailure(step);
}

/**
 * Stores another run's answer as this run's own: nothing is asked, nothing is paid, and conditions
 * see what they saw then.
 *
 * @throws `not-found` when that run has been deleted: asking anew would cost what its owner did not order
 */
async function reuse(
  { db }: RunningDeps,
  { pipelineId, node, stepId: id }: NodeCall,
  reusedFrom: PipelineId,
): Promise<NodeEnd> {
  const source = await findStep(db, stepIdOf(reusedFrom, node));
  if (source?.status !== 'success') {
    throw new DomainError('not-found', `pipeline ${reusedFrom} has no answer of ${node}`);
  }
  const { seq: _seq, endedAt: _endedAt, cost: _cost, ...answer } = source;
  const free = { tokensUsed: 0, durationSeconds: 0, paidSteps: [] };
  return { ...answer, id, pipelineId, node, ...free, reusedFrom };
}

/** @throws what is retried, cancellation, and `internal` or `not-found` for a broken run */
async function execute(deps: RunningDeps, context: NodeContext): Promise<NodeEnd> {
  const { call, design, kind, language } = context;
  const patterns = designInjection(design);
  if (patterns.length > 0) {
    const { pipelineId } = call;
    log.warn('possible prompt injection in a design', { pipelineId, patterns });
    return failed(context, { code: 'prompt-injection' });
  }
  if (kind === 'approval') {
    // a decision makes nothing of its own: what was agreed to goes on
    const approval = await findApproval(deps.db, call);
    const input = approval?.editedInput ?? approval?.input ?? '';
    return succeeded(context, input, { ...NO_EFFORT, answered: numericFieldsOf(input) });
  }
  const live = showStart(deps.openLive, context);
  try {
    const urls = kind === 'collector' ? sourceUrlsOf(design, call.position) : [];
    if (urls.length === 0) {
      return await ask(deps, { ...context, kind }, { live, notes: [] });
    }
    const collected = await collect(deps, context, urls);
    if (collected !== null) {
      return collected;
    }
    const notes = [COLLECTOR_AWAY[language]];
    const planned = await ask(deps, { ...context, kind }, { live, notes });
    const unreadSources = urls.map((url) => unreadSource(url, { kind: 'unreachable' }));
    return { ...planned, unreadSources };
  } finally {
    await live.end();
  }
}

/** Shows in the stream of its run that the agent is at work. */
function showStart(openLive: OpenLiveWriter, { call, agent }: NodeContext): LiveWriter {
  const { pipelineId, conversationId, node, timeoutMs } = call;
  return openLive({
    streamId: toStreamId(call),
    silenceMs: timeoutMs,
    started: {
      pipeline_id: pipelineId,
      agent_name: agent.name,
      node,
      role: agent.role,
      model: agent.llm_model,
      attempt: Context.current().info.attempt,
      ...(conversationId === null ? {} : { conversation_id: conversationId }),
    },
  });
}

/** @throws the failed agent's failure, on every attempt in the same way */
function resultOrFailure(step: AgentStep): NodeResult {
  const result = toNodeResult(step);
  if (step.status === 'success') {
    return result;
  }
  const { pipelineId, node, errorCode } = step;
  log.warn('agent failed', { pipelineId, node, errorCode });
  const code = errorCode ?? 'internal';
  const asked = askedSoFar();
  throw ApplicationFailure.nonRetryable(adviceOf(code), code, {
    ...result,
    ...(asked.length === 0 ? {} : { asked }),
  });
}
