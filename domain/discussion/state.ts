import { chooseDesign, isApproval, namesDesign } from './approval.js';
import { answerOf, meantByYes, readChoice } from './choices.js';
import { controlWordOf } from './control-words.js';
import type { Critique, Design, Intent } from '../design/designs.js';
import {
  mustChoose,
  move,
  startMachine,
  type DiscussionMove,
  type DiscussionStateName,
  type Machine,
} from './machine.js';
import { discussionTexts, type Remark } from './texts.js';
import type { MessageId, PipelineId } from '../ids.js';
import type { Language } from '../text/languages.js';
import { emptyMemory, type Memory } from './memory.js';
import { refusalText, type Refusal, type WaitingRun } from '../run/refusals.js';

/**
 * Everything a discussion knows between two messages. It is carried through continue-as-new and
 * stored after each turn, so it stays small: texts of messages are named by id, never held.
 */
export interface DiscussionState {
  /** Which form the state has; what is read has the present one (domain/discussion/stored-state.ts). */
  readonly form: number;
  /** Grows with each stored state, so that an older one never replaces a newer one. */
  readonly version: number;
  readonly machine: Machine;
  readonly language: Language;
  /** The messages that together are the request, oldest first. */
  readonly requestIds: readonly MessageId[];
  /** What the user said of the designs so far, oldest first. */
  readonly feedbackIds: readonly MessageId[];
  readonly intent: Intent | null;
  readonly designs: readonly Design[];
  readonly critiques: readonly Critique[];
  readonly selected: Design | null;
  /** The design that the last answer has asked about, "Option 1?"; its index. */
  readonly asked: number | null;
  readonly run: StateRun | null;
  readonly memory: Memory;
  /** The last messages taken, so that a repeated signal is recognised. */
  readonly recentIds: readonly MessageId[];
  /** The state before could not be read, and the user does not know yet. */
  readonly isLost: boolean;
  /** The last turn was decided otherwise than it is recorded: the next one goes on from the record. */
  readonly isForked: boolean;
}

/** Raised where a field changes its meaning; what only is added needs a default. */
export const STATE_FORM = 1;

export type StateRun =
  | { readonly kind: 'admitted'; readonly pipelineId: PipelineId; readonly ended: boolean }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** How many message ids are remembered. Source: design of the discussion workflow. */
const MAX_RECENT_IDS = 200;
/** More than a request needs; a model's context is bounded by characters besides. */
const MAX_TEXT_IDS = 10;

export function startDiscussionState(language: Language): DiscussionState {
  return {
    form: STATE_FORM,
    version: 0,
    machine: startMachine(),
    language,
    requestIds: [],
    feedbackIds: [],
    intent: null,
    designs: [],
    critiques: [],
    selected: null,
    asked: null,
    run: null,
    memory: emptyMemory(),
    recentIds: [],
    isLost: false,
    isForked: false,
  };
}

/** A fresh discussion in the place of one whose state cannot be read; `version` is of that one. */
export function startAfterLoss(version: number): DiscussionState {
  return { ...startDiscussionState('en'), version, isLost: true };
}

/** A fresh discussion that keeps the old agreements and the memory of messages taken. */
export function beginAnew(state: DiscussionState, now: string): DiscussionState {
  const restarted = move(state.machine, 'restart', { now });
  return {
    ...startDiscussionState(state.language),
    version: state.version,
    machine: restarted.kind === 'moved' ? restarted.machine : startMachine(),
    memory: { ...emptyMemory(), agreements: state.memory.agreements },
    recentIds: state.recentIds,
  };
}

/** Notes that a run has ended; a notice of another run changes nothing. */
export function withRunEnded(state: DiscussionState, pipelineId: PipelineId): DiscussionState {
  return state.run?.kind === 'admitted' && state.run.pipelineId === pipelineId
    ? { ...state, run: { ...state.run, ended: true } }
    : state;
}

/** The state in which a message is taken: it is known from now on, and a question is answered by it. */
export function remember(state: DiscussionState, messageId: MessageId): DiscussionState {
  const recentIds = [...state.recentIds, messageId].slice(-MAX_RECENT_IDS);
  return { ...state, asked: null, recentIds, version: state.version + 1 };
}

export function withRequest(state: DiscussionState, messageId: MessageId): DiscussionState {
  return { ...state, requestIds: [...state.requestIds, messageId].slice(-MAX_TEXT_IDS) };
}

export function withFeedback(state: DiscussionState, messageId: MessageId): DiscussionState {
  return { ...state, feedbackIds: [...state.feedbackIds, messageId].slice(-MAX_TEXT_IDS) };
}

export type Advance =
  | { readonly kind: 'moved'; readonly talk: DiscussionState }
  | {
      readonly kind: 'invalid-transition';
      readonly state: DiscussionStateName;
      readonly event: DiscussionMove;
      readonly validEvents: readonly DiscussionMove[];
    };

/** Makes several moves in a row, or none if one of them is invalid. */
export function advance(
  state: DiscussionState,
  moves: readonly DiscussionMove[],
  now: string,
): Advance {
  let { machine } = state;
  for (const event of moves) {
    const made = move(machine, event, { now });
    if (made.kind === 'invalid-transition') {
      return { kind: made.kind, state: made.state, event, validEvents: made.validEvents };
    }
    machine = made.machine;
  }
  return { kind: 'moved', talk: { ...state, machine } };
}

/** What one message leads to. Source: contract, discussion §3 and its decisions 7 and 8. */
export type TurnPlan =
  | { readonly kind: 'warn' }
  | { readonly kind: 'understand' }
  | { readonly kind: 'begin-anew' }
  | { readonly kind: 'critique' }
  | { readonly kind: 'refine' }
  | { readonly kind: 'ask-to-choose' }
  | { readonly kind: 'choose'; readonly design: Design }
  /** Which design is meant is not certain; `asked` is its index, null where none is likely. */
  | { readonly kind: 'ask-which'; readonly asked: number | null }
  | { readonly kind: 'run-again'; readonly design: Design }
  /** The day's discussions are used up. */
  | { readonly kind: 'refuse' }
  | EndsRuns
  | Saying;

interface EndsRuns {
  readonly kind: 'cancel' | 'restart';
  /** The conversation's unended runs; absent in plans of before 0.7.0. */
  readonly pipelineIds?: readonly PipelineId[];
}

export interface Saying {
  readonly kind: 'say';
  readonly what: Remark;
  /** Why the run was refused that could be tried again. */
  readonly refusal?: Refusal;
  /** The run in the way, where it waits. */
  readonly waiting?: WaitingRun;
}

/** An unended run of the conversation, as its record says. */
export interface UnendedRun extends WaitingRun {
  readonly holdsSlot: boolean;
}

/** Names the runs that a plan is about. */
export function withRuns(plan: TurnPlan, runs: readonly UnendedRun[]): TurnPlan {
  if (plan.kind === 'cancel' || plan.kind === 'restart') {
    return { ...plan, pipelineIds: runs.map(({ pipelineId }) => pipelineId) };
  }
  const isAboutRun = plan.kind === 'say' && plan.what === 'pipeline-running';
  const [run] = runs;
  if (!isAboutRun || run === undefined || runs.some(({ holdsSlot }) => holdsSlot)) {
    return plan;
  }
  const { pipelineId, designName, waitingFor } = run;
  return { ...plan, waiting: { pipelineId, designName, waitingFor } };
}

/** What the user reads; a refusal is repeated with its reason. */
export function remarkText({ what, refusal, waiting }: Saying, language: Language): string {
  if (waiting !== undefined) {
    return discussionTexts(language).errors.pipelineWaiting(waiting);
  }
  return refusal === undefined
    ? discussionTexts(language).remarks[what]
    : refusalText(refusal, language);
}

export function planTurn(state: DiscussionState, text: string, isRunActive: boolean): TurnPlan {
  if (state.isLost) {
    return { kind: 'say', what: 'state-lost' };
  }
  return (
    planControlWord(state, text, isRunActive) ??
    (isRunActive ? { kind: 'say', what: 'pipeline-running' } : planByState(state, text))
  );
}

function planControlWord(
  state: DiscussionState,
  text: string,
  isRunActive: boolean,
): TurnPlan | null {
  switch (controlWordOf(text)) {
    case 'cancel':
      return isRunActive ? { kind: 'cancel' } : { kind: 'say', what: 'nothing-running' };
    case 'restart':
      return { kind: 'restart' };
    case 'retry':
      if (isRunActive) {
        return { kind: 'say', what: 'pipeline-running' };
      }
      return state.machine.state === 'plan' && state.selected !== null
        ? { kind: 'run-again', design: state.selected }
        : { kind: 'say', what: 'nothing-to-run' };
    case null:
      return null;
  }
}

function planByState(state: DiscussionState, text: string): TurnPlan {
  switch (state.machine.state) {
    case 'understand':
      return { kind: 'understand' };
    case 'debate':
      return (
        planChoice(state, text) ??
        planYes(state, text) ?? { kind: mustChoose(state.machine) ? 'ask-to-choose' : 'critique' }
      );
    case 'refine':
      return planChoice(state, text) ?? { kind: 'refine' };
    case 'plan':
      return planAfterPlan(state, text);
    case 'design':
    case 'present':
    case 'confirm':
      return { kind: 'begin-anew' }; // never stored between turns
  }
}

function planChoice(state: DiscussionState, text: string): TurnPlan | null {
  const { designs } = state;
  const answered = planAnswer(state, text);
  if (answered !== null) {
    return answered;
  }
  const choice = readChoice(text, designs);
  if (choice === null) {
    return isApproval(text, designs) ? { kind: 'say', what: 'no-design' } : null;
  }
  return choice.kind === 'chooses'
    ? { kind: 'choose', design: choice.design }
    : { kind: 'ask-which', asked: designs.indexOf(choice.design) };
}

/** Only a yes to our question runs the design that it has named; a no to it is no feedback. */
function planAnswer({ asked, designs }: DiscussionState, text: string): TurnPlan | null {
  const design = asked === null ? undefined : designs[asked];
  if (design === undefined) {
    return null;
  }
  switch (answerOf(text, design, designs)) {
    case 'yes':
      return { kind: 'choose', design };
    case 'no':
      return { kind: 'ask-which', asked: null };
    case 'other':
      return null;
  }
}

/** After a critique, in `refine`, a yes agrees to go on with the revision. */
function planYes({ designs }: DiscussionState, text: string): TurnPlan | null {
  const design = meantByYes(text, designs);
  return design === null ? null : { kind: 'ask-which', asked: designs.indexOf(design) };
}

/** A refused run waits for another try; after a finished one, talk begins anew. */
function planAfterPlan({ run, selected, designs }: DiscussionState, text: string): TurnPlan {
  if (run?.kind !== 'refused') {
    return { kind: 'begin-anew' };
  }
  if (!isApproval(text, designs)) {
    return { kind: 'say', what: 'try-again-hint', refusal: run.refusal };
  }
  const design = namesDesign(text, designs) ?? selected ?? chooseDesign(text, designs);
  if (design === null) {
    return { kind: 'say', what: 'no-design' };
  }
  return { kind: design.name === selected?.name ? 'run-again' : 'choose', design };
}
