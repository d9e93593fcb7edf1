/** Networks from which users have signed in, as hashes; of each user the latest few, for a while. */
import { sql } from 'kysely';
import type { UserId } from '../../domain/ids.js';
import type { Db, Tx } from '../connect.js';

/** Home, office, telephone and some more. */
const MAX_NETWORKS = 20;
const REMEMBERED_DAYS = 90;

export interface SignInNetwork {
  readonly userId: UserId;
  readonly networkHash: string;
}

export async function isKnownNetwork(
  db: Db,
  { userId, networkHash }: SignInNetwork,
): Promise<boolean> {
  const known = await db
    .selectFrom('signInNetworks')
    .select('userId')
    .where('userId', '=', userId)
    .where('networkHash', '=', networkHash)
    .where('lastUsedAt', '>', oldest())
    .executeTakeFirst();
  return known !== undefined;
}

export async function rememberNetwork(
  tx: Tx,
  { userId, networkHash }: SignInNetwork,
): Promise<void> {
  await tx
    .insertInto('signInNetworks')
    .values({ userId, networkHash })
    .onConflict((conflict) =>
      conflict.columns(['userId', 'networkHash']).doUpdateSet({ lastUsedAt: new Date() }),
    )
    .execute();
  await tx
    .deleteFrom('signInNetworks')
    .where('userId', '=', userId)
    .where((where) =>
      where.or([
        where('lastUsedAt', '<=', oldest()),
        where(
          'networkHash',
          'not in',
          where
            .selectFrom('signInNetworks as latest')
            .select('latest.networkHash')
            .where('latest.userId', '=', userId)
            .orderBy('latest.lastUsedAt', 'desc')
            .limit(MAX_NETWORKS),
        ),
      ]),
    )
    .execute();
}

function oldest() {
  return sql<Date>`now() - make_interval(days => ${REMEMBERED_DAYS})`;
}
