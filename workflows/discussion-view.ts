/** What queries see of a discussion. */
import { isDecisionForced, validMoves } from '../domain/discussion.js';
import type { Talk } from '../domain/talk.js';
import type { DiscussionView } from './discussion.messages.js';

export function viewOf(talk: Talk, waitingMessages: number): DiscussionView {
  const { machine, memory, run } = talk;
  return {
    state: machine.state,
    round: machine.round,
    maxRounds: machine.max_rounds,
    forceDecision: isDecisionForced(machine),
    validEvents: validMoves(machine.state),
    hasDesigns: talk.designs.length > 0,
    hasCritiques: talk.critiques.length > 0,
    memorySummary: {
      agreements: memory.agreements.length,
      openQuestions: memory.open_questions.length,
      preferences: Object.keys(memory.user_preferences).length,
      roundsCompleted: memory.round_summaries.length,
    },
    waitingMessages,
    pipelineId: run?.kind === 'admitted' ? run.pipelineId : null,
  };
}
