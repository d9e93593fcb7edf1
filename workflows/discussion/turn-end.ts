/** How a turn ends that the workflow itself carries out, and how one ends that has failed. */
import { log } from '@temporalio/workflow';
import { decideError, type Decision, type Turn } from '../../domain/discussion/decide.js';
import { discussionTexts } from '../../domain/discussion/texts.js';
import { readDiscussionState } from '../../domain/discussion/stored-state.js';
import { remember, type DiscussionState } from '../../domain/discussion/state.js';
import { records } from '../activity-proxies.js';
import type { DiscussionInput, UserMessage } from './discussion.messages.js';
import { describeError } from '../failures.js';
import { startIfPending } from './runs.js';

/** A decision to be stored, or the state after a turn whose end is stored already. */
export type TurnEnd = Decision | { readonly state: DiscussionState; readonly events: null };

/** A turn that fails is answered by an error, and the state stays as it was. */
export async function endTurn(
  input: DiscussionInput,
  { state, message }: Turn,
  carryOut: () => Promise<TurnEnd>,
): Promise<DiscussionState> {
  const { conversationId, userId } = input;
  const { messageId } = message;
  let end: TurnEnd;
  let failure = {};
  try {
    end = await carryOut();
  } catch (error) {
    const described = describeError(error);
    log.error('turn failed', { conversationId, messageId, ...described });
    failure = { mistake: described.error };
    end = decideError(state, discussionTexts(state.language).errors.processingFailed);
  }
  if (end.events === null) {
    return end.state;
  }
  const overtaken = await records.endTurn({
    conversationId,
    userId,
    messageId,
    ...end,
    ...failure,
  });
  return overtaken == null ? end.state : adopt(input, overtaken.talk, end.state);
}

/** Goes on from the state that another attempt has stored; its worker may be of another release. */
export async function adopt(
  input: DiscussionInput,
  stored: unknown,
  fallback: DiscussionState,
): Promise<DiscussionState> {
  const state = storedOr(stored, fallback);
  if (state.run?.kind === 'admitted' && !state.run.ended) {
    await startIfPending(input, state.run.pipelineId);
  }
  return state;
}

export function storedOr(stored: unknown, fallback: DiscussionState): DiscussionState {
  const read = stored == null ? null : readDiscussionState(stored);
  return read?.kind === 'talk' ? read.talk : fallback;
}

/** The answer to a message whose turn could not be recorded: it is done with, and the next one is taken. */
export async function apologise(
  { conversationId, userId }: DiscussionInput,
  before: DiscussionState,
  { message: { messageId }, error }: { readonly message: UserMessage; readonly error: unknown },
): Promise<DiscussionState> {
  const described = describeError(error);
  log.error('turn failed', { conversationId, messageId, ...described });
  const after = remember(before, messageId);
  const { processingFailed } = discussionTexts(after.language).errors;
  const apology = { conversationId, userId, messageId, ...decideError(after, processingFailed) };
  try {
    const overtaken = await records.endTurn({ ...apology, mistake: described.error });
    return storedOr(overtaken?.talk, after);
  } catch (second) {
    log.error('a turn has no answer', { conversationId, messageId, ...describeError(second) });
  }
  return after;
}
