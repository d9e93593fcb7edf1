import { sql, type RawBuilder } from 'kysely';
import { timestampOf, type StoredEvent, type StreamEvent } from '../domain/events.js';
import type { ConversationId, PipelineId, StreamId } from '../domain/ids.js';
import type { Db, Tx } from './connect.js';
import { createStatement } from './statements.js';

export interface EventStep {
  /** Which step of the turn or run stores it; a step stores its event once. */
  readonly stepKey: string;
  readonly event: StreamEvent;
}

export interface EventEntry {
  readonly streamId: StreamId;
  readonly conversationId: ConversationId | null;
  readonly steps: readonly EventStep[];
}

/**
 * Gives events their place in their stream: 1, 2, 3 … without gaps, whichever else is written and
 * rolled back at the same time, since the stream's counter row is locked until `tx` ends. A step that
 * another transaction stores at this very moment ends `tx`: `inTransaction` runs it again.
 *
 * @returns one stored event per step, in the order of `steps`; a step that an earlier attempt has
 *   stored is returned as stored, so repeating the call changes nothing.
 */
export async function appendEvents(tx: Tx, entry: EventEntry): Promise<readonly StoredEvent[]> {
  if (entry.steps.length === 0) {
    return [];
  }
  return storedEventsOf(await appendStatement(tx, toAppendValues(entry)), entry.steps);
}

const appendStatement = createStatement<AppendValues, EventRow>(
  (value) => sql`
    with ${appendingParts(value)}
    select * from known union all select * from added`,
);

/** One stored event per step, in the order of `steps`. */
export function storedEventsOf(
  rows: readonly EventRow[],
  steps: readonly EventStep[],
): readonly StoredEvent[] {
  const byStep = new Map(rows.map((row) => [row.stepKey, row]));
  return steps.flatMap(({ stepKey }) => {
    const row = byStep.get(stepKey);
    return row === undefined ? [] : [storedEventOf(row)];
  });
}

/** The stored events with `seq` > `after`, in order, at most `limit`. */
export async function readEvents(
  db: Db,
  streamId: StreamId,
  range: { readonly after: number; readonly limit: number },
): Promise<readonly StoredEvent[]> {
  const rows = await db
    .selectFrom('streamEvents')
    .select(EVENT_COLUMNS)
    .where('streamId', '=', streamId)
    .where('seq', '>', range.after)
    .orderBy('seq')
    .limit(range.limit)
    .execute();
  return rows.map(storedEventOf);
}

/** `seq` of the stream's newest event; 0 while there is none. */
export async function lastSeq(db: Db, streamId: StreamId): Promise<number> {
  const stream = await db
    .selectFrom('streams')
    .select('lastSeq')
    .where('id', '=', streamId)
    .executeTakeFirst();
  return stream?.lastSeq ?? 0;
}

/** `seq` of the newest event of each stream that has one. */
export async function lastSeqs(
  db: Db,
  streamIds: readonly StreamId[],
): Promise<ReadonlyMap<StreamId, number>> {
  if (streamIds.length === 0) {
    return new Map();
  }
  const streams = await db
    .selectFrom('streams')
    .select(['id', 'lastSeq'])
    .where(sql<boolean>`id = any(${streamIds}::uuid[])`)
    .execute();
  return new Map(streams.map(({ id, lastSeq }) => [id, lastSeq]));
}

/** What these steps have stored, in order of `seq`. */
export async function findEvents(
  db: Db | Tx,
  streamId: StreamId,
  stepKeys: readonly string[],
): Promise<readonly StoredEvent[]> {
  const rows = await db
    .selectFrom('streamEvents')
    .select(EVENT_COLUMNS)
    .where('streamId', '=', streamId)
    .where(sql<boolean>`step_key = any(${stepKeys}::text[])`)
    .orderBy('seq')
    .execute();
  return rows.map(storedEventOf);
}

const EVENT_COLUMNS = ['seq', 'stepKey', 'event', 'conversationId', 'createdAt'] as const;

export interface EventRow {
  readonly seq: number;
  readonly stepKey: string;
  readonly event: StreamEvent;
  readonly conversationId: string | null;
  readonly createdAt: Date;
}

/**
 * Parts of a statement that append events: `known` are the rows of steps that are stored already,
 * `added` those of the others. A statement of one part each is what every turn waits for.
 *
 * @param onlyIf whether anything is added at all
 */
export function appending(entry: EventEntry, onlyIf?: RawBuilder<unknown>) {
  const values = toAppendValues(entry);
  return appendingParts((name) => sql`${values[name]}`, onlyIf);
}

export interface AppendValues {
  readonly streamId: StreamId;
  readonly conversationId: ConversationId | null;
  /** Of a stream without a conversation. */
  readonly streamPipelineId: PipelineId | null;
  readonly stepKeys: readonly string[];
  /** JSON */
  readonly events: readonly string[];
}

export function toAppendValues({ streamId, conversationId, steps }: EventEntry): AppendValues {
  return {
    streamId,
    conversationId,
    streamPipelineId: conversationId === null ? streamId : null,
    stepKeys: steps.map(({ stepKey }) => stepKey),
    events: steps.map(({ event }) => JSON.stringify(event)),
  };
}

/** The same for a statement whose text is made once. */
export function appendingParts(
  value: (name: keyof AppendValues) => RawBuilder<unknown>,
  onlyIf: RawBuilder<unknown> = sql`true`,
) {
  return sql`
    known as (
      select seq, step_key, event, conversation_id, created_at from stream_events
      where stream_id = ${value('streamId')}::uuid and step_key = any(${value('stepKeys')}::text[])
    ),
    missing as (
      select step_key, event, row_number() over (order by place) as place
      from unnest(${value('stepKeys')}::text[], ${value('events')}::json[]) with ordinality
        as step (step_key, event, place)
      where step_key not in (select step_key from known) and ${onlyIf}
    ),
    counted as (
      insert into streams as stream (id, last_seq, conversation_id, pipeline_id)
      select ${value('streamId')}::uuid, count(*), ${value('conversationId')}::uuid, ${value('streamPipelineId')}::uuid
      from missing having count(*) > 0
      on conflict (id) do update set last_seq = stream.last_seq + excluded.last_seq,
        conversation_id = excluded.conversation_id, pipeline_id = excluded.pipeline_id
      returning last_seq - (select count(*) from missing) as seq_before
    ),
    added as (
      insert into stream_events (stream_id, conversation_id, seq, step_key, event, created_at)
      select ${value('streamId')}::uuid, ${value('conversationId')}::uuid, seq_before + place, step_key, event,
        clock_timestamp() -- now() is the start of the transaction
      from counted, missing order by place
      returning seq, step_key, event, conversation_id, created_at
    )`;
}

export function storedEventOf(row: Omit<EventRow, 'stepKey'>): StoredEvent {
  return {
    ...row.event,
    seq: row.seq,
    timestamp: timestampOf(row.createdAt),
    ...(row.conversationId === null ? {} : { conversation_id: row.conversationId }),
  };
}
