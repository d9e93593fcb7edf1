/** What agents at work have told, put together from its pieces. */
import type { AgentStartedEvent, ClientEvent } from '../domain/events.js';

/** An agent that has begun and not ended. */
export interface AgentAtWork {
  readonly started: AgentStartedEvent;
  /** Its reply so far; empty before there is one, and again when another reply begins. */
  readonly text: string;
}

export interface AgentsAtWork {
  /**
   * Takes what has come. After a lost connection the API tells again what it knows of agents at
   * work: what is known here already is left out.
   *
   * @returns what is news of it, null if nothing is
   */
  take(event: ClientEvent): ClientEvent | null;
  list(): readonly AgentAtWork[];
}

interface Agent {
  readonly started: AgentStartedEvent;
  reply: string | null;
  text: string;
}

export function createAgentsAtWork(): AgentsAtWork {
  const agents = new Map<string, Agent>();

  function start(event: AgentStartedEvent): ClientEvent | null {
    const isKnown = agents.get(keyOf(event))?.started.timestamp === event.timestamp;
    if (isKnown) {
      return null;
    }
    agents.set(keyOf(event), { started: event, reply: null, text: '' });
    return event;
  }

  return {
    take(event) {
      switch (event.type) {
        case 'agent_started':
          return start(event);
        case 'agent_delta':
          return grow(agents.get(keyOf(event)), event);
        case 'agent_completed':
          agents.delete(keyOf({ ...event, node: event.node ?? '' }));
          return event;
        case 'pipeline_result':
          for (const [key, { started }] of agents) {
            if (started.pipeline_id === event.pipeline_id) {
              agents.delete(key);
            }
          }
          return event;
        default:
          return event;
      }
    },
    list: () => [...agents.values()].map(({ started, text }) => ({ started, text })),
  };
}

function keyOf({ pipeline_id, node }: Pick<AgentStartedEvent, 'pipeline_id' | 'node'>): string {
  return `${pipeline_id} ${node}`;
}

/** @returns the part of the piece that is new, with its own offset */
function grow(
  agent: Agent | undefined,
  event: ClientEvent & { readonly type: 'agent_delta' },
): ClientEvent | null {
  if (agent === undefined) {
    return null; // the API tells of its start first
  }
  if (agent.reply !== event.reply && event.offset === 0) {
    agent.reply = event.reply;
    agent.text = '';
  }
  const offset = agent.text.length;
  const isOfReply = agent.reply === event.reply && event.offset <= offset;
  const text = isOfReply ? event.text.slice(offset - event.offset) : '';
  agent.text += text;
  return text === '' ? null : { ...event, offset, text };
}
