/**
 * A discussion as operators read it in the Temporal Web UI, whole in each run: what a workflow was
 * started with does not come along when it continues as new. The payload codec seals all of it.
 */
import type { Design } from '../domain/designs.js';
import type { Talk, TalkRun } from '../domain/talk.js';
import type { DiscussionInput } from './discussion.messages.js';
import { tableOf, timeOf, type Column } from './markdown.js';

export interface Standing {
  readonly talk: Talk;
  readonly waitingMessages: number;
  /** When the work under way was begun, in milliseconds since 1970; null: there is none. */
  readonly workingSince: number | null;
}

export function detailsOf(input: DiscussionInput, standing: Standing): string {
  const { talk } = standing;
  const { state, round, max_rounds: maxRounds } = talk.machine;
  return [
    headOf(standing),
    [
      `- **Conversation** \`${input.conversationId}\``,
      `- **User** \`${input.userId}\` (${input.role} when it began)`,
      `- **State** ${state}, round ${round} of ${maxRounds}`,
      `- **Messages waiting** ${standing.waitingMessages}`,
      `- **Run** ${runOf(talk.run)}`,
    ].join('\n'),
    ...(talk.designs.length === 0 ? [] : [tableOf(columnsOf(talk), talk.designs)]),
  ].join('\n\n');
}

function headOf({ talk, workingSince }: Standing): string {
  if (workingSince !== null) {
    return `**Nothing to do:** answering since ${timeOf(workingSince)}.`;
  }
  return talk.run?.kind === 'admitted' && !talk.run.ended
    ? '**Nothing to do:** its run is under way; look there.'
    : '**Nothing to do:** it is the turn of the user.';
}

function runOf(run: TalkRun | null): string {
  switch (run?.kind) {
    case undefined:
      return 'none yet';
    case 'refused':
      return `refused: ${run.refusal.code}`;
    case 'admitted':
      return `\`pipeline-${run.pipelineId}\`, ${run.ended ? 'ended' : 'under way'}`;
  }
}

function columnsOf({ selected }: Talk): readonly Column<Design>[] {
  return [
    { head: 'Design', cell: ({ name }) => name },
    { head: 'Agents', cell: ({ agents }) => String(agents.length) },
    { head: 'Chosen', cell: ({ name }) => (name === selected?.name ? 'yes' : '') },
  ];
}
