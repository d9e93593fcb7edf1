/** One turn: a message goes in, its events come out, stored in one transaction with the state. */
import { isCancellation, log } from '@temporalio/workflow';
import { beginAnew, remarkText, remember, type Talk, type TurnPlan } from '../domain/talk.js';
import { discussionTexts } from '../domain/discussion-texts.js';
import type { PipelineId } from '../domain/ids.js';
import { records } from './activity-proxies.js';
import type { DiscussionInput, UserMessage } from './discussion.messages.js';
import { describeError } from './failures.js';
import { cancelRun, startIfPending } from './runs.js';
import { inTurn } from './spans.js';
import { recordOf, sayError, storedOr, type Turn, type TurnEnd } from './turn-answer.js';
import { askWhich, choose } from './turn-choose.js';
import { critique, presentAgain, refine, understand } from './turn-design.js';

export async function takeTurn(
  input: DiscussionInput,
  before: Talk,
  message: UserMessage,
): Promise<Talk> {
  const { messageId } = message;
  return before.recentIds.includes(messageId)
    ? before
    : inTurn(messageId, () => takeSafely(input, before, message));
}

/** Also where a turn cannot be recorded, its message is done with, and the next one is taken. */
async function takeSafely(
  input: DiscussionInput,
  before: Talk,
  message: UserMessage,
): Promise<Talk> {
  try {
    return await takeNewTurn(input, before, message);
  } catch (error) {
    if (isCancellation(error)) {
      throw error;
    }
    return apologise(input, before, { message, error });
  }
}

async function apologise(
  input: DiscussionInput,
  before: Talk,
  { message, error }: { readonly message: UserMessage; readonly error: unknown },
): Promise<Talk> {
  const { conversationId, userId } = input;
  const { messageId } = message;
  const told = describeError(error);
  log.error('turn failed', { conversationId, messageId, ...told });
  const talk = remember(before, messageId);
  const { events } = sayError(talk, discussionTexts(talk.language).errors.processingFailed);
  try {
    const answer = { conversationId, userId, messageId, events: events ?? [], talk };
    const overtaken = await records.endTurn({ ...answer, mistake: told.error });
    return storedOr(overtaken?.talk, talk);
  } catch (second) {
    log.error('a turn has no answer', { conversationId, messageId, ...describeError(second) });
  }
  return talk;
}

async function takeNewTurn(
  input: DiscussionInput,
  before: Talk,
  message: UserMessage,
): Promise<Talk> {
  const { conversationId, userId } = input;
  const { messageId } = message;
  const begun = await records.beginTurn({ conversationId, userId, message, talk: before });
  switch (begun.kind) {
    case 'taken-before':
      return takeUp(input, storedOr(begun.talk, remember(before, messageId)));
    case 'conversation-gone':
      return remember(before, messageId);
    case 'refused':
    case 'begun': {
      const turn: Turn = { ...input, message, now: new Date().toISOString() };
      const talk = remember({ ...before, language: begun.language }, messageId);
      const end =
        begun.kind === 'begun'
          ? await answer(turn, talk, begun.plan)
          : sayError(talk, discussionTexts(begun.language).errors.discussionsPerDay);
      if (end.events !== null) {
        const { events, mistake } = end;
        const failure = mistake === undefined ? {} : { mistake };
        const told = { ...recordOf(turn), events, talk: end.talk, ...failure };
        const overtaken = await records.endTurn(told);
        return overtaken == null ? end.talk : takeUp(input, storedOr(overtaken.talk, end.talk));
      }
      return end.talk;
    }
  }
}

/** Goes on from a state that was stored by an attempt which this history does not know of. */
async function takeUp(input: DiscussionInput, talk: Talk): Promise<Talk> {
  const { run } = talk;
  if (run?.kind === 'admitted' && !run.ended) {
    await startIfPending(input, run.pipelineId);
  }
  return talk;
}

/** Whatever goes wrong in a turn, the user gets an answer and the state stays as it was. */
async function answer(turn: Turn, talk: Talk, plan: TurnPlan): Promise<TurnEnd> {
  try {
    return await carryOut(plan, turn, talk);
  } catch (error) {
    const { conversationId } = turn;
    const told = describeError(error);
    log.error('turn failed', { conversationId, messageId: turn.message.messageId, ...told });
    const end = sayError(talk, discussionTexts(talk.language).errors.processingFailed);
    return { ...end, mistake: told.error };
  }
}

function carryOut(plan: TurnPlan, turn: Turn, talk: Talk): Promise<TurnEnd> | TurnEnd {
  switch (plan.kind) {
    case 'warn':
      return warn(turn, talk);
    case 'understand':
      return understand(turn, talk);
    case 'begin-anew':
      return understand(turn, beginAnew(talk, turn.now));
    case 'critique':
      return critique(turn, talk);
    case 'refine':
      return refine(turn, talk);
    case 'ask-to-choose':
      return presentAgain(talk);
    case 'ask-which':
      return askWhich(talk, plan.asked);
    case 'choose':
    case 'run-again':
      return choose(turn, talk, plan);
    case 'cancel':
      return cancel(talk, plan.pipelineIds);
    case 'restart':
      return restart(turn, talk, plan.pipelineIds);
    case 'say':
      return sayError({ ...talk, isLost: false }, remarkText(plan, talk.language));
  }
}

/** Which patterns were hit is never told. */
function warn({ conversationId }: Turn, talk: Talk): TurnEnd {
  log.warn('message refused by the sanitizer', { conversationId });
  const content = discussionTexts(talk.language).securityWarning;
  return { talk, events: [{ type: 'security_warning', content, safe: false }] };
}

/** The run's own last event, `pipeline_result`, is the answer to a cancel. */
async function cancel(talk: Talk, runs: RunIds): Promise<TurnEnd> {
  await cancelRuns(talk, runs);
  return { talk, events: [] };
}

async function restart(turn: Turn, talk: Talk, runs: RunIds): Promise<TurnEnd> {
  await cancelRuns(talk, runs);
  const { content, question } = discussionTexts(talk.language).restarted;
  return {
    talk: beginAnew(talk, turn.now),
    events: [
      {
        type: 'clarification',
        content,
        questions: [question],
        partial_intent: { task: 'custom', confidence: 0 },
        state: 'understand',
      },
    ],
  };
}

type RunIds = readonly PipelineId[] | undefined;

/** The record knows of runs that the state does not name; a plan of before 0.7.0 has none of it. */
async function cancelRuns({ run }: Talk, runs: RunIds): Promise<void> {
  const known = run?.kind === 'admitted' && !run.ended ? [run.pipelineId] : [];
  for (const pipelineId of runs ?? known) {
    await cancelRun(pipelineId);
  }
}
