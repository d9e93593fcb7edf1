/**
 * The one Temporal namespace that the rows of this database belong to. A worker that is led to another one
 * (by its name, or by an address where the same name means another cluster) finds none of the runs there,
 * and would end them all.
 */
import { sql } from 'kysely';
import type { Db } from './connect.js';

export interface TemporalHome {
  readonly namespace: string;
  /** Differs between clusters; null where the cluster does not tell. */
  readonly namespaceId: string | null;
}

/**
 * Takes the namespace as the database's where it has none yet.
 *
 * @returns the database's, where it is another one; null: it is this one
 */
export async function claimTemporalHome(
  db: Db,
  { namespace, namespaceId }: TemporalHome,
): Promise<TemporalHome | null> {
  const home = await db
    .insertInto('temporalHome')
    .values({ namespace, namespaceId })
    .onConflict((conflict) =>
      conflict.column('isOnly').doUpdateSet({
        // a start that could not ask, or a cluster that has begun anew, leaves it open
        namespaceId: sql`case when temporal_home.namespace = excluded.namespace
          then coalesce(temporal_home.namespace_id, excluded.namespace_id) else temporal_home.namespace_id end`,
      }),
    )
    .returning(['namespace', 'namespaceId'])
    .executeTakeFirstOrThrow();
  const isSame =
    home.namespace === namespace &&
    (namespaceId === null || home.namespaceId === null || home.namespaceId === namespaceId);
  return isSame ? null : home;
}

/** The next worker that starts takes its own. @returns what it was, or null */
export async function forgetTemporalHome(db: Db): Promise<TemporalHome | null> {
  const [home] = await db
    .deleteFrom('temporalHome')
    .returning(['namespace', 'namespaceId'])
    .execute();
  return home ?? null;
}

/** For a start that brings its own Temporal, which is the right one also where it has begun anew. */
export async function reopenTemporalHome(db: Db): Promise<void> {
  await db.updateTable('temporalHome').set({ namespaceId: null }).execute();
}
