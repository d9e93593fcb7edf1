/** One turn: a message goes in; its answer and the state after it are stored together. */
import { isCancellation, log, patched, proxySinks } from '@temporalio/workflow';
import {
  decide,
  type DecidedPlan,
  type Turn,
  type TurnAnswers,
} from '../../domain/discussion/decide.js';
import { hashDecision, type DecisionSinks } from '../../domain/discussion/decision-hash.js';
import { remember, type DiscussionState } from '../../domain/discussion/state.js';
import { turns } from '../activity-proxies.js';
import type { DiscussionInput, UserMessage } from './discussion.messages.js';
import { describeError, failNow } from '../failures.js';
import { carryOut } from './run-turns.js';
import { inTurn } from '../spans.js';
import { adopt, apologise, endTurn, storedOr } from './turn-end.js';
import { takeTurnInSteps } from './turn-in-steps.js';

/** Turns that were taken before are replayed with an activity for each of their steps. */
export const ONE_ACTIVITY_TURNS = '2026-12-03-one-activity-turns';

const { decisions } = proxySinks<DecisionSinks>();

export async function takeTurn(
  input: DiscussionInput,
  before: DiscussionState,
  message: UserMessage,
): Promise<DiscussionState> {
  const { messageId } = message;
  return before.recentIds.includes(messageId)
    ? before
    : inTurn(messageId, () => takeSafely(input, before, message));
}

async function takeSafely(
  input: DiscussionInput,
  before: DiscussionState,
  message: UserMessage,
): Promise<DiscussionState> {
  try {
    return await (patched(ONE_ACTIVITY_TURNS)
      ? takeNewTurn(input, before, message)
      : takeTurnInSteps(input, before, message));
  } catch (error) {
    if (isCancellation(error)) {
      throw error;
    }
    return apologise(input, before, { message, error });
  }
}

async function takeNewTurn(
  input: DiscussionInput,
  before: DiscussionState,
  message: UserMessage,
): Promise<DiscussionState> {
  const { conversationId, userId } = input;
  const { messageId } = message;
  const now = new Date().toISOString();
  const taken = await turns.takeTurn.executeWithOptions({ summary: `turn ${messageId}` }, [
    { conversationId, userId, message, state: before, now },
  ]);
  if (taken.messageId !== messageId) {
    failNow('internal', 'the result of another turn');
  }
  if (taken.kind === 'conversation-gone') {
    return remember(before, messageId);
  }
  if (taken.kind === 'duplicate') {
    return adopt(input, taken.state, remember(before, messageId));
  }
  const { language } = taken;
  const from = { ...storedOr(taken.state, before), language, isForked: false };
  const state = remember(from, messageId);
  if (taken.kind === 'planned') {
    const turn = { plan: taken.plan, state, message, now };
    return endTurn(input, turn, () => carryOut(input, turn));
  }
  return decideAgain(input, { plan: taken.plan, state, message, now }, taken);
}

/**
 * The activity has decided, and has stored what it decided: deciding again proves it. Where this code
 * decides otherwise, the record is right; no command follows from that, so that nothing gets stuck.
 */
function decideAgain(
  { conversationId }: DiscussionInput,
  turn: Turn<DecidedPlan>,
  { answers, decisionHash }: { readonly answers: TurnAnswers; readonly decisionHash: string },
): DiscussionState {
  let { state } = turn;
  try {
    const decision = decide(turn, answers);
    if (hashDecision(decision) === decisionHash) {
      return decision.state; // as recorded, also where another decision was made before
    }
    ({ state } = decision);
  } catch (error) {
    log.error('a recorded turn cannot be decided', { conversationId, ...describeError(error) });
  }
  decisions.differs({ conversationId, messageId: turn.message.messageId });
  return { ...state, isForked: true };
}
