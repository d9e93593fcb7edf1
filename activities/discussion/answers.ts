/** The discussion's three agents: a structured answer from a model, else the rules. */
import type { z } from 'zod';
import { Context } from '@temporalio/activity';
import { critiquesByRules } from '../../domain/critique-rules.js';
import { designsByRules } from '../../domain/design-rules.js';
import type { Critique, Design, Intent } from '../../domain/designs.js';
import { critiquePrompt, designPrompt, intentPrompt } from '../../domain/discussion-prompts.js';
import { DomainError } from '../../domain/errors.js';
import {
  repairStepOf,
  type ConversationId,
  type MessageId,
  type StepId,
  type UserId,
} from '../../domain/ids.js';
import { genericQuestion, intentByRules } from '../../domain/intents.js';
import type { Language } from '../../domain/languages.js';
import type { ComplexityClass } from '../../domain/models.js';
import type { Db } from '../../db/connect.js';
import { readTexts } from '../../db/messages.js';
import type { Models } from '../../llm/routing/complete.js';
import type { AnswerSchema, ModelRequest, Purpose } from '../../llm/model.js';
import type { Logger } from '../../telemetry/logger.js';
import { CRITIQUES_ANSWER, critiquesAnswer } from '../answers/critiques.js';
import { DESIGNS_ANSWER, designsAnswer } from '../answers/designs.js';
import { INTENT_ANSWER, IntentAnswer } from '../answers/intent.js';
import { repairRequest } from '../answers/repair.js';
import { readAnswer } from '../answers/structured.js';

/**
 * A reply is stored once per `stepId`. One that cannot be used is repaired once, as a step of its
 * own. Whatever a vendor, a budget or a missing key refuses, the
 * rules answer instead: silently for the user, visibly in logs and metrics.
 */
export interface DesignActivities {
  analyzeIntent(call: DesignCall): Promise<{ intent: Intent; by: AnsweredBy }>;
  generateDesigns(
    call: DesignCall & {
      readonly intent: Intent;
      readonly previous: readonly Design[];
      readonly feedbackIds: readonly MessageId[];
    },
  ): Promise<{ designs: readonly Design[]; by: AnsweredBy }>;
  critiqueDesigns(
    call: DesignCall & {
      readonly intent: Intent;
      readonly designs: readonly Design[];
      readonly feedbackId: MessageId;
    },
  ): Promise<{ critiques: readonly Critique[]; by: AnsweredBy }>;
}

export type AnsweredBy = 'model' | 'rules';

export interface DesignCall {
  readonly stepId: StepId;
  readonly userId: UserId;
  readonly conversationId: ConversationId;
  readonly language: Language;
  /** The messages that together are the request. */
  readonly requestIds: readonly MessageId[];
  /** What is agreed and remembered, as text for the prompt. */
  readonly memory: string;
}

export interface DesignDeps {
  readonly db: Db;
  readonly models: Models;
  readonly logger: Logger;
  /** Bounds one vendor call, in milliseconds; a turn's calls are bounded further. */
  readonly modelCallTimeoutMs: number;
  /** Whether this user's calls go to the simulated provider: no key of theirs or ours exists. */
  usesSimulated(userId: UserId): Promise<boolean>;
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

export function createDesignActivities(deps: DesignDeps): DesignActivities {
  return {
    async analyzeIntent(call) {
      const { language } = call;
      const [texts, simulated] = await Promise.all([
        readTexts(deps.db, call.requestIds),
        deps.usesSimulated(call.userId),
      ]);
      const request = texts.join('\n\n');
      const answered = await ask(deps, call, {
        purpose: { kind: 'intent', language, request },
        messages: intentPrompt({ texts, memory: call.memory, language }),
        answer: INTENT_ANSWER,
        schema: IntentAnswer,
        simulated,
      });
      const intent = answered ?? intentByRules(request, language);
      return { intent: withQuestion(intent, language), by: answeredBy(answered) };
    },
    async generateDesigns(call) {
      const { language, intent, previous } = call;
      const [texts, feedback, simulated] = await Promise.all([
        readTexts(deps.db, call.requestIds),
        readTexts(deps.db, call.feedbackIds),
        deps.usesSimulated(call.userId),
      ]);
      const request = texts.join('\n\n');
      const answered = await ask(deps, call, {
        purpose: { kind: 'designs', language, request, intent, previous, feedback },
        messages: designPrompt({ ...call, texts, feedback }),
        answer: DESIGNS_ANSWER,
        schema: designsAnswer({ sourceHints: intent.source_hints, language }),
        simulated,
      });
      const wishes = [...texts, ...feedback].join('\n');
      const designs = answered ?? designsByRules(intent, language, wishes);
      return { designs, by: answeredBy(answered) };
    },
    async critiqueDesigns(call) {
      const { language, intent, designs } = call;
      const [[feedback = ''], simulated] = await Promise.all([
        readTexts(deps.db, [call.feedbackId]),
        deps.usesSimulated(call.userId),
      ]);
      const answered = await ask(deps, call, {
        purpose: { kind: 'critiques', language, intent, designs, feedback },
        messages: critiquePrompt({ ...call, feedback }),
        answer: CRITIQUES_ANSWER,
        schema: critiquesAnswer(designs),
        simulated,
      });
      const critiques = answered ?? critiquesByRules(designs, intent, language);
      return { critiques, by: answeredBy(answered) };
    },
  };
}

/** A model that finds a request unclear need not say why; the user is asked all the same. */
function withQuestion(intent: Intent, language: Language): Intent {
  const isMute = intent.needs_clarification && intent.clarification_questions.length === 0;
  return isMute ? { ...intent, clarification_questions: [genericQuestion(language)] } : intent;
}

interface Question<T> {
  readonly purpose: Extract<Purpose, { kind: keyof typeof SETTINGS }>;
  readonly messages: ModelRequest['messages'];
  readonly answer: AnswerSchema;
  readonly schema: z.ZodType<T>;
  readonly simulated: boolean;
}

/** @returns null where the rules must answer */
async function ask<T>(
  deps: DesignDeps,
  call: DesignCall,
  { purpose, messages, answer, schema, simulated }: Question<T>,
): Promise<T | null> {
  const fallBack = (reason: string): null => {
    const { stepId, conversationId } = call;
    deps.logger.warn('rules answer instead of a model', {
      stepId,
      conversationId,
      purpose: purpose.kind,
      reason,
    });
    deps.countFallback(purpose.kind, reason);
    return null;
  };
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
    const { cancellationSignal: signal } = Context.current();
    const { content: text } = await deps.models.complete(request, { signal });
    const read = readAnswer(schema, text);
    if (read.kind === 'answer') {
      return read.value;
    }
    const repair = repairRequest(request, { stepId: call.stepId, text, ...read }, call.language);
    const stepId = repairStepOf(call.stepId);
    const { content } = await deps.models.complete(repair, { signal, stepId });
    const repaired = readAnswer(schema, content);
    return repaired.kind === 'answer' ? repaired.value : fallBack('unusable-answer');
  } catch (error) {
    if (error instanceof DomainError && error.code !== 'cancelled') {
      return fallBack(error.code);
    }
    throw error; // stores that are away, and cancellation: Temporal repeats the activity
  }
}

function answeredBy(answered: unknown): AnsweredBy {
  return answered === null ? 'rules' : 'model';
}
