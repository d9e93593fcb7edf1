import type { ConversationId, PipelineId, StreamId } from '../../domain/ids.js';
import type { AgentEnd, Announcement } from '../../db/node-ends.js';

export interface RunOfStep {
  readonly pipelineId: PipelineId;
  readonly conversationId: ConversationId | null;
}

export function streamOf({ conversationId, pipelineId }: RunOfStep): StreamId {
  return conversationId ?? pipelineId;
}

/** The `agent_completed` event of an agent's end, and where it goes. */
export function announcementOf(
  run: RunOfStep,
  { node, agentName, status, durationSeconds, truncated }: AgentEnd,
): Announcement {
  const { pipelineId, conversationId } = run;
  return {
    streamId: streamOf(run),
    conversationId,
    step: {
      // a conversation's stream holds all its runs
      stepKey: `agent:${pipelineId}:${node}`,
      event: {
        type: 'agent_completed',
        agent_name: agentName,
        status,
        duration: durationSeconds,
        pipeline_id: pipelineId,
        node,
        ...(truncated === true ? { truncated: true as const } : {}),
      },
    },
  };
}
