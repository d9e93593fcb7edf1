/**
 * What a turn asks, and what it leads to once its questions are answered. Pure: the activity that
 * carries a turn out and the workflow that replays it decide alike.
 */
import type { Critique, Design, Intent } from '../design/designs.js';
import { isDecisionForced, type DiscussionMove } from './machine.js';
import { discussionTexts } from './texts.js';
import { DomainError } from '../errors.js';
import type { ClarificationEvent, DesignsPresentedEvent, StreamEvent } from '../events.js';
import { repairStepOf, stepIdOf, type MessageId, type StepId } from '../ids.js';
import { unparsableIntent } from './intents.js';
import type { Language } from '../text/languages.js';
import {
  ask,
  memoryContext,
  prefer,
  recordCritiques,
  recordDesigns,
  resolve,
  summarizeRound,
} from './memory.js';
import {
  advance,
  beginAnew,
  remarkText,
  withFeedback,
  withRequest,
  type DiscussionState,
  type TurnPlan,
} from './state.js';

export interface Turn<P extends TurnPlan = TurnPlan> {
  readonly plan: P;
  /** With the message taken. */
  readonly state: DiscussionState;
  readonly message: { readonly messageId: MessageId; readonly content: string };
  /** ISO 8601, UTC; one time for all that the turn notes. */
  readonly now: string;
}

/** The models' answers, or the rules' in their place. */
export interface TurnAnswers {
  readonly intent?: Intent;
  readonly designs?: readonly Design[];
  readonly critiques?: readonly Critique[];
}

export type QuestionPurpose = keyof TurnAnswers;

interface Asked {
  readonly language: Language;
  /** The messages that together are the request. */
  readonly requestIds: readonly MessageId[];
  /** What is agreed and remembered, as text for the prompt. */
  readonly memory: string;
}

export interface IntentQuestion extends Asked {
  readonly purpose: 'intent';
}

export interface DesignsQuestion extends Asked {
  readonly purpose: 'designs';
  readonly intent: Intent;
  readonly previous: readonly Design[];
  readonly feedbackIds: readonly MessageId[];
}

export interface CritiquesQuestion extends Asked {
  readonly purpose: 'critiques';
  readonly intent: Intent;
  readonly designs: readonly Design[];
  readonly feedbackId: MessageId;
}

export type TurnQuestion = IntentQuestion | DesignsQuestion | CritiquesQuestion;

/** What each kind of turn asks, in this order; kinds that are not listed ask nothing. */
export const QUESTIONS: Readonly<Partial<Record<TurnPlan['kind'], readonly QuestionPurpose[]>>> = {
  understand: ['intent', 'designs'],
  'begin-anew': ['intent', 'designs'],
  critique: ['critiques'],
  refine: ['designs'],
};

/** The steps under which a turn's replies are stored, repairs included. */
export function turnStepIds(messageId: MessageId): readonly StepId[] {
  const purposes = new Set(Object.values(QUESTIONS).flat());
  return [...purposes].flatMap((purpose) => {
    const stepId = stepIdOf(messageId, purpose);
    return [stepId, repairStepOf(stepId)];
  });
}

/** @returns null once the turn can be decided */
export function nextQuestion(turn: Turn, answers: TurnAnswers): TurnQuestion | null {
  const purpose = QUESTIONS[turn.plan.kind]?.find((it) => answers[it] === undefined);
  if (purpose === undefined || answers.intent?.needs_clarification === true) {
    return null;
  }
  const state = prepare(turn, answers);
  const { language, requestIds, feedbackIds, designs } = state;
  const asked = { language, requestIds, memory: memoryContext(state.memory) };
  switch (purpose) {
    case 'intent':
      return { ...asked, purpose };
    case 'designs':
      return { ...asked, purpose, intent: intentOf(state), previous: designs, feedbackIds };
    case 'critiques':
      return {
        ...{ ...asked, purpose, intent: intentOf(state), designs },
        feedbackId: turn.message.messageId,
      };
  }
}

/** In words for operators. */
export function describeQuestion(question: TurnQuestion): string {
  switch (question.purpose) {
    case 'intent':
      return 'understand the request';
    case 'designs':
      return question.previous.length === 0 ? 'draft designs' : 'revise the designs';
    case 'critiques':
      return 'criticise the designs';
  }
}

export interface Decision {
  readonly state: DiscussionState;
  readonly events: readonly StreamEvent[];
}

/** All turns but those that start a run, which its admission decides. */
export type DecidedPlan = Exclude<TurnPlan, { readonly kind: 'choose' | 'run-again' }>;

/** @throws `internal` while a question of the turn has no answer */
export function decide(turn: Turn<DecidedPlan>, answers: TurnAnswers): Decision {
  const { plan } = turn;
  const state = prepare(turn, answers);
  switch (plan.kind) {
    case 'warn':
      return decideWarning(state);
    case 'understand':
    case 'begin-anew':
      return answers.intent?.needs_clarification === true
        ? decideClarification(state, answers.intent)
        : decideDesigns({ ...turn, state }, answers, FIRST_DESIGNS);
    case 'critique':
      return decideCritique({ ...turn, state }, answers);
    case 'refine':
      return decideDesigns({ ...turn, state }, answers, REVISED_DESIGNS);
    case 'ask-to-choose':
      return { state, events: [presented(state, true)] };
    case 'ask-which':
      return decideWhich(state, plan.asked);
    case 'cancel':
      return { state, events: [] }; // the run's own last event, `pipeline_result`, is the answer
    case 'restart':
      return decideRestart(beginAnew(state, turn.now));
    case 'say':
      return decideError({ ...state, isLost: false }, remarkText(plan, state.language));
    case 'refuse':
      return decideError(state, discussionTexts(state.language).errors.discussionsPerDay);
  }
}

const FIRST_DESIGNS: readonly DiscussionMove[] = [
  'requirements_analyzed',
  'designs_generated',
  'designs_presented',
];
const REVISED_DESIGNS: readonly DiscussionMove[] = ['refined_designs_ready', 'designs_presented'];

/** The state that the turn's questions are about. */
function prepare({ plan, state, message, now }: Turn, { intent }: TurnAnswers): DiscussionState {
  const { messageId, content } = message;
  switch (plan.kind) {
    case 'understand':
      return withIntent(withRequest(state, messageId), intent);
    case 'begin-anew':
      return withIntent(withRequest(beginAnew(state, now), messageId), intent);
    case 'critique':
      return withFeedback(state, messageId);
    case 'refine': {
      const memory = prefer(state.memory, `feedback_round_${state.machine.round}`, content);
      return { ...withFeedback(state, messageId), memory };
    }
    default:
      return state;
  }
}

function withIntent(state: DiscussionState, intent: Intent | undefined): DiscussionState {
  return intent === undefined ? state : { ...state, intent };
}

function intentOf({ intent, language }: DiscussionState): Intent {
  return intent ?? unparsableIntent(language);
}

/** Which patterns were hit is never said. */
function decideWarning(state: DiscussionState): Decision {
  const content = discussionTexts(state.language).securityWarning;
  return { state, events: [{ type: 'security_warning', content, safe: false }] };
}

export function decideError(
  state: DiscussionState,
  content: string,
  validEvents?: readonly string[],
): Decision {
  const valid = validEvents === undefined ? {} : { valid_events: validEvents };
  return { state, events: [{ type: 'error', content, state: state.machine.state, ...valid }] };
}

export function decideInvalidMove(
  state: DiscussionState,
  validEvents: readonly string[],
): Decision {
  const { invalidTransition } = discussionTexts(state.language).errors;
  return decideError(state, invalidTransition, validEvents);
}

function decideClarification(state: DiscussionState, intent: Intent): Decision {
  const event: ClarificationEvent = {
    type: 'clarification',
    content: discussionTexts(state.language).clarification,
    questions: intent.clarification_questions,
    partial_intent: { task: intent.task, confidence: intent.confidence },
    state: 'understand',
  };
  return { state, events: [event] };
}

function decideDesigns(
  { state, now }: Turn,
  answers: TurnAnswers,
  moves: readonly DiscussionMove[],
): Decision {
  const designs = answered(answers.designs);
  const moved = advance(state, moves, now);
  if (moved.kind === 'invalid-transition') {
    return decideInvalidMove(state, moved.validEvents);
  }
  const names = designs.map((design) => design.name).join(', ');
  const resolved = state.memory.open_questions.reduce(
    (memory, question) => resolve(memory, question, names),
    state.memory,
  );
  const next = { ...moved.talk, designs, memory: recordDesigns(resolved, designs) };
  return { state: next, events: [presented(next, isDecisionForced(next.machine))] };
}

function decideCritique({ state, message, now }: Turn, answers: TurnAnswers): Decision {
  const critiques = answered(answers.critiques);
  const moved = advance(state, ['feedback_received'], now);
  if (moved.kind === 'invalid-transition') {
    return decideInvalidMove(state, moved.validEvents);
  }
  const { round } = state.machine;
  const feedback = message.content;
  const scores = critiques.map((critique) => critique.overall_score);
  const recorded = recordCritiques(ask(state.memory, feedback), critiques);
  const memory = summarizeRound(recorded, { round, feedback, scores });
  const content = discussionTexts(state.language).critiqueComplete;
  return {
    state: { ...moved.talk, critiques, memory },
    events: [{ type: 'critique_complete', content, critiques, state: 'refine', round }],
  };
}

/** A question back: nothing is run, and nothing of the discussion changes. */
function decideWhich(state: DiscussionState, asked: number | null): Decision {
  const { content, question, openQuestion } = discussionTexts(state.language).whichDesign;
  const name = asked === null ? undefined : state.designs[asked]?.name;
  const { task, confidence } = intentOf(state);
  const event: ClarificationEvent = {
    type: 'clarification',
    content,
    questions: [asked === null || name === undefined ? openQuestion : question(asked + 1, name)],
    partial_intent: { task, confidence },
    state: state.machine.state === 'refine' ? 'refine' : 'debate',
  };
  return { state: { ...state, asked }, events: [event] };
}

function decideRestart(state: DiscussionState): Decision {
  const { content, question } = discussionTexts(state.language).restarted;
  const event: ClarificationEvent = {
    type: 'clarification',
    content,
    questions: [question],
    partial_intent: { task: 'custom', confidence: 0 },
    state: 'understand',
  };
  return { state, events: [event] };
}

/** After the last round the same designs are shown until the user chooses; no round is added. */
function presented(state: DiscussionState, isForced: boolean): DesignsPresentedEvent {
  const texts = discussionTexts(state.language);
  const lead = texts.designsPresented(state.designs.length);
  return {
    type: 'designs_presented',
    content: `${lead} ${isForced ? texts.chooseNow : texts.chooseOrChange}`,
    designs: state.designs,
    state: 'debate',
    round: state.machine.round,
    ...(isForced ? { force_decision: true } : {}),
    ...(state.critiques.length > 0 ? { critiques: state.critiques } : {}),
  };
}

function answered<T>(answer: T | undefined): T {
  if (answer === undefined) {
    throw new DomainError('internal', 'a turn was decided before its questions were answered');
  }
  return answer;
}
