/**
 * The discussion's questions: a structured answer of a model, else of the rules. An answer that
 * cannot be used is repaired once, as a step of its own. When a provider, a budget or a missing key refuses,
 * the rules answer: silently for the user, visibly in logs and metrics.
 */
import type { z } from 'zod';
import { Context } from '@temporalio/activity';
import { critiquesByRules } from '../../domain/discussion/critique-rules.js';
import { designsByRules } from '../../domain/design/rules.js';
import type { Critique, Design, Intent } from '../../domain/design/designs.js';
import {
  describeQuestion,
  type CritiquesQuestion,
  type DesignsQuestion,
  type IntentQuestion,
  type TurnAnswers,
  type TurnQuestion,
} from '../../domain/discussion/decide.js';
import { critiquePrompt, designPrompt, intentPrompt } from '../../domain/discussion/prompts.js';
import { DomainError } from '../../domain/errors.js';
import { repairStepOf, type ConversationId, type StepId, type UserId } from '../../domain/ids.js';
import { genericQuestion, intentByRules } from '../../domain/discussion/intents.js';
import type { Language } from '../../domain/text/languages.js';
import type { ComplexityClass } from '../../domain/agents/models.js';
import type { Db } from '../../db/connect.js';
import { readTexts } from '../../db/discussions/messages.js';
import { noteCall } from '../../llm/attempt-scope.js';
import { billingContext } from '../../llm/billing/billing-context.js';
import type { Models } from '../../llm/routing/complete.js';
import type { AnswerSchema, ModelRequest, Purpose } from '../../llm/model.js';
import type { Logger } from '../../telemetry/logger.js';
import { CRITIQUES_ANSWER, critiquesAnswer } from '../answers/critiques.js';
import { DESIGNS_ANSWER, designsAnswer } from '../answers/designs.js';
import { INTENT_ANSWER, IntentAnswer } from '../answers/intent.js';
import { repairRequest } from '../answers/repair.js';
import { readAnswer } from '../answers/structured.js';

/** Steps of a turn that began before 0.7.0: what `answerQuestion` does, each as an activity of its own. */
export interface QuestionActivities {
  analyzeIntent(call: StepCall<IntentQuestion>): Promise<{ intent: Intent }>;
  generateDesigns(call: StepCall<DesignsQuestion>): Promise<{ designs: readonly Design[] }>;
  critiqueDesigns(call: StepCall<CritiquesQuestion>): Promise<{ critiques: readonly Critique[] }>;
}

/** A reply is stored once per `stepId`. */
export interface TurnStep {
  readonly stepId: StepId;
  readonly userId: UserId;
  readonly conversationId: ConversationId;
  /** It is known to have no reply, so that none is looked for. */
  readonly isNew?: boolean;
}

type StepCall<Q> = TurnStep & Omit<Q, 'purpose'>;

export interface QuestionDeps {
  readonly db: Db;
  readonly models: Models;
  readonly logger: Logger;
  /** Bounds one vendor call, in milliseconds; a turn's calls are bounded further. */
  readonly modelCallTimeoutMs: number;
  /** Whether this user's calls go to the simulated provider: no key of theirs or ours exists. */
  usesSimulated(userId: UserId): Promise<boolean>;
  /** Names of models that the user's designs may use. */
  listOffers(userId: UserId): Promise<readonly string[]>;
  countFallback(purpose: string, reason: string): void;
}

/** Source: contract, discussion §6. */
const SETTINGS = {
  intent: { complexity: 'simple', temperature: 0.3, maxTokens: 1_024 },
  designs: { complexity: 'standard', temperature: 0.7, maxTokens: 4_096 },
  critiques: { complexity: 'standard', temperature: 0.5, maxTokens: 4_096 },
} as const satisfies Record<
  string,
  { complexity: ComplexityClass; temperature: number; maxTokens: number }
>;

/** A person waits for the answer; past this the rules answer. */
const TURN_CALL_TIMEOUT_MS = 60_000;

export function createQuestionActivities(deps: QuestionDeps): QuestionActivities {
  return {
    analyzeIntent: (call) => analyzeIntent(deps, call, call),
    generateDesigns: (call) => generateDesigns(deps, call, call),
    critiqueDesigns: (call) => critiqueDesigns(deps, call, call),
  };
}

export function answerQuestion(
  deps: QuestionDeps,
  step: TurnStep,
  question: TurnQuestion,
): Promise<TurnAnswers> {
  noteCall(describeQuestion(question));
  switch (question.purpose) {
    case 'intent':
      return analyzeIntent(deps, step, question);
    case 'designs':
      return generateDesigns(deps, step, question);
    case 'critiques':
      return critiqueDesigns(deps, step, question);
  }
}

async function analyzeIntent(
  deps: QuestionDeps,
  step: TurnStep,
  { language, requestIds, memory }: Omit<IntentQuestion, 'purpose'>,
): Promise<{ intent: Intent }> {
  const [texts, simulated] = await Promise.all([
    readTexts(deps.db, requestIds),
    deps.usesSimulated(step.userId),
  ]);
  const request = texts.join('\n\n');
  const answered = await ask(deps, step, {
    simulated,
    purpose: { kind: 'intent', language, request },
    messages: intentPrompt({ texts, memory, language }),
    answer: INTENT_ANSWER,
    schema: IntentAnswer,
  });
  return { intent: withQuestion(answered ?? intentByRules(request, language), language) };
}

async function generateDesigns(
  deps: QuestionDeps,
  step: TurnStep,
  question: Omit<DesignsQuestion, 'purpose'>,
): Promise<{ designs: readonly Design[] }> {
  const { language, intent, previous } = question;
  const [texts, feedback, simulated, models] = await Promise.all([
    readTexts(deps.db, question.requestIds),
    readTexts(deps.db, question.feedbackIds),
    deps.usesSimulated(step.userId),
    deps.listOffers(step.userId),
  ]);
  const request = texts.join('\n\n');
  const answered = await ask(deps, step, {
    simulated,
    purpose: { kind: 'designs', language, request, intent, previous, feedback },
    messages: designPrompt({ ...question, texts, feedback, models }),
    answer: DESIGNS_ANSWER,
    schema: designsAnswer({ sourceHints: intent.source_hints, language }),
  });
  const preferences = [...texts, ...feedback].join('\n');
  return { designs: answered ?? designsByRules(intent, language, preferences) };
}

async function critiqueDesigns(
  deps: QuestionDeps,
  step: TurnStep,
  question: Omit<CritiquesQuestion, 'purpose'>,
): Promise<{ critiques: readonly Critique[] }> {
  const { language, intent, designs } = question;
  const [[feedback = ''], simulated] = await Promise.all([
    readTexts(deps.db, [question.feedbackId]),
    deps.usesSimulated(step.userId),
  ]);
  const answered = await ask(deps, step, {
    simulated,
    purpose: { kind: 'critiques', language, intent, designs, feedback },
    messages: critiquePrompt({ ...question, feedback }),
    answer: CRITIQUES_ANSWER,
    schema: critiquesAnswer(designs),
  });
  return { critiques: answered ?? critiquesByRules(designs, intent, language) };
}

/** A model that finds a request unclear need not say why; the user is still asked. */
function withQuestion(intent: Intent, language: Language): Intent {
  const isMute = intent.needs_clarification && intent.clarification_questions.length === 0;
  return isMute ? { ...intent, clarification_questions: [genericQuestion(language)] } : intent;
}

interface Prompted<T> {
  readonly simulated: boolean;
  readonly purpose: Extract<Purpose, { kind: keyof typeof SETTINGS }>;
  readonly messages: ModelRequest['messages'];
  readonly answer: AnswerSchema;
  readonly schema: z.ZodType<T>;
}

/** @returns null where the rules must answer */
async function ask<T>(
  deps: QuestionDeps,
  step: TurnStep,
  { purpose, messages, answer, schema, simulated }: Prompted<T>,
): Promise<T | null> {
  const request: ModelRequest = {
    ...SETTINGS[purpose.kind],
    purpose,
    messages,
    answer,
    wantedModel: null,
    timeoutMs: Math.min(TURN_CALL_TIMEOUT_MS, deps.modelCallTimeoutMs),
    simulated,
  };
  try {
    const text = await complete(deps, step, request);
    const read = readAnswer(schema, text);
    if (read.kind === 'answer') {
      return read.value;
    }
    const bad = { stepId: step.stepId, text, problems: read.problems };
    const repair = { ...step, stepId: repairStepOf(step.stepId) };
    const repaired = await complete(deps, repair, repairRequest(request, bad, purpose.language));
    const reread = readAnswer(schema, repaired);
    return reread.kind === 'answer'
      ? reread.value
      : useRules(deps, step, purpose, 'unusable-answer');
  } catch (error) {
    if (error instanceof DomainError && error.code !== 'cancelled') {
      return useRules(deps, step, purpose, error.code);
    }
    throw error; // stores that are away, and cancellation: Temporal repeats the activity
  }
}

/** Each call is charged to its own step. */
async function complete(
  { models }: QuestionDeps,
  { stepId, userId, conversationId, isNew = false }: TurnStep,
  request: ModelRequest,
): Promise<string> {
  const { info, cancellationSignal: signal } = Context.current();
  const runId = info.workflowExecution?.runId ?? '';
  const billing = {
    stepId,
    userId,
    conversationId,
    pipelineId: null,
    runId,
    attempt: info.attempt,
  };
  const reply = await billingContext.run(billing, () =>
    models.complete(request, { signal, isNew }),
  );
  return reply.content;
}

function useRules(
  { logger, countFallback }: QuestionDeps,
  { stepId, conversationId }: TurnStep,
  { kind: purpose }: Prompted<unknown>['purpose'],
  reason: string,
): null {
  logger.warn('rules answer instead of a model', { stepId, conversationId, purpose, reason });
  countFallback(purpose, reason);
  return null;
}
