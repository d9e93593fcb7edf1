/** Archives of runs: stored once, as they were signed, and read by those who may. */
import { sql } from 'kysely';
import { isUuid, type PipelineId, type UserId } from '../../domain/ids.js';
import type { PipelineStatus } from '../../domain/run/results.js';
import type { Db, Tx } from '../connect.js';
import type { RunRecord } from '../runs/runs.js';

export interface StoredArchive {
  readonly head: string;
  readonly bundle: Buffer;
  readonly nonce: Buffer;
  readonly sealedBy: string;
}

/** @returns false, and changes nothing, if the run is gone or archived already */
export async function saveArchive(
  db: Db,
  archive: StoredArchive & { readonly pipelineId: PipelineId; readonly archivedAt: Date },
): Promise<boolean> {
  const { pipelineId, archivedAt, head, bundle, nonce, sealedBy } = archive;
  const saved = await sql<{ id: string }>`
    with run as (
      update pipeline_executions set archived_at = ${archivedAt}::timestamptz
      where id = ${pipelineId}::uuid and archived_at is null
      returning id
    )
    insert into archives (id, pipeline_id, head, bundle, nonce, sealed_by, archived_at)
    select id, id, ${head}, ${bundle}::bytea, ${nonce}::bytea, ${sealedBy},
      ${archivedAt}::timestamptz
    from run
    returning id`.execute(db);
  return saved.rows.length > 0;
}

/** An owner reads their own, an administrator all. */
export interface ArchiveReader {
  readonly userId: UserId;
  readonly mayReadAny: boolean;
}

export interface FoundArchive {
  readonly pipelineId: PipelineId;
  readonly ownerId: UserId;
  readonly status: PipelineStatus;
  /** null: not archived yet */
  readonly archive: StoredArchive | null;
}

/** Stands in for ids that are none, so that these are looked up like any other. */
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** @returns null for a missing run as for one that the reader may not see */
export async function findArchive(
  db: Db,
  pipelineId: string,
  { userId, mayReadAny }: ArchiveReader,
): Promise<FoundArchive | null> {
  const found = await db
    .selectFrom('pipelineExecutions as run')
    .leftJoin('archives as archive', 'archive.pipelineId', 'run.id')
    .select(['run.id', 'run.userId', 'run.status'])
    .select(['archive.head', 'archive.bundle', 'archive.nonce', 'archive.sealedBy'])
    .where('run.id', '=', isUuid(pipelineId) ? pipelineId : NO_ID)
    .$if(!mayReadAny, (query) => query.where('run.userId', '=', userId))
    .executeTakeFirst();
  if (found === undefined) {
    return null;
  }
  const { id, userId: ownerId, status, head, bundle, nonce, sealedBy } = found;
  const isThere = head !== null && bundle !== null && nonce !== null && sealedBy !== null;
  return {
    ...{ pipelineId: id, ownerId, status },
    archive: isThere ? { head, bundle, nonce, sealedBy } : null,
  };
}

export type EndedRun = RunRecord & {
  /** A call is under way, or was lost and will be settled as of unknown outcome. */
  readonly hasOpenCalls: boolean;
};

const HAS_OPEN_CALLS = sql<boolean>`exists (
  select from cost_ledger as call
  where call.pipeline_id = pipeline_executions.id and call.state = 'reserved')`;

/** Runs that have ended and have no archive, the oldest first. */
export async function findUnarchivedRuns(
  db: Db,
  wanted: {
    /** Those that ended then, or later. */
    readonly from: Date;
    readonly limit: number;
    /** Those that have been seen to. */
    readonly except: readonly PipelineId[];
  },
): Promise<readonly EndedRun[]> {
  return db
    .selectFrom('pipelineExecutions')
    .selectAll()
    .select(HAS_OPEN_CALLS.as('hasOpenCalls'))
    .where('endedAt', '>=', wanted.from)
    .where('archivedAt', 'is', null)
    .where(sql<boolean>`id <> all(${wanted.except}::uuid[])`)
    .orderBy('endedAt')
    .limit(wanted.limit)
    .execute();
}

/** One of them, whether it has ended or not. */
export async function findRunToArchive(db: Db, pipelineId: PipelineId): Promise<EndedRun | null> {
  const run = await db
    .selectFrom('pipelineExecutions')
    .selectAll()
    .select(HAS_OPEN_CALLS.as('hasOpenCalls'))
    .where('id', '=', pipelineId)
    .executeTakeFirst();
  return run ?? null;
}

/** Whether a run that ended before then has no archive. */
export async function isArchiveMissing(db: Db, endedBefore: Date): Promise<boolean> {
  const run = await db
    .selectFrom('pipelineExecutions')
    .select('id')
    .where('endedAt', '<', endedBefore)
    .where('archivedAt', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return run !== undefined;
}

/** Of archives whose run or conversation is locked, so that none is added meanwhile. */
export async function listHeads(
  tx: Tx,
  of: 'pipelineId' | 'conversationId',
  ids: readonly string[],
): Promise<readonly string[]> {
  if (ids.length === 0) {
    return [];
  }
  const rows = await tx.selectFrom('archives').select('head').where(of, 'in', ids).execute();
  return rows.map(({ head }) => head);
}

/** What stays of an archive that went with its user; undefined: nothing, or it is there still. */
export async function findTombstone(db: Db, head: string): Promise<unknown> {
  const row = await db
    .selectFrom('auditTombstones')
    .select('document')
    .where('head', '=', head)
    .executeTakeFirst();
  return row?.document;
}

/** Of all kinds, in the order of their ids. */
export async function findArchivesNotSealedBy(
  db: Db,
  seal: string,
  { after, limit }: { after: string | null; limit: number },
): Promise<readonly (StoredArchive & { readonly id: string })[]> {
  return db
    .selectFrom('archives')
    .select(['id', 'head', 'bundle', 'nonce', 'sealedBy'])
    .where('sealedBy', '<>', seal)
    .where('id', '>', after ?? NO_ID)
    .orderBy('id')
    .limit(limit)
    .execute();
}

/** An archive never changes otherwise, so that there is nothing to overtake. */
export async function replaceSeal(
  db: Db,
  { id, ...seal }: Omit<StoredArchive, 'head'> & { readonly id: string },
): Promise<void> {
  await db.updateTable('archives').set(seal).where('id', '=', id).execute();
}

export async function countArchivesSealedBy(db: Db, seal: string): Promise<number> {
  const { count } = await db
    .selectFrom('archives')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('sealedBy', '=', seal)
    .executeTakeFirstOrThrow();
  return count;
}
