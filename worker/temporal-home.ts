import { claimTemporalHome } from '../db/temporal-home.js';
import type { Db } from '../db/connect.js';
import { CALL_TIMEOUT_MS } from '../temporal/client/timeouts.js';
import type { TemporalClient } from '../temporal/connection.js';
import { readNamespaceId } from '../temporal/namespace-identity.js';

/**
 * @returns what is wrong with the cure, where the database belongs to another Temporal; null: all is well
 * @throws while Temporal or PostgreSQL does not answer
 */
export async function findForeignTemporal(
  db: Db,
  { connection }: Pick<TemporalClient, 'connection'>,
  namespace: string,
): Promise<string | null> {
  const namespaceId = await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
    readNamespaceId(connection, namespace),
  );
  const home = await claimTemporalHome(db, { namespace, namespaceId });
  if (home === null) {
    return null;
  }
  const found = home.namespace === namespace ? 'another cluster' : `the namespace "${namespace}"`;
  return `This database belongs to the namespace "${home.namespace}" of the Temporal that its runs were started in, and this worker was led to ${found}: correct TEMPORAL_NAMESPACE or TEMPORAL_ADDRESS, or, if that Temporal is no more, run npm run temporal:adopt.`;
}
