import { sql } from 'kysely';
import type { PipelineId, StreamId, UserId } from '../../domain/ids.js';
import { isFinal } from '../../domain/run/results.js';
import type { Db } from '../connect.js';

/** Where a run's events are. */
export interface RunStream {
  readonly pipelineId: PipelineId;
  /** Its conversation's, or its own. */
  readonly streamId: StreamId;
  /** `seq` of the stream's newest event, of any run. */
  readonly lastSeq: number;
  /** `seq` of the run's first event; null while there is none. */
  readonly firstSeq: number | null;
  /** `seq` of the run's last event; null while it goes on. */
  readonly endSeq: number | null;
  /** No event will follow. */
  readonly hasEnded: boolean;
}

/** @returns null for a missing run and for someone else's alike */
export async function findRunStream(
  db: Db,
  userId: UserId,
  pipelineId: PipelineId,
): Promise<RunStream | null> {
  const run = await db
    .selectFrom('pipelineExecutions')
    .select(['id', 'conversationId', 'status'])
    .where('id', '=', pipelineId)
    .where('userId', '=', userId)
    .executeTakeFirst();
  if (run === undefined) {
    return null;
  }
  const streamId = run.conversationId ?? run.id;
  const { rows } = await sql<Pick<RunStream, 'lastSeq' | 'firstSeq' | 'endSeq'>>`
    select
      coalesce((select last_seq from streams where id = ${streamId}), 0)::int as last_seq,
      min(seq)::int as first_seq,
      (max(seq) filter (where event ->> 'type' = 'pipeline_result'))::int as end_seq
    from stream_events
    where stream_id = ${streamId} and event ->> 'pipeline_id' = ${run.id}`.execute(db);
  const [seqs = { lastSeq: 0, firstSeq: null, endSeq: null }] = rows;
  return { ...seqs, pipelineId: run.id, streamId, hasEnded: isFinal(run.status) };
}
