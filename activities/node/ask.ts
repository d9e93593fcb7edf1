/** Asks a model on an agent's behalf; once more where the answer is not of the form asked for. */
import { Context, log } from '@temporalio/activity';
import { promptFor, type AgentPrompt } from '../../domain/agent-prompts.js';
import { complexityOfModel } from '../../domain/complexity.js';
import { numericFieldsOf } from '../../domain/conditions.js';
import type { Ledger, StepFailures } from '../../domain/costs.js';
import { AGENT_DEFAULTS, type AgentSpec } from '../../domain/designs.js';
import { DomainError, ServerKeySpent, type ErrorCode } from '../../domain/errors.js';
import { repairStepOf, stepIdOf, type StepId } from '../../domain/ids.js';
import type { ChargedReply } from '../../domain/models.js';
import type { AgentResult } from '../../domain/results.js';
import { findApproval } from '../../db/approvals.js';
import type { Db } from '../../db/connect.js';
import type { CompleteOptions, Models } from '../../llm/metered.js';
import type { ModelRequest } from '../../llm/model.js';
import { failedAgent, type AgentOutcome, type AgentTask, type PromptedTask } from './context.js';
import { readBySchema } from '../answers/output-schema.js';
import { repairRequest } from '../answers/repair.js';
import type { Answer } from '../answers/structured.js';
import { isRetried, retryLater } from '../failures.js';
import { priorsAmong } from '../../db/prior-results.js';

export interface AskDeps {
  readonly db: Db;
  readonly models: Models;
  readonly ledger: Pick<Ledger, 'findReply' | 'readFailures'>;
  readonly beginReply?: CompleteOptions['beginReply'];
}

/** What a step of asking came to; a repair is a step of its own, with its own tries. */
type Asked =
  | { readonly kind: 'replied'; readonly reply: ChargedReply; readonly passes: number }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly passes: number;
      readonly isServerKeySpent?: boolean;
      readonly last?: StepFailures['last'];
    };

interface Question {
  readonly stepId: StepId;
  readonly request: ModelRequest;
}

/** @throws what is to be retried, cancellation, and `internal` for a broken run */
export async function askModel(
  deps: AskDeps,
  task: PromptedTask,
  notes: readonly string[],
): Promise<AgentOutcome> {
  const { call, agent, design } = task;
  const priors = priorsAmong(task.steps, { ...call, design });
  const approval = agent.approval ? await findApproval(deps.db, call) : null;
  const prompt = promptFor({ ...task, priors, edited: approval?.editedInput ?? null });
  prompt.notes.forEach((note) => {
    log.warn(note, { pipelineId: call.pipelineId, node: call.node });
  });
  const request = requestOf(task, prompt, priors);
  const first = await ask(deps, task, { stepId: call.stepId, request });
  const asked = [first];
  let answer = readReply(task, first);
  if (first.kind === 'replied' && answer?.kind === 'unusable') {
    log.warn('an answer is to be repaired', { pipelineId: call.pipelineId, node: call.node });
    const { stepId } = call;
    const bad = { stepId, text: first.reply.content, problems: answer.problems };
    const repair = repairRequest(request, bad, task.language);
    const second = await ask(deps, task, { stepId: repairStepOf(call.stepId), request: repair });
    asked.push(second);
    answer = readReply(task, second);
  }
  return outcomeOf(task, asked, { answer, notes: [...notes, ...prompt.notes] });
}

/** @returns null where there is nothing to read */
function readReply({ agent }: AgentTask, asked: Asked): Answer<string> | null {
  if (asked.kind === 'failed' || asked.reply.finish === 'refused') {
    return null;
  }
  const { content } = asked.reply;
  return agent.output_schema == null
    ? { kind: 'answer', value: content }
    : readBySchema(agent.output_schema, content);
}

function outcomeOf(
  task: AgentTask,
  asked: readonly Asked[],
  { answer, notes }: { readonly answer: Answer<string> | null; readonly notes: readonly string[] },
): AgentOutcome {
  const spent = spentOn(asked);
  const last = asked.at(-1);
  if (last?.kind === 'failed') {
    const { code, passes: attempts, isServerKeySpent, last: cause } = last;
    return failedAgent(task, { code, attempts, isServerKeySpent, cause }, spent);
  }
  if (answer === null) {
    return failedAgent(task, { code: 'model-refused' }, spent);
  }
  if (answer.kind === 'unusable') {
    return failedAgent(task, { code: 'answer-invalid', problems: answer.problems }, spent);
  }
  return {
    ...spent,
    unread: [],
    agent: task.agent,
    status: 'success',
    errorCode: null,
    error: null,
    // a note would make a document no document any more
    content: [answer.value, ...(task.agent.output_schema == null ? notes : [])].join('\n\n'),
    answered: numericFieldsOf(answer.value),
  };
}

/** All replies are paid; the last one tells who has answered. */
function spentOn(asked: readonly Asked[]) {
  const replies = asked.flatMap((one) => (one.kind === 'replied' ? [one.reply] : []));
  const last = replies.at(-1);
  return {
    tokensUsed: replies.reduce(
      (sum, { usage }) => sum + usage.promptTokens + usage.completionTokens,
      0,
    ),
    attempts: asked.reduce((sum, { passes }) => sum + passes, 0),
    provider: last?.provider ?? null,
    model: last?.model ?? null,
    fallbackFrom: last?.fallbackFrom ?? null,
    truncated: last?.finish === 'length',
  };
}

/** 0 and 1 both mean one attempt. Source: contract, pipeline §3.1. */
function attemptsOf({ retry_count }: AgentSpec): number {
  return Math.max(1, retry_count);
}

async function ask(deps: AskDeps, task: AgentTask, question: Question): Promise<Asked> {
  const { cancellationSignal: signal, info } = Context.current();
  const { stepId } = question;
  const isFirst = info.attempt === 1 && task.call.round === undefined;
  const failures = isFirst ? NO_FAILURES : await deps.ledger.readFailures(stepId);
  // an attempt that was lost may have been the last one; unless its reply has arrived
  if (failures.passes >= attemptsOf(task.agent) && (await deps.ledger.findReply(stepId)) === null) {
    return exhausted(failures);
  }
  try {
    const { beginReply } = deps;
    const isNew = isFirst && stepId === task.call.stepId && !task.hasReply;
    const maxTokens = capOf(task.agent, failures.emptyAnswers);
    const request = { ...question.request, maxTokens };
    const reply = await deps.models.complete(request, { signal, stepId, beginReply, isNew });
    return { kind: 'replied', reply, passes: failures.passes + 1 };
  } catch (error) {
    if (signal.aborted) {
      throw new DomainError('cancelled', 'the agent was cancelled', { cause: error });
    }
    return settleFailure(deps, task, { stepId, passes: failures.passes, error });
  }
}

const NO_FAILURES: StepFailures = { passes: 0, emptyAnswers: 0, last: null };

function exhausted({ passes, last }: StepFailures): Asked {
  const code = last?.code === 'model-empty' ? 'model-empty' : 'attempts-exhausted';
  return { kind: 'failed', code, passes, last };
}

/** Every listed model writes at least four times the default. */
const MAX_CAP_FACTOR = 4;

/** An answer without a text may have reached its cap; only a cap that no user named is raised. */
function capOf(agent: AgentSpec, emptyAnswers: number): number {
  const isOurs = agent.max_tokens_named !== true && agent.max_tokens === AGENT_DEFAULTS.max_tokens;
  return agent.max_tokens * (isOurs ? Math.min(MAX_CAP_FACTOR, 2 ** emptyAnswers) : 1);
}

function requestOf(
  { call, design, agent, kind, language, steps }: PromptedTask,
  prompt: AgentPrompt,
  priors: readonly AgentResult[],
): ModelRequest {
  const outputSchema = agent.output_schema ?? null;
  return {
    messages: prompt.messages,
    messagesWithin: prompt.within,
    quoted: steps.map(({ node, content: text }) => ({
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
      priors,
      ...(outputSchema === null ? {} : { outputSchema }),
    },
    ...(outputSchema === null ? {} : { answer: { name: 'answer', schema: { ...outputSchema } } }),
    wantedModel: agent.llm_model,
    complexity: complexityOfModel(agent.llm_model),
    timeoutMs: call.timeoutMs,
    simulated: call.simulated,
  };
}

/** Failures of a model that count against `retry_count`. */
const COUNTED: readonly ErrorCode[] = [
  'model-unavailable',
  'model-rate-limited',
  'model-timeout',
  'model-empty',
];
/** A vendor was asked, and will never answer. */
const REFUSED: readonly ErrorCode[] = [
  'model-key-refused',
  'model-credit-exhausted',
  'model-region-refused',
  'model-blocked',
  'model-request-invalid',
];
/** No agent's doing: the run itself is broken. */
const BROKEN_RUN: readonly ErrorCode[] = ['internal', 'not-found', 'cancelled'];
const MAX_WAIT_MS = 30_000;
/** Shortest wait of an attempt that asked nobody: it counts as no pass, so only the run ends it. */
const ON_HOLD_MS = 1_000;

async function settleFailure(
  { ledger }: AskDeps,
  { agent, call }: AgentTask,
  { stepId, passes, error }: { stepId: StepId; passes: number; error: unknown },
): Promise<Asked> {
  if (!(error instanceof DomainError) || BROKEN_RUN.includes(error.code)) {
    throw error;
  }
  const { code } = error;
  if (code === 'over-budget' && call.onBudget === 'pause') {
    throw error; // no outcome: the run waits, and asks again
  }
  if (!isRetried(code)) {
    const isServerKeySpent = error instanceof ServerKeySpent;
    const failed = passes + (REFUSED.includes(code) ? 1 : 0);
    return { kind: 'failed', code, passes: failed, isServerKeySpent };
  }
  if (!COUNTED.includes(code)) {
    throw code === 'model-on-hold' ? retryLater(error, ON_HOLD_MS) : error;
  }
  const failures = await ledger.readFailures(stepId);
  if (failures.passes >= attemptsOf(agent)) {
    return exhausted(failures);
  }
  throw retryLater(error, Math.min(MAX_WAIT_MS, 1_000 * 2 ** failures.passes));
}
