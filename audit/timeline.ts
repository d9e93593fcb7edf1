/** A bundle as people read it: what it is of, and what happened when. */
import { checkPrompts, promptName } from './prompts.js';
import { isOf, type ContentEntry, type DataOf } from './contents.js';
import { previewOf } from '../domain/text/previews.js';

interface Moment {
  readonly at: string;
  readonly what: string;
}

const MAX_TEXT = 160;

export function timelineOf(contents: readonly ContentEntry[]): readonly string[] {
  const moments = contents
    .flatMap(momentsOf)
    .map((moment, place) => ({ ...moment, place }))
    .sort((one, other) => Date.parse(one.at) - Date.parse(other.at) || one.place - other.place);
  const lines = moments.map(({ at, what }) => `${new Date(at).toISOString()}  ${what}`);
  return [...headOf(contents), '', ...lines].map(printable);
}

function headOf(contents: readonly ContentEntry[]): readonly string[] {
  const calls = contents.filter(isOf('call')).length;
  const runs = contents.filter(isOf('run')).map(({ data }) => data);
  const codes = contents.flatMap((entry) =>
    entry.kind === 'code' && entry.data !== null ? [entry.data] : [],
  );
  const histories = contents.filter(isOf('history')).map(({ data }) => data);
  const talks = contents.filter(isOf('discussion')).map(({ data }) => data);
  return [
    ...talks.map(discussionLine),
    ...runs.flatMap((run) => runLines(run, calls)),
    ...codes.map(({ version, workflow_bundle }) => `Workflows of ${version} (${workflow_bundle})`),
    ...histories.map(({ state, events }) => `History ${state}, ${events} events`),
  ];
}

function discussionLine({ conversation_id, user_id, run_id }: DataOf<'discussion'>): string {
  return `Discussion ${conversation_id} of user ${user_id}, run ${run_id}`;
}

function runLines(run: DataOf<'run'>, calls: number): readonly string[] {
  const from = run.conversation_id === null ? '' : `, from conversation ${run.conversation_id}`;
  const provider = run.simulated ? ' of the simulated provider' : '';
  return [
    `Run ${run.pipeline_id}: ${oneLine(run.design_name)}`,
    `Of user ${run.user_id}${from}`,
    `Ended ${run.status}, cost $${run.total_cost} in ${calls} calls${provider}`,
  ];
}

function momentsOf(entry: ContentEntry): readonly Moment[] {
  switch (entry.kind) {
    case 'run':
      return runMoments(entry.data);
    case 'message':
      return [
        {
          at: entry.data.created_at,
          what: `${entry.data.role} says: ${oneLine(entry.data.content)}`,
        },
      ];
    case 'node':
      return [nodeMoment(entry.data)];
    case 'approval':
      return approvalMoments(entry.data);
    case 'call':
      return [callMoment(entry.data)];
    case 'event':
      return [eventMoment(entry.data)];
    case 'archive':
      return [
        { at: entry.data.archived_at, what: `archived by ${entry.data.archived_by.version}` },
      ];
    case 'discussion':
      return [
        { at: entry.data.started_at, what: 'this run of the discussion began' },
        { at: entry.data.closed_at, what: 'it closed' },
      ];
    case 'design':
    case 'omitted':
    case 'code':
    case 'history':
      return [];
  }
}

function runMoments(run: DataOf<'run'>): readonly Moment[] {
  return [
    { at: run.created_at, what: 'run admitted' },
    ...(run.started_at === null ? [] : [{ at: run.started_at, what: 'run started' }]),
    ...(run.ended_at === null ? [] : [{ at: run.ended_at, what: `run ended: ${run.status}` }]),
  ];
}

function nodeMoment(node: DataOf<'node'>): Moment {
  const by = node.model === null ? '' : ` by ${node.provider ?? ''} ${node.model}`;
  const text = node.status === 'success' ? node.output : (node.error ?? '');
  return {
    at: node.ended_at,
    what: `agent ${oneLine(node.node)} ended: ${node.status}${by}: ${oneLine(text)}`,
  };
}

function approvalMoments(approval: DataOf<'approval'>): readonly Moment[] {
  const node = oneLine(approval.node);
  const by = approval.decided_by === null ? 'no one' : `user ${approval.decided_by}`;
  return [
    { at: approval.requested_at, what: `agent ${node} waits for its owner` },
    ...(approval.decided_at === null
      ? []
      : [{ at: approval.decided_at, what: `agent ${node} ${approval.state} by ${by}` }]),
  ];
}

function callMoment(call: DataOf<'call'>): Moment {
  const tokens = `${call.prompt_tokens ?? '–'} + ${call.completion_tokens ?? '–'} tokens`;
  return {
    at: call.created_at,
    what: `call of ${call.provider} ${call.model}, ${call.state}: ${tokens}, $${call.cost}, request ${call.request_id ?? '–'}${promptNote(call)}`,
  };
}

function promptNote({ prompt }: DataOf<'call'>): string {
  return prompt == null ? '' : `, prompt ${prompt.sha256.slice(0, PROMPT_DIGITS)}`;
}

const PROMPT_DIGITS = 12;

/** What each call has sent, as text; of one that is not what was sent it says so. */
export function promptLines(contents: readonly ContentEntry[]): readonly string[] {
  return checkPrompts(contents).flatMap((checked) => [
    '',
    `# ${promptName(checked)}, SHA-256 ${checked.call.prompt?.sha256 ?? ''}: ${checked.kind === 'as-sent' ? 'as sent' : 'NOT WHAT WAS SENT'}`,
    ...(checked.sent?.messages ?? []).flatMap(({ role, content }) => [
      `## ${role}`,
      ...content.split('\n').map(printable),
    ]),
  ]);
}

function eventMoment(event: DataOf<'event'>): Moment {
  const { eventTime, eventType, eventId } = event;
  const type = String(eventType).replace('EVENT_TYPE_', '').toLowerCase().replaceAll('_', ' ');
  return { at: String(eventTime), what: `temporal ${String(eventId)}: ${type}${nameIn(event)}` };
}

function nameIn(event: DataOf<'event'>): string {
  const [, name] =
    /"(?:activityType|workflowType)":\{"name":"([^"]*)"/.exec(JSON.stringify(event)) ?? [];
  return name === undefined ? '' : ` ${name}`;
}

/** No text of a user, a page or a model may pretend to be a line of ours. */
function oneLine(text: string): string {
  const plain = printable(text).replace(/\s+/g, ' ').trim();
  return plain.length > MAX_TEXT ? `${previewOf(plain, MAX_TEXT)} […]` : plain;
}

/** What a file says, safe for a terminal: nothing in it moves the cursor or changes a colour. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, ' ');
}
