/** The events of the chat socket and of a run's stream: for the page at /docs and for docs/events.md. */
import { isExtended, type ClientEvent, type LiveEvent } from '../../../domain/events.js';
import { html, type Html } from './html.js';

type EventType = ClientEvent['type'];
/** Fields that every event has, beside `type`. */
type SharedField = 'type' | 'timestamp' | 'seq' | 'conversation_id';
/** All fields of an event, those included that only some of its forms have. */
type FieldsOf<E> = E extends E ? keyof E : never;
type FieldOf<T extends EventType> = Exclude<
  FieldsOf<Extract<ClientEvent, { readonly type: T }>>,
  SharedField
>;

/** A field that is forgotten here, or that an event does not have, fails to compile. */
type EventTexts = {
  readonly [T in EventType]: {
    readonly when: string;
    readonly fields: Readonly<Record<FieldOf<T>, string>>;
  };
};

const PIPELINE_ID = { pipeline_id: 'the run' };
const AGENT = {
  node: 'key of the agent in the graph; unique in the run',
  agent_name: 'name of the agent; names may repeat',
};

/** Source: contract, websocket §3 and decision 11. */
const TEXTS: EventTexts = {
  user_message_received: {
    when: 'A message of the user is stored.',
    fields: { content: 'the message', message_id: 'UUID of the message' },
  },
  clarification: {
    when: 'The request is not clear: questions to the user.',
    fields: {
      content: 'the text to show',
      questions: 'list of questions',
      partial_intent: 'what is understood so far: `task`, and `confidence` from 0 to 1',
      state: '`understand`; `debate` or `refine` where it asks which design is meant',
    },
  },
  designs_presented: {
    when: 'Three designs, one of them recommended.',
    fields: {
      content: 'the text to show',
      designs: 'list of designs',
      state: '`debate`',
      round: '1 to 5',
      force_decision: '`true` in the last round; absent before',
      critiques: 'critiques of the designs, where there are some',
    },
  },
  critique_complete: {
    when: 'Each design has a critique with scores from 1 to 10.',
    fields: {
      content: 'the text to show',
      critiques: 'one critique per design',
      state: '`refine`',
      round: '1 to 5',
    },
  },
  plan_generated: {
    when: 'The chosen design is about to run.',
    fields: {
      content: 'the text to show',
      selected_design: 'the design',
      state: '`plan`',
      discussion_summary: '`total_rounds`, `agreements` and `preferences`',
      ...PIPELINE_ID,
    },
  },
  security_warning: {
    when: 'A message was refused because it reads like an attack.',
    fields: { content: 'the text to show', safe: '`false`' },
  },
  error: {
    when: 'A message could not be taken, or an action was refused. An error of the socket itself is not stored and has no `seq`; `code` is that of the close that follows, if one does.',
    fields: {
      content: 'the text to show',
      state: 'the discussion state, which stays',
      valid_events: 'what the discussion takes in this state',
    },
  },
  pipeline_started: {
    when: 'A run has begun.',
    fields: {
      design_name: 'name of the design',
      agent_count: 'number of agents',
      ...PIPELINE_ID,
    },
  },
  agent_completed: {
    when: 'An agent has ended.',
    fields: {
      ...AGENT,
      status: '`success` or `failed`',
      duration: 'seconds, 2 decimals',
      truncated: '`true` where the reply is not complete; absent where it is',
      ...PIPELINE_ID,
    },
  },
  pipeline_failed: {
    when: 'A run failed as a whole; its result follows.',
    fields: { reason: '`timeout` or `internal_error`', ...PIPELINE_ID },
  },
  pipeline_result: {
    when: 'A run has ended: its last event.',
    fields: {
      content: 'the text to show',
      result: 'the result: status, output, cost and each agent’s result',
      ...PIPELINE_ID,
    },
  },
  approval_requested: {
    when: 'An agent waits for the decision of its owner.',
    fields: {
      ...AGENT,
      deadline: 'ISO 8601, UTC; after it `on_timeout` is the decision',
      on_timeout: '`approve` or `reject`',
      ...PIPELINE_ID,
    },
  },
  approval_decided: {
    when: 'It was approved or rejected, by the user or by its deadline.',
    fields: {
      ...AGENT,
      decision: '`approved` or `rejected`',
      decided_by: '`user` or `deadline`',
      ...PIPELINE_ID,
    },
  },
  pipeline_waiting: {
    when: 'A run waits and has given its lock back.',
    fields: {
      reason: '`approval`, `budget`, `pause`, or `slot` (another run of the user is active)',
      ...PIPELINE_ID,
    },
  },
  pipeline_resumed: { when: 'It goes on.', fields: PIPELINE_ID },
  agent_waiting: {
    when: 'No provider that an agent may use can be called before the time of `until`.',
    fields: {
      ...AGENT,
      until: 'ISO 8601, UTC',
      providers: 'list of `provider` and `code`, why it gives no answer',
      ...PIPELINE_ID,
    },
  },
  agent_started: {
    when: 'An agent begins an attempt. What came of its reply before is void.',
    fields: {
      ...AGENT,
      role: 'role of the agent',
      model: 'the model that the design names; another one may answer',
      attempt: '1, 2, 3 …',
      ...PIPELINE_ID,
    },
  },
  agent_delta: {
    when: 'A piece of the reply that the agent is writing.',
    fields: {
      ...AGENT,
      reply: 'which reply; another one of the same node makes the one before void',
      offset: 'where the piece begins in the reply, in UTF-16 code units',
      text: 'the piece',
      ...PIPELINE_ID,
    },
  },
};

/** Live events are published and never stored. */
const LIVE: Readonly<Record<LiveEvent['type'], true>> = { agent_started: true, agent_delta: true };

export interface DescribedEvent {
  readonly type: string;
  readonly when: string;
  /** Sent only to clients that ask for extended events. */
  readonly isExtended: boolean;
  /** Not stored, without `seq`. */
  readonly isLive: boolean;
  /** By name; in Markdown. */
  readonly fields: Readonly<Record<string, string>>;
}

export const CHAT_EVENTS: readonly DescribedEvent[] = Object.entries(TEXTS).map(
  ([type, { when, fields }]) => ({
    ...{ type, when, fields },
    isExtended: isExtended({ type }),
    isLive: Object.hasOwn(LIVE, type),
  }),
);

export function viewChatEvents(): Html {
  const rows = CHAT_EVENTS.map(
    (event) =>
      html`<tr>
        <td><code>${event.type}</code></td>
        <td>
          ${plain(event.when)}${event.isExtended ? ' Extended.' : ''}${event.isLive ? ' Live.' : ''}
        </td>
        <td>${Object.keys(event.fields).join(', ')}</td>
      </tr>`,
  );
  return html`<h2 id="chat-events">chat events</h2>
    <p>
      Connect to
      <code>/api/v1/ws/chat/{conversation_id}?token=&lt;access token&gt;</code> and send
      <code>{"content": "…"}</code>. Every event has <code>type</code>, <code>timestamp</code> and,
      where it is stored, <code>seq</code>: 1, 2, 3 … per conversation.
      <code>after=&lt;seq&gt;</code> first sends what was missed; <code>events=extended</code> also
      sends the extended events. A run's events come the same way from
      <code>GET /api/v1/pipelines/{pipeline_id}/events</code>.
    </p>
    <table>
      ${rows}
    </table>`;
}

/** Markdown's backticks mean nothing in HTML. */
function plain(text: string): string {
  return text.replaceAll('`', '');
}
