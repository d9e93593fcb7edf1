/**
 * The state of a discussion as it comes back: from PostgreSQL, or carried over continue-as-new. Both
 * may be of an older release. Pure, since workflows read it as well.
 */
import {
  DISCUSSION_MOVES,
  DISCUSSION_STATES,
  MAX_ROUNDS,
  type Machine,
  type Transition,
} from './machine.js';
import { emptyMemory, type Memory } from './memory.js';
import type { Refusal, WaitingRun } from '../run/refusals.js';
import { WAIT_REASONS } from '../run/results.js';
import { aCritique, aDesign, anIntent } from '../design/stored-designs.js';
import {
  aFlag,
  aNumber,
  aText,
  Fields,
  listOf,
  oneOf,
  orNull,
  UnreadableJson,
  type Reader,
} from '../text/stored-json.js';
import { STATE_FORM, type DiscussionState, type StateRun } from './state.js';

export type StoredDiscussionState =
  | { readonly kind: 'talk'; readonly talk: DiscussionState }
  /** What it says must not be guessed. `version` is the state's own, where it has one. */
  | { readonly kind: 'unreadable'; readonly problem: string; readonly version: number | null };

export function readDiscussionState(stored: unknown): StoredDiscussionState {
  try {
    return { kind: 'talk', talk: aTalk(stored, 'talk') };
  } catch (error) {
    if (error instanceof UnreadableJson) {
      return { kind: 'unreadable', problem: error.message, version: versionIn(stored) };
    }
    throw error;
  }
}

function versionIn(stored: unknown): number | null {
  try {
    return new Fields(stored, 'talk').get('version', aNumber);
  } catch {
    return null;
  }
}

const someTexts = listOf(aText);

/** Forms of before `form` was kept are like form 1, but for fields that came later. */
const aTalk: Reader<DiscussionState> = (value, path) => {
  const fields = new Fields(value, path);
  return {
    form: STATE_FORM,
    version: fields.get('version', aNumber),
    machine: fields.get('machine', aMachine),
    language: fields.find('language', oneOf(['en', 'ko']), 'en'),
    requestIds: fields.find('requestIds', someTexts, []),
    feedbackIds: fields.find('feedbackIds', someTexts, []),
    intent: fields.find('intent', orNull(anIntent), null),
    designs: fields.find('designs', listOf(aDesign), []),
    critiques: fields.find('critiques', listOf(aCritique), []),
    selected: fields.find('selected', orNull(aDesign), null),
    asked: fields.find('asked', orNull(aNumber), null),
    run: fields.find('run', orNull(aRun), null),
    memory: fields.find('memory', aMemory, emptyMemory()),
    recentIds: fields.find('recentIds', someTexts, []),
    isLost: fields.find('isLost', aFlag, false),
    isForked: fields.find('isForked', aFlag, false),
  };
};

const aMachine: Reader<Machine> = (value, path) => {
  const fields = new Fields(value, path);
  return {
    state: fields.get('state', oneOf(DISCUSSION_STATES)),
    round: fields.find('round', aNumber, 0),
    max_rounds: fields.find('max_rounds', aNumber, MAX_ROUNDS),
    history: fields.find('history', listOf(aTransition), []),
  };
};

const aTransition: Reader<Transition> = (value, path) => {
  const fields = new Fields(value, path);
  return {
    from_state: fields.get('from_state', oneOf(DISCUSSION_STATES)),
    to_state: fields.get('to_state', oneOf(DISCUSSION_STATES)),
    event: fields.get('event', oneOf(DISCUSSION_MOVES)),
    timestamp: fields.get('timestamp', aText),
    metadata: fields.find('metadata', anObject, {}),
  };
};

const anObject: Reader<Readonly<Record<string, unknown>>> = (value, path) =>
  new Fields(value, path).toRecord();

const aRun: Reader<StateRun> = (value, path) => {
  const fields = new Fields(value, path);
  return fields.get('kind', oneOf(['admitted', 'refused'])) === 'admitted'
    ? {
        kind: 'admitted',
        pipelineId: fields.get('pipelineId', aText),
        ended: fields.find('ended', aFlag, false),
      }
    : { kind: 'refused', refusal: fields.get('refusal', aRefusal) };
};

const REFUSALS = [
  ...(['over-budget', 'pipeline-running', 'pipeline-waiting', 'pipelines-per-day'] as const),
  ...(['no-llm-key', 'llm-key-unreadable', 'rerun-mixes-models'] as const),
] satisfies readonly Refusal['code'][];
/** A code that is forgotten above fails to compile below. */
type ListedCode = [Exclude<Refusal['code'], (typeof REFUSALS)[number]>] extends [never]
  ? Refusal['code']
  : never;

const aRefusal: Reader<Refusal> = (value, path) => {
  const fields = new Fields(value, path);
  return {
    kind: 'refused',
    code: fields.get('code', oneOf<ListedCode>(REFUSALS)),
    ...(fields.has('spentUsd') ? { spentUsd: fields.get('spentUsd', aNumber) } : {}),
    ...(fields.has('limitUsd') ? { limitUsd: fields.get('limitUsd', aNumber) } : {}),
    ...(fields.find('isServerKeySpent', aFlag, false) ? { isServerKeySpent: true } : {}),
    ...(fields.has('waiting') ? { waiting: fields.get('waiting', aWaitingRun) } : {}),
  };
};

const aWaitingRun: Reader<WaitingRun> = (value, path) => {
  const fields = new Fields(value, path);
  return {
    pipelineId: fields.get('pipelineId', aText),
    designName: fields.get('designName', aText),
    waitingFor: fields.find('waitingFor', oneOf(WAIT_REASONS), null),
  };
};

const aMemory: Reader<Memory> = (value, path) => {
  const fields = new Fields(value, path);
  return {
    agreements: fields.find('agreements', someTexts, []),
    open_questions: fields.find('open_questions', someTexts, []),
    resolved_questions: fields.find('resolved_questions', listOf(aResolvedQuestion), []),
    user_preferences: fields.find('user_preferences', somePreferences, {}),
    design_history: fields.find('design_history', listOf(aDesignsOutline), []),
    critique_history: fields.find('critique_history', listOf(aCritiquesOutline), []),
    round_summaries: fields.find('round_summaries', listOf(aRoundSummary), []),
  };
};

const aResolvedQuestion: Reader<Memory['resolved_questions'][number]> = (value, path) => {
  const fields = new Fields(value, path);
  return { question: fields.get('question', aText), resolution: fields.get('resolution', aText) };
};

const somePreferences: Reader<Memory['user_preferences']> = (value, path) => {
  const preferences = Object.entries(new Fields(value, path).toRecord());
  return Object.fromEntries(
    preferences.map(([name, text]) => [aText(name, path), aText(text, `${path}.${name}`)]),
  );
};

const aDesignsOutline: Reader<Memory['design_history'][number]> = (value, path) => {
  const fields = new Fields(value, path);
  const anOutline: Reader<{ readonly name: string; readonly roles: readonly string[] }> = (
    design,
    where,
  ) => {
    const of = new Fields(design, where);
    return { name: of.get('name', aText), roles: of.find('roles', someTexts, []) };
  };
  return { round: fields.get('round', aNumber), designs: fields.get('designs', listOf(anOutline)) };
};

const aCritiquesOutline: Reader<Memory['critique_history'][number]> = (value, path) => {
  const fields = new Fields(value, path);
  const anOutline: Reader<{ readonly design_name: string; readonly overall_score: number }> = (
    critique,
    where,
  ) => {
    const of = new Fields(critique, where);
    return {
      design_name: of.get('design_name', aText),
      overall_score: of.get('overall_score', aNumber),
    };
  };
  return {
    round: fields.get('round', aNumber),
    critiques: fields.get('critiques', listOf(anOutline)),
  };
};

const aRoundSummary: Reader<Memory['round_summaries'][number]> = (value, path) => {
  const fields = new Fields(value, path);
  return { round: fields.get('round', aNumber), text: fields.get('text', aText) };
};
