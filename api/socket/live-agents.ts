/** The agents of one stream that are at work, as this process knows them. */
import type { StoredEvent } from '../../domain/events.js';
import type { PipelineId } from '../../domain/ids.js';
import type { LiveMessage } from '../../events/bus.js';
import type { LiveNode, NodeRef } from '../../events/live-store.js';

export interface LiveAgent extends NodeRef {
  known: LiveNode;
  /** Readers who have come so far see nothing more of it; infinite while it works. */
  endSeq: number;
}

export interface LiveAgents {
  all(): Iterable<LiveAgent>;
  open(): readonly LiveAgent[];
  find(ref: NodeRef): LiveAgent | null;
  /** Whether what is still told of it comes from an attempt that has not noticed its end. */
  isOver(ref: NodeRef): boolean;
  /** Takes over what has been found of it, unless it is over. */
  put(found: LiveAgent): void;
  /** What has ended stays known as ended until its run has, without its text. */
  note(events: readonly StoredEvent[]): void;
}

export function keyOf({ pipelineId, node }: NodeRef): string {
  return `${pipelineId} ${node}`;
}

export function createLiveAgents(): LiveAgents {
  const agents = new Map<string, LiveAgent>();
  let lastEndedRun: PipelineId | null = null;

  function isOver(ref: NodeRef): boolean {
    const endSeq = agents.get(keyOf(ref))?.endSeq ?? Infinity;
    return endSeq < Infinity || ref.pipelineId === lastEndedRun;
  }

  function end(ref: NodeRef, seq: number): void {
    const agent = agents.get(keyOf(ref));
    if (agent !== undefined) {
      agent.endSeq = seq;
      agent.known = { ...agent.known, reply: null };
    }
  }

  function endRun(pipelineId: PipelineId): void {
    lastEndedRun = pipelineId;
    for (const [key, agent] of agents) {
      if (agent.pipelineId === pipelineId) {
        agents.delete(key);
      }
    }
  }

  return {
    all: () => agents.values(),
    open: () => [...agents.values()].filter((agent) => !isOver(agent)),
    find: (ref) => agents.get(keyOf(ref)) ?? null,
    isOver,
    put(found) {
      if (isOver(found)) {
        return;
      }
      const agent = agents.get(keyOf(found));
      if (agent === undefined) {
        agents.set(keyOf(found), found);
      } else {
        Object.assign(agent, found); // cursors know it by its identity
      }
    },
    note(events) {
      for (const event of events) {
        if (event.type === 'pipeline_result') {
          endRun(event.pipeline_id);
        } else if (event.type === 'agent_completed') {
          end({ pipelineId: event.pipeline_id, node: event.node ?? '' }, event.seq);
        }
      }
    },
  };
}

/** @returns false if the piece does not fit: something has been missed */
export function grow(agent: LiveAgent, { piece }: LiveMessage): boolean {
  if (piece === undefined) {
    return false;
  }
  const { known } = agent;
  const text = known.reply?.id === piece.reply ? known.reply.text : '';
  if (piece.offset > text.length) {
    return false;
  }
  const updates = piece.text.slice(text.length - piece.offset);
  agent.known = { ...known, reply: { id: piece.reply, text: text + updates } };
  return true;
}
