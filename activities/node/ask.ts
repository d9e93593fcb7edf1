/** Asks a model for a node's answer, and once more where the answer is not of the form asked for. */
import { Context, log } from '@temporalio/activity';
import type { ApplicationFailure } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time.js';
import { resultOfStep } from '../../db/runs/agent-steps.js';
import { storeAgentWait } from '../../db/runs/agent-waits.js';
import { findApproval } from '../../db/runs/approvals.js';
import type { Db } from '../../db/connect.js';
import type { NodeEnd } from '../../db/runs/node-ends.js';
import { retryTransaction } from '../../db/transactions.js';
import { waitedFor } from '../../domain/run/agent-waits.js';
import type { AgentFailure } from '../../domain/agents/failures.js';
import { promptFor, type AgentPrompt } from '../../domain/agents/prompts.js';
import { complexityOfModel } from '../../domain/design/complexity.js';
import { numericFieldsOf } from '../../domain/run/conditions.js';
import type { Ledger, StepFailures } from '../../domain/account/costs.js';
import { AGENT_DEFAULTS, type AgentSpec } from '../../domain/design/designs.js';
import { DomainError, failureKind, ServerKeySpent } from '../../domain/errors.js';
import type { StoredEvent } from '../../domain/events.js';
import { isTold } from '../../domain/run/failed-attempts.js';
import { stepIdOf, toStreamId, type StepId, type StreamId } from '../../domain/ids.js';
import type { ChargedReply } from '../../domain/agents/models.js';
import { NODE_STEPS, nodeStepId } from '../../domain/run/node-steps.js';
import type { PromptedKind } from '../../domain/run/pipeline.js';
import type { LiveWriter } from '../../events/live-writer.js';
import { askedSoFar } from '../../llm/attempt-scope.js';
import type { Models } from '../../llm/routing/complete.js';
import type { ModelRequest } from '../../llm/model.js';
import { readBySchema } from '../answers/output-schema.js';
import { repairRequest } from '../answers/repair.js';
import type { Answer } from '../answers/structured.js';
import { retryLater } from '../failures.js';
import type { NodeContext } from './context.js';
import { failed, NO_EFFORT, succeeded, type Effort } from './result.js';

/** A node that a model is asked for. */
export type PromptedContext = NodeContext & { readonly kind: PromptedKind };

export interface AskDeps {
  readonly db: Db;
  readonly models: Models;
  readonly ledger: Pick<Ledger, 'findReply' | 'readFailures'>;
  publish(streamId: StreamId, events: readonly StoredEvent[]): void;
}

/**
 * @param live shows the replies as they come
 * @param notes what the user should know about how the answer came about
 * @throws what is retried, cancellation, and `internal` for a broken run
 */
export async function ask(
  deps: AskDeps,
  context: PromptedContext,
  { live, notes }: { readonly live: LiveWriter; readonly notes: readonly string[] },
): Promise<NodeEnd> {
  const { call, agent, language } = context;
  const prompt = await promptOf(deps.db, context);
  let request = requestOf(context, prompt);
  let effort = NO_EFFORT;
  let problems: readonly string[] = [];
  for (const step of NODE_STEPS) {
    const stepId = nodeStepId(call.stepId, step);
    const asked = await askStep(deps, context, { stepId, request, live });
    effort = withStep(effort, asked);
    if (asked.kind === 'failed') {
      return failed(context, asked.failure, effort);
    }
    const { content, finish } = asked.reply;
    if (finish === 'refused') {
      return failed(context, { code: 'model-refused' }, effort);
    }
    const answer = readAnswer(agent, content);
    if (answer.kind === 'answer') {
      const text = withNotes(answer.value, agent, [...notes, ...prompt.notes]);
      return succeeded(context, text, { ...effort, answered: numericFieldsOf(answer.value) });
    }
    ({ problems } = answer);
    log.warn('an answer does not fit its schema', { ...placeOf(context), step });
    request = repairRequest(request, { stepId, text: content, problems }, language);
  }
  return failed(context, { code: 'answer-invalid', problems }, effort);
}

async function promptOf(db: Db, context: PromptedContext): Promise<AgentPrompt> {
  const approval = context.agent.approval ? await findApproval(db, context.call) : null;
  const upstream = context.upstream.map(resultOfStep);
  const prompt = promptFor({ ...context, upstream, edited: approval?.editedInput ?? null });
  prompt.notes.forEach((note) => {
    log.warn(note, placeOf(context));
  });
  return prompt;
}

function placeOf({ call }: NodeContext) {
  return { pipelineId: call.pipelineId, node: call.node };
}

function requestOf(context: PromptedContext, prompt: AgentPrompt): ModelRequest {
  const { call, design, agent, kind, language, upstream } = context;
  const outputSchema = agent.output_schema ?? null;
  return {
    messages: prompt.messages,
    messagesWithin: prompt.within,
    quoted: upstream.map(({ node, content: text }) => ({
      of: 'output',
      stepId: stepIdOf(call.pipelineId, node),
      text,
    })),
    temperature: agent.temperature,
    maxTokens: agent.max_tokens,
    purpose: {
      kind: 'agent',
      language,
      node: kind,
      agentName: agent.name,
      agentDescription: agent.description,
      designName: design.name,
      designDescription: design.description,
      upstream: upstream.map(resultOfStep),
      ...(outputSchema === null ? {} : { outputSchema }),
    },
    ...(outputSchema === null ? {} : { answer: { name: 'answer', schema: { ...outputSchema } } }),
    wantedModel: agent.llm_model,
    complexity: complexityOfModel(agent.llm_model),
    timeoutMs: call.timeoutMs,
    simulated: call.simulated,
  };
}

function readAnswer({ output_schema: schema }: AgentSpec, text: string): Answer<string> {
  return schema == null ? { kind: 'answer', value: text } : readBySchema(schema, text);
}

/** A note would break a document. */
function withNotes(answer: string, agent: AgentSpec, notes: readonly string[]): string {
  return agent.output_schema == null ? [answer, ...notes].join('\n\n') : answer;
}

/** All replies are paid; the last one says who has answered. */
function withStep(before: Effort, asked: Asked): Effort {
  const attempts = (before.attempts ?? 0) + asked.attempts;
  if (asked.kind === 'failed') {
    return { ...before, attempts };
  }
  const { usage, provider, model, fallbackFrom, finish } = asked.reply;
  return {
    ...before,
    ...{ attempts, provider, model, fallbackFrom },
    tokensUsed: before.tokensUsed + usage.promptTokens + usage.completionTokens,
    truncated: finish === 'length',
  };
}

interface Question {
  readonly stepId: StepId;
  readonly request: ModelRequest;
  readonly live: LiveWriter;
}

/** What asking for one step came to, and after how many attempts. */
type Asked =
  | { readonly kind: 'replied'; readonly attempts: number; readonly reply: ChargedReply }
  | {
      readonly kind: 'failed';
      readonly attempts: number;
      readonly failure: Omit<AgentFailure, 'agentName'>;
    };

async function askStep(deps: AskDeps, context: NodeContext, question: Question): Promise<Asked> {
  const { call, agent, repliedSteps } = context;
  const { stepId, live } = question;
  const { cancellationSignal: signal, info } = Context.current();
  const isFirst = info.attempt === 1 && call.round === undefined;
  const failures = isFirst ? NO_FAILURES : await deps.ledger.readFailures(stepId);
  // a lost attempt may have been the last one; unless its reply has arrived
  if (failures.passes >= maxAttempts(agent) && (await deps.ledger.findReply(stepId)) === null) {
    return exhausted(failures);
  }
  const request = { ...question.request, maxTokens: maxTokensOf(agent, failures) };
  try {
    const reply = await deps.models.complete(request, {
      signal,
      stepId,
      isNew: isFirst && !repliedSteps.includes(stepId),
      beginReply: () => live.beginReply(),
    });
    return { kind: 'replied', attempts: failures.passes + 1, reply };
  } catch (error) {
    if (signal.aborted) {
      throw new DomainError('cancelled', 'the agent was cancelled', { cause: error });
    }
    if (!(error instanceof DomainError)) {
      throw error;
    }
    return endOfFailure(deps, context, { stepId, error, attempts: failures.passes });
  }
}

/**
 * @param failure `attempts`: those that had failed before
 * @returns the step's end by a failure that is final
 * @throws what is retried, and what is no agent's outcome
 */
async function endOfFailure(
  deps: AskDeps,
  context: NodeContext,
  { stepId, error, attempts }: { stepId: StepId; error: DomainError; attempts: number },
): Promise<Asked> {
  const { ledger } = deps;
  const { agent, call } = context;
  const { code } = error;
  if (code === 'over-budget' && call.onBudget === 'pause') {
    throw error; // no outcome: the run waits, and asks again
  }
  switch (failureKind(code)) {
    case 'refused':
      return { kind: 'failed', attempts: attempts + 1, failure: { code } };
    case 'final':
    case 'caller': {
      const isServerKeySpent = error instanceof ServerKeySpent;
      return { kind: 'failed', attempts, failure: { code, isServerKeySpent } };
    }
    case 'attempt': {
      const failures = await ledger.readFailures(stepId);
      if (failures.passes >= maxAttempts(agent)) {
        return exhausted(failures);
      }
      const later = retryLater(error, Math.min(MAX_WAIT_MS, 1_000 * 2 ** failures.passes));
      throw await noteWait(deps, context, { failure: later, last: failures.last });
    }
    case 'retried': {
      if (code !== 'model-on-hold') {
        throw error;
      }
      const later = retryLater(error, ON_HOLD_MS);
      const { last } = await ledger.readFailures(stepId);
      throw await noteWait(deps, context, { failure: later, last });
    }
    case 'broken':
      throw error;
  }
}

/**
 * Shows the run's owner which providers the agent waits for; a note that cannot be stored changes nothing.
 *
 * @returns the failure, to be thrown
 */
async function noteWait(
  deps: AskDeps,
  context: NodeContext,
  wait: { failure: ApplicationFailure; last: StepFailures['last'] },
): Promise<ApplicationFailure> {
  try {
    await storeWait(deps, context, wait);
  } catch (error) {
    const { pipelineId, node } = context.call;
    log.warn('that an agent waits could not be noted', { pipelineId, node, error });
  }
  return wait.failure;
}

/** An event says so, too, where no provider was called. */
async function storeWait(
  { db, publish }: AskDeps,
  { call, agent }: NodeContext,
  { failure, last }: { failure: ApplicationFailure; last: StepFailures['last'] },
): Promise<void> {
  const { pipelineId, conversationId, node, round = 0 } = call;
  const { attempt } = Context.current().info;
  const wait = {
    agent_name: agent.name,
    node,
    until: new Date(Date.now() + msToNumber(failure.nextRetryDelay ?? 0)).toISOString(),
    providers: waitedFor(askedSoFar(), last),
  };
  const isAnnounced = failure.type === 'model-on-hold' && isTold(attempt);
  const stepKey = isAnnounced ? `agent-waits:${pipelineId}:${node}:${round}:${attempt}` : null;
  const note = { pipelineId, conversationId, wait, stepKey };
  const events = await retryTransaction(() => storeAgentWait(db, note));
  if (events.length > 0) {
    publish(toStreamId(call), events);
  }
}

const MAX_WAIT_MS = 30_000;
/** Shortest wait of an attempt that asked no provider: it does not count, so only the run ends it. */
const ON_HOLD_MS = 1_000;

const NO_FAILURES: StepFailures = { passes: 0, emptyAnswers: 0, last: null };

function exhausted({ passes: attempts, last }: StepFailures): Asked {
  const code = last?.code === 'model-empty' ? 'model-empty' : 'attempts-exhausted';
  return { kind: 'failed', attempts, failure: { code, attempts, cause: last } };
}

/** 0 and 1 both mean one attempt. Source: contract, pipeline §3.1. */
function maxAttempts({ retry_count }: AgentSpec): number {
  return Math.max(1, retry_count);
}

/** Every listed model writes at least four times the default. */
const MAX_TOKENS_FACTOR = 4;

/** An answer without a text may have reached its cap; only a cap that no user named is raised. */
function maxTokensOf(agent: AgentSpec, { emptyAnswers }: StepFailures): number {
  const isOurs = agent.max_tokens_named !== true && agent.max_tokens === AGENT_DEFAULTS.max_tokens;
  return agent.max_tokens * (isOurs ? Math.min(MAX_TOKENS_FACTOR, 2 ** emptyAnswers) : 1);
}
