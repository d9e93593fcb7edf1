/**
 * A turn that starts and stops no run, from its message to its stored answer. Its three writes (echo,
 * each reply, end) are kept by their keys: a repeated attempt finds them and goes on from there.
 */
import { Context } from '@temporalio/activity';
import {
  decide,
  nextQuestion,
  type DecidedPlan,
  type Turn,
  type TurnAnswers,
} from '../../domain/discussion/decide.js';
import { hashDecision } from '../../domain/discussion/decision-hash.js';
import { concernsRuns, type RunPlan } from '../../domain/discussion/run-plan.js';
import { stepIdOf, type MessageId } from '../../domain/ids.js';
import type { Language } from '../../domain/text/languages.js';
import { remember, type DiscussionState } from '../../domain/discussion/state.js';
import { answerQuestion, type QuestionDeps } from './answers.js';
import { begin, type Begun, type MessageCall } from './begin.js';
import { end, type DiscussionDeps } from './records.js';

export interface TurnActivities {
  /** Takes a turn; one that starts or stops a run only begins here. */
  takeTurn(call: TakeTurnCall): Promise<TurnTaken>;
}

export interface TakeTurnCall extends MessageCall {
  /** ISO 8601, UTC; one time for all that the turn notes. */
  readonly now: string;
}

export type TurnTaken = TurnResult & {
  /** Of the turn: a result that was captured and is sent once more belongs to no other one. */
  readonly messageId: MessageId;
};

type TurnResult =
  | {
      readonly kind: 'answered';
      readonly language: Language;
      readonly plan: DecidedPlan;
      readonly answers: TurnAnswers;
      /** Of the decision that is stored. */
      readonly decisionHash: string;
      /** Present where the record's state was gone on with, and not the call's. */
      readonly state?: DiscussionState;
    }
  | {
      readonly kind: 'planned';
      readonly language: Language;
      readonly plan: RunPlan;
      /** Commands follow from it, so that history has to know it in every case. */
      readonly state: DiscussionState;
    }
  | Exclude<Begun, { readonly kind: 'begun' }>;

export type TurnDeps = DiscussionDeps & QuestionDeps;

export function createTurnActivities(deps: TurnDeps): TurnActivities {
  return {
    async takeTurn(call) {
      return { ...(await takeTurn(deps, call)), messageId: call.message.messageId };
    },
  };
}

async function takeTurn(deps: TurnDeps, call: TakeTurnCall): Promise<TurnResult> {
  const begun = await begin(deps, call);
  if (begun.kind !== 'begun') {
    return begun;
  }
  const { plan, language } = begun;
  if (concernsRuns(plan)) {
    return { kind: 'planned', plan, language, state: begun.state };
  }
  const { message, now } = call;
  const state = remember({ ...begun.state, language }, message.messageId);
  const turn = { plan, state, message, now };
  const isNew = Context.current().info.attempt === 1 && !begun.hasReplies;
  const answers = await askAll(deps, call, { turn, isNew });
  const decision = decide(turn, answers);
  const overtaken = await end(deps, { ...call, ...decision, messageId: message.messageId });
  if (overtaken !== null) {
    return { kind: 'duplicate', state: overtaken.talk };
  }
  const from = call.state.isForked ? { state: begun.state } : {};
  const decisionHash = hashDecision(decision);
  return { kind: 'answered', language, plan, answers, decisionHash, ...from };
}

async function askAll(
  deps: TurnDeps,
  call: TakeTurnCall,
  { turn, isNew }: { readonly turn: Turn; readonly isNew: boolean },
): Promise<TurnAnswers> {
  const { userId, conversationId, message } = call;
  let answers: TurnAnswers = {};
  let question = nextQuestion(turn, answers);
  while (question !== null) {
    const stepId = stepIdOf(message.messageId, question.purpose);
    const step = { userId, conversationId, stepId, isNew };
    answers = { ...answers, ...(await answerQuestion(deps, step, question)) };
    question = nextQuestion(turn, answers);
  }
  return answers;
}
