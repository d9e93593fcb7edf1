/**
 * A discussion as operators read it in the Temporal Web UI, whole in each run: what a workflow was
 * started with does not come along when it continues as new. The payload codec seals all of it.
 */
import type { Design } from '../../domain/design/designs.js';
import { isDecisionForced, validMoves } from '../../domain/discussion/machine.js';
import type { FailedAttempt } from '../../domain/run/failed-attempts.js';
import type { DiscussionState, StateRun } from '../../domain/discussion/state.js';
import type { DiscussionInput, DiscussionView } from './discussion.messages.js';
import { failedAttemptText } from '../pipeline/failed-attempt-text.js';
import { tableOf, timeOf, type Column } from '../markdown.js';

export interface DiscussionSnapshot {
  readonly talk: DiscussionState;
  readonly waitingMessages: number;
  /** When the work under way was begun, in milliseconds since 1970; null: there is none. */
  readonly workingSince: number | null;
  /** When work was last begun or ended. */
  readonly changedAtMs: number;
  /** The attempt of the work under way that has failed and is made again. */
  readonly failing: FailedAttempt | null;
}

export function detailsOf(input: DiscussionInput, snapshot: DiscussionSnapshot): string {
  const { talk: discussionState } = snapshot;
  const { state, round, max_rounds: maxRounds } = discussionState.machine;
  return [
    headOf(input, snapshot),
    HOW_TO_END,
    [
      `- **Conversation** \`${input.conversationId}\``,
      `- **User** \`${input.userId}\` (${input.role} when it began)`,
      `- **State** ${state}, round ${round} of ${maxRounds}`,
      `- **Messages waiting** ${snapshot.waitingMessages}`,
      `- **Run** ${runOf(discussionState.run)}`,
    ].join('\n'),
    ...(discussionState.designs.length === 0
      ? []
      : [tableOf(columnsOf(discussionState), discussionState.designs)]),
  ].join('\n\n');
}

/** Its state is being read. */
export const LOADING_DETAILS =
  '**Nothing to do yet:** its state is being read. If this lasts, look at PostgreSQL.';

/** How one run of it in Temporal has ended. */
export type DiscussionEnd = 'asleep' | 'continued' | 'cancelled';

export function finalDetailsOf(
  input: DiscussionInput,
  end: DiscussionEnd,
  endedAtMs: number,
): string {
  const since = timeOf(endedAtMs);
  const what: Readonly<Record<DiscussionEnd, string>> = {
    asleep: `asleep since ${since}; the next message begins it again where it was.`,
    continued: `it has gone on in its next run since ${since}.`,
    cancelled: `cancelled at ${since}; the next message begins it again where it was.`,
  };
  return [
    `**Nothing to do:** ${what[end]}`,
    `- **Conversation** \`${input.conversationId}\`\n- **User** \`${input.userId}\``,
  ].join('\n\n');
}

/** Only said while there is something to end. */
const HOW_TO_END =
  'To end it, request a cancellation: the next message begins it again where it was.';

function headOf(input: DiscussionInput, snapshot: DiscussionSnapshot): string {
  const { talk: discussionState, workingSince, changedAtMs, failing } = snapshot;
  if (failing !== null) {
    return `${failedAttemptText(failing)} ${failing.advice}`;
  }
  if (workingSince !== null) {
    return `**Nothing to do:** answering since ${timeOf(workingSince)}.`;
  }
  const since = timeOf(changedAtMs);
  const asleepAt = timeOf(changedAtMs + input.idleMs);
  return discussionState.run?.kind === 'admitted' && !discussionState.run.ended
    ? `**Nothing to do:** its run is under way; look at \`pipeline-${discussionState.run.pipelineId}\`.`
    : `**Nothing to do:** it waits for the next message of user \`${input.userId}\` since ${since}; without one it falls asleep at ${asleepAt}, and the next message wakes it.`;
}

function runOf(run: StateRun | null): string {
  switch (run?.kind) {
    case undefined:
      return 'none yet';
    case 'refused':
      return `refused: ${run.refusal.code}`;
    case 'admitted':
      return `\`pipeline-${run.pipelineId}\`, ${run.ended ? 'ended' : 'under way'}`;
  }
}

function columnsOf({ selected }: DiscussionState): readonly Column<Design>[] {
  return [
    { head: 'Design', cell: ({ name }) => name },
    { head: 'Agents', cell: ({ agents }) => String(agents.length) },
    { head: 'Chosen', cell: ({ name }) => (name === selected?.name ? 'yes' : '') },
  ];
}

/** What queries see of a discussion. */
export function viewOf(discussionState: DiscussionState, waitingMessages: number): DiscussionView {
  const { machine, memory, run } = discussionState;
  return {
    state: machine.state,
    round: machine.round,
    maxRounds: machine.max_rounds,
    forceDecision: isDecisionForced(machine),
    validEvents: validMoves(machine.state),
    hasDesigns: discussionState.designs.length > 0,
    hasCritiques: discussionState.critiques.length > 0,
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
