/** How much of the agents at work one reader has seen. */
import { timestampOf, type AgentDeltaEvent, type LiveEvent } from '../../domain/events.js';
import type { LiveNode } from '../../events/live-store.js';
import type { LiveAgent } from './live-agents.js';

export interface LiveView {
  /**
   * Shows what the reader has not seen of it: its start, and its reply from where it was.
   *
   * @returns whether there is room for more
   */
  show(agent: LiveAgent): boolean;
}

interface Shown {
  readonly writer: string;
  readonly reply: string | null;
  /** How much of the reply, in UTF-16 code units. */
  readonly offset: number;
}

/** @param send returns whether there is room for another one; this one is sent nevertheless */
export function createLiveView(send: (event: LiveEvent) => boolean): LiveView {
  const seen = new WeakMap<LiveAgent, Shown>();
  return {
    show(agent) {
      const { started, writer, reply } = agent.known;
      const before = seen.get(agent);
      const isNew = before?.writer !== writer;
      if (isNew) {
        seen.set(agent, { writer, reply: null, offset: 0 });
        if (!send(started)) {
          return false;
        }
      }
      const offset = !isNew && before.reply === reply?.id ? before.offset : 0;
      if (reply === null || offset >= reply.text.length) {
        return true;
      }
      seen.set(agent, { writer, reply: reply.id, offset: reply.text.length });
      return send(deltaOf(agent.known, reply, offset));
    },
  };
}

function deltaOf(
  { started }: LiveNode,
  { id, text }: { readonly id: string; readonly text: string },
  offset: number,
): AgentDeltaEvent {
  const { pipeline_id, agent_name, node, conversation_id } = started;
  return {
    type: 'agent_delta',
    pipeline_id,
    agent_name,
    node,
    reply: id,
    offset,
    text: text.slice(offset),
    timestamp: timestampOf(new Date()),
    ...(conversation_id === undefined ? {} : { conversation_id }),
  };
}
