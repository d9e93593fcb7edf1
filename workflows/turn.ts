/** One turn: a message goes in, its events come out, stored in one transaction with the state. */
import { isCancellation, log } from '@temporalio/workflow';
import {
  decide,
  decideError,
  nextQuestion,
  type DecidedPlan,
  type Turn,
  type TurnAnswers,
  type TurnQuestion,
} from '../domain/discussion/decide.js';
import { concernsRuns } from '../domain/discussion/run-plan.js';
import { discussionTexts } from '../domain/discussion-texts.js';
import { stepIdOf } from '../domain/ids.js';
import { remember, type Talk } from '../domain/talk.js';
import { paid, records } from './activity-proxies.js';
import type { DiscussionInput, UserMessage } from './discussion.messages.js';
import { describeError } from './failures.js';
import { carryOut } from './run-turns.js';
import { startIfPending } from './runs.js';
import { inTurn } from './spans.js';
import { storedOr, type TurnEnd } from './turn-answer.js';

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
  const { processingFailed } = discussionTexts(talk.language).errors;
  const { events } = decideError(talk, processingFailed);
  try {
    const answer = { conversationId, userId, messageId, events, talk };
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
      const state = remember({ ...before, language: begun.language }, messageId);
      const plan = begun.kind === 'begun' ? begun.plan : ({ kind: 'refuse' } as const);
      const turn = { plan, state, message, now: new Date().toISOString() };
      const { events, ...end } = await answer(input, turn);
      if (events === null) {
        return end.state;
      }
      const { state: talk, ...failure } = end;
      const answered = { conversationId, userId, messageId, events, talk, ...failure };
      const overtaken = await records.endTurn(answered);
      return overtaken == null ? talk : takeUp(input, storedOr(overtaken.talk, talk));
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
async function answer(input: DiscussionInput, turn: Turn): Promise<TurnEnd> {
  const { plan, state, message } = turn;
  try {
    return await (concernsRuns(plan)
      ? carryOut(input, { ...turn, plan })
      : answerQuestions(input, { ...turn, plan }));
  } catch (error) {
    const { conversationId } = input;
    const described = describeError(error);
    log.error('turn failed', { conversationId, messageId: message.messageId, ...described });
    const { processingFailed } = discussionTexts(state.language).errors;
    return { ...decideError(state, processingFailed), mistake: described.error };
  }
}

async function answerQuestions(input: DiscussionInput, turn: Turn<DecidedPlan>): Promise<TurnEnd> {
  let answers: TurnAnswers = {};
  let question = nextQuestion(turn, answers);
  while (question !== null) {
    answers = { ...answers, ...(await ask(input, turn, question)) };
    question = nextQuestion(turn, answers);
  }
  return decide(turn, answers);
}

function ask(
  { userId, conversationId }: DiscussionInput,
  { state, message }: Turn,
  question: TurnQuestion,
): Promise<TurnAnswers> {
  const call = { userId, conversationId, stepId: stepIdOf(message.messageId, question.purpose) };
  switch (question.purpose) {
    case 'intent':
      return paid.analyzeIntent.executeWithOptions({ summary: 'understand the request' }, [
        { ...call, ...question },
      ]);
    case 'designs':
      return paid.generateDesigns.executeWithOptions(
        { summary: question.previous.length === 0 ? 'draft designs' : 'revise the designs' },
        [{ ...call, ...question }],
      );
    case 'critiques':
      return paid.critiqueDesigns.executeWithOptions(
        { summary: `criticise the designs of round ${state.machine.round}` },
        [{ ...call, ...question }],
      );
  }
}
