/** The turns that design: understand a request, critique the designs, refine and present them. */
import type { DiscussionMove } from '../domain/discussion.js';
import { isDecisionForced } from '../domain/discussion.js';
import { discussionTexts } from '../domain/discussion-texts.js';
import type { DesignsPresentedEvent } from '../domain/events.js';
import { unparsableIntent } from '../domain/intents.js';
import { stepIdOf } from '../domain/ids.js';
import {
  ask,
  memoryContext,
  prefer,
  recordCritiques,
  recordDesigns,
  resolve,
  summarizeRound,
} from '../domain/memory.js';
import { advance, withFeedback, withRequest, type Talk } from '../domain/talk.js';
import { paid } from './activity-proxies.js';
import { sayError, type Turn, type TurnEnd } from './turn-answer.js';

export async function understand(turn: Turn, before: Talk): Promise<TurnEnd> {
  const talk = withRequest(before, turn.message.messageId);
  const { intent } = await paid.analyzeIntent.executeWithOptions(
    { summary: 'understand the request' },
    [{ ...callOf(turn, talk, 'intent') }],
  );
  if (intent.needs_clarification) {
    return {
      talk: { ...talk, intent },
      events: [
        {
          type: 'clarification',
          content: discussionTexts(talk.language).clarification,
          questions: intent.clarification_questions,
          partial_intent: { task: intent.task, confidence: intent.confidence },
          state: 'understand',
        },
      ],
    };
  }
  return designAndPresent(turn, { ...talk, intent }, [
    'requirements_analyzed',
    'designs_generated',
    'designs_presented',
  ]);
}

export async function critique(turn: Turn, before: Talk): Promise<TurnEnd> {
  const talk = withFeedback(before, turn.message.messageId);
  const { critiques } = await paid.critiqueDesigns.executeWithOptions(
    { summary: `criticise the designs of round ${talk.machine.round}` },
    [
      {
        ...callOf(turn, talk, 'critiques'),
        intent: intentOf(talk),
        designs: talk.designs,
        feedbackId: turn.message.messageId,
      },
    ],
  );
  const moved = advance(talk, ['feedback_received'], turn.now);
  if (moved.kind === 'invalid-transition') {
    return sayInvalid(talk, moved.validEvents);
  }
  const { round } = talk.machine;
  const feedback = turn.message.content;
  const asked = recordCritiques(ask(talk.memory, feedback), critiques);
  const memory = summarizeRound(asked, {
    round,
    feedback,
    scores: critiques.map((critique) => critique.overall_score),
  });
  return {
    talk: { ...moved.talk, critiques, memory },
    events: [
      {
        type: 'critique_complete',
        content: discussionTexts(talk.language).critiqueComplete,
        critiques,
        state: 'refine',
        round,
      },
    ],
  };
}

export async function refine(turn: Turn, before: Talk): Promise<TurnEnd> {
  const talk = withFeedback(before, turn.message.messageId);
  const key = `feedback_round_${talk.machine.round}`;
  const memory = prefer(talk.memory, key, turn.message.content);
  return designAndPresent(turn, { ...talk, memory }, [
    'refined_designs_ready',
    'designs_presented',
  ]);
}

/** After the last round the same designs are shown until the user chooses; no round is added. */
export function presentAgain(talk: Talk): TurnEnd {
  return { talk, events: [presented(talk, true)] };
}

async function designAndPresent(
  turn: Turn,
  talk: Talk,
  moves: readonly DiscussionMove[],
): Promise<TurnEnd> {
  const { designs } = await paid.generateDesigns.executeWithOptions(
    { summary: talk.designs.length === 0 ? 'draft designs' : 'revise the designs' },
    [
      {
        ...callOf(turn, talk, 'designs'),
        intent: intentOf(talk),
        previous: talk.designs,
        feedbackIds: talk.feedbackIds,
      },
    ],
  );
  const moved = advance(talk, moves, turn.now);
  if (moved.kind === 'invalid-transition') {
    return sayInvalid(talk, moved.validEvents);
  }
  const answered = talk.memory.open_questions.reduce(
    (memory, question) =>
      resolve(memory, question, designs.map((design) => design.name).join(', ')),
    talk.memory,
  );
  const next = { ...moved.talk, designs, memory: recordDesigns(answered, designs) };
  return { talk: next, events: [presented(next, isDecisionForced(next.machine))] };
}

function presented(talk: Talk, isForced: boolean): DesignsPresentedEvent {
  const texts = discussionTexts(talk.language);
  const lead = texts.designsPresented(talk.designs.length);
  return {
    type: 'designs_presented',
    content: `${lead} ${isForced ? texts.chooseNow : texts.chooseOrChange}`,
    designs: talk.designs,
    state: 'debate',
    round: talk.machine.round,
    ...(isForced ? { force_decision: true } : {}),
    ...(talk.critiques.length > 0 ? { critiques: talk.critiques } : {}),
  };
}

/** What every model call of a turn carries; texts are named by id. */
function callOf(turn: Turn, talk: Talk, purpose: 'intent' | 'designs' | 'critiques') {
  return {
    stepId: stepIdOf(turn.message.messageId, purpose),
    userId: turn.userId,
    conversationId: turn.conversationId,
    language: talk.language,
    requestIds: talk.requestIds,
    memory: memoryContext(talk.memory),
  };
}

function intentOf({ intent, language }: Talk) {
  return intent ?? unparsableIntent(language);
}

function sayInvalid(talk: Talk, validEvents: readonly string[]): TurnEnd {
  return sayError(talk, discussionTexts(talk.language).errors.invalidTransition, validEvents);
}
