/** The events of the chat socket and of a run's stream, for the page at /docs. */
import type { ClientEvent } from '../../../domain/events.js';
import { html, type Html } from './html.js';

interface About {
  readonly when: string;
  readonly fields: readonly string[];
  /** Sent only to clients that ask for extended events. */
  readonly isExtended?: true;
}

/** Source: contract, websocket §3 and decision 11. */
const EVENTS: Readonly<Record<ClientEvent['type'], About>> = {
  user_message_received: {
    when: 'A message of the user is stored.',
    fields: ['content', 'message_id'],
  },
  clarification: {
    when: 'The request is not clear: questions to the user.',
    fields: ['content', 'questions', 'partial_intent', 'state'],
  },
  designs_presented: {
    when: 'Three designs, one of them recommended.',
    fields: ['content', 'designs', 'state', 'round', 'force_decision', 'critiques'],
  },
  critique_complete: {
    when: 'Each design has a critique with scores from 1 to 10.',
    fields: ['content', 'critiques', 'state', 'round'],
  },
  plan_generated: {
    when: 'The chosen design is about to run.',
    fields: ['content', 'selected_design', 'state', 'discussion_summary', 'pipeline_id'],
  },
  security_warning: {
    when: 'A message was refused because it reads like an attack.',
    fields: ['content', 'safe'],
  },
  error: {
    when: 'A message could not be taken, or an action was refused. Those of the gateway carry no seq.',
    fields: ['content', 'state', 'valid_events'],
  },
  pipeline_started: {
    when: 'A run has begun.',
    fields: ['design_name', 'agent_count', 'pipeline_id'],
  },
  agent_completed: {
    when: 'An agent has ended.',
    fields: ['agent_name', 'status', 'duration', 'node', 'truncated', 'pipeline_id'],
  },
  pipeline_failed: {
    when: 'A run failed as a whole; its result follows.',
    fields: ['reason', 'pipeline_id'],
  },
  pipeline_result: {
    when: 'A run has ended: its last event.',
    fields: ['content', 'result', 'pipeline_id'],
  },
  approval_requested: {
    when: 'An agent waits for the decision of its owner.',
    fields: ['node', 'agent_name', 'deadline', 'on_timeout', 'pipeline_id'],
    isExtended: true,
  },
  approval_decided: {
    when: 'It was approved or rejected, by the user or by its deadline.',
    fields: ['node', 'agent_name', 'decision', 'decided_by', 'pipeline_id'],
    isExtended: true,
  },
  pipeline_waiting: {
    when: 'A run waits for an approval, a budget, the end of a pause, or another run.',
    fields: ['reason', 'pipeline_id'],
    isExtended: true,
  },
  pipeline_resumed: { when: 'It goes on.', fields: ['pipeline_id'], isExtended: true },
  agent_waiting: {
    when: 'No provider that an agent may use can be called before the time of until.',
    fields: ['node', 'agent_name', 'until', 'providers', 'pipeline_id'],
    isExtended: true,
  },
  agent_started: {
    when: 'Live, not stored: an agent begins an attempt.',
    fields: ['node', 'agent_name', 'role', 'model', 'attempt', 'pipeline_id'],
    isExtended: true,
  },
  agent_delta: {
    when: 'Live, not stored: a piece of its reply.',
    fields: ['node', 'agent_name', 'reply', 'offset', 'text', 'pipeline_id'],
    isExtended: true,
  },
};

export function viewChatEvents(): Html {
  const rows = Object.entries(EVENTS).map(
    ([type, { when, fields, isExtended }]) =>
      html`<tr>
        <td><code>${type}</code></td>
        <td>${when}${isExtended === true ? ' Extended.' : ''}</td>
        <td>${fields.join(', ')}</td>
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
