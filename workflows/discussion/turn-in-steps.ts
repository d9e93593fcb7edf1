/** A turn as it was before 0.7.0: an activity for its beginning, for each question, and for its end. */
import {
  decide,
  describeQuestion,
  nextQuestion,
  type DecidedPlan,
  type Decision,
  type Turn,
  type TurnAnswers,
  type TurnQuestion,
} from '../../domain/discussion/decide.js';
import { concernsRuns } from '../../domain/discussion/run-plan.js';
import { stepIdOf } from '../../domain/ids.js';
import { remember, type DiscussionState } from '../../domain/discussion/state.js';
import { paid, records } from '../activity-proxies.js';
import type { DiscussionInput, UserMessage } from './discussion.messages.js';
import { carryOut } from './run-turns.js';
import { adopt, endTurn } from './turn-end.js';

export async function takeTurnInSteps(
  input: DiscussionInput,
  before: DiscussionState,
  message: UserMessage,
): Promise<DiscussionState> {
  const { conversationId, userId } = input;
  const { messageId } = message;
  const begun = await records.beginTurn({ conversationId, userId, message, state: before });
  switch (begun.kind) {
    case 'taken-before':
      return adopt(input, begun.talk, remember(before, messageId));
    case 'conversation-gone':
      return remember(before, messageId);
    case 'refused':
    case 'begun': {
      const state = remember({ ...before, language: begun.language }, messageId);
      const plan = begun.kind === 'begun' ? begun.plan : ({ kind: 'refuse' } as const);
      const turn = { state, message, now: new Date().toISOString() };
      return endTurn(input, { ...turn, plan }, async () =>
        concernsRuns(plan)
          ? carryOut(input, { ...turn, plan })
          : answerQuestions(input, { ...turn, plan }),
      );
    }
  }
}

async function answerQuestions(input: DiscussionInput, turn: Turn<DecidedPlan>): Promise<Decision> {
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
  { message }: Turn,
  question: TurnQuestion,
): Promise<TurnAnswers> {
  const step = { userId, conversationId, stepId: stepIdOf(message.messageId, question.purpose) };
  const summary = describeQuestion(question);
  switch (question.purpose) {
    case 'intent':
      return paid.analyzeIntent.executeWithOptions({ summary }, [{ ...step, ...question }]);
    case 'designs':
      return paid.generateDesigns.executeWithOptions({ summary }, [{ ...step, ...question }]);
    case 'critiques':
      return paid.critiqueDesigns.executeWithOptions({ summary }, [{ ...step, ...question }]);
  }
}
