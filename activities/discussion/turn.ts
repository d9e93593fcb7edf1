/**
 * A turn that starts and stops no run, from its message to its stored answer. Its three writes (echo,
 * each reply, end) are kept by their keys: a repeated attempt finds them and goes on from there.
 */
import {
  decide,
  nextQuestion,
  type DecidedPlan,
  type Turn,
  type TurnAnswers,
} from '../../domain/discussion/decide.js';
import { hashDecision } from '../../domain/discussion/decision-hash.js';
import { concernsRuns, type RunPlan } from '../../domain/discussion/run-plan.js';
import { stepIdOf } from '../../domain/ids.js';
import type { Language } from '../../domain/languages.js';
import { remember, type Talk } from '../../domain/talk.js';
import { answerQuestion, type QuestionDeps } from './answers.js';
import { begin, type MessageCall } from './begin.js';
import { end, type DiscussionDeps } from './records.js';

export interface TurnActivities {
  /** Takes a turn; one that starts or stops a run only begins here. */
  takeTurn(call: TakeTurnCall): Promise<TurnTaken>;
}

export interface TakeTurnCall extends MessageCall {
  /** ISO 8601, UTC; one time for all that the turn notes. */
  readonly now: string;
}

/** What a turn began from, as history has to know it. */
interface TurnBegun {
  readonly language: Language;
  /** Present where the record's state was gone on with, and not the call's. */
  readonly state?: Talk;
}

export type TurnTaken =
  | (TurnBegun & {
      readonly kind: 'answered';
      readonly plan: DecidedPlan;
      readonly answers: TurnAnswers;
      /** Of the decision that is stored. */
      readonly decisionHash: string;
    })
  | (TurnBegun & { readonly kind: 'planned'; readonly plan: RunPlan })
  /** It has its answer already; `state` is the one since then. */
  | { readonly kind: 'duplicate'; readonly state: Talk | null }
  | { readonly kind: 'conversation-gone' };

export type TurnDeps = DiscussionDeps & QuestionDeps;

export function createTurnActivities(deps: TurnDeps): TurnActivities {
  return { takeTurn: (call) => takeTurn(deps, call) };
}

async function takeTurn(deps: TurnDeps, call: TakeTurnCall): Promise<TurnTaken> {
  const begun = await begin(deps, call);
  if (begun.kind !== 'begun') {
    return begun;
  }
  const { plan, language } = begun;
  const from = { language, ...(call.state.isForked ? { state: begun.state } : {}) };
  if (concernsRuns(plan)) {
    return { kind: 'planned', plan, ...from };
  }
  const { message, now } = call;
  const state = remember({ ...begun.state, language }, message.messageId);
  const turn = { plan, state, message, now };
  const answers = await askAll(deps, call, turn);
  const decision = decide(turn, answers);
  const overtaken = await end(deps, { ...call, ...decision, messageId: message.messageId });
  return overtaken === null
    ? { kind: 'answered', plan, answers, decisionHash: hashDecision(decision), ...from }
    : { kind: 'duplicate', state: overtaken.talk };
}

async function askAll(deps: TurnDeps, call: TakeTurnCall, turn: Turn): Promise<TurnAnswers> {
  const { userId, conversationId, message } = call;
  let answers: TurnAnswers = {};
  let question = nextQuestion(turn, answers);
  while (question !== null) {
    const stepId = stepIdOf(message.messageId, question.purpose);
    const step = { userId, conversationId, stepId };
    answers = { ...answers, ...(await answerQuestion(deps, step, question)) };
    question = nextQuestion(turn, answers);
  }
  return answers;
}
