import { Context } from '@temporalio/activity';
import type { AgentSpec } from '../../domain/designs.js';
import type { LiveWriter, OpenLiveWriter } from '../../events/live-writer.js';
import type { AgentCall } from './context.js';

/** Tells that an agent is at work, in the stream of its run. */
export function announceAgent(
  openLive: OpenLiveWriter,
  { pipelineId, conversationId, node, timeoutMs }: AgentCall,
  { name, role, llm_model }: AgentSpec,
): LiveWriter {
  return openLive({
    streamId: conversationId ?? pipelineId,
    silenceMs: timeoutMs,
    started: {
      pipeline_id: pipelineId,
      agent_name: name,
      node,
      role,
      model: llm_model,
      attempt: Context.current().info.attempt,
      ...(conversationId === null ? {} : { conversation_id: conversationId }),
    },
  });
}
