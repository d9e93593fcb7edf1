import { setTimeout as pause } from 'node:timers/promises';
import { admitRun, type KeySources, type RunRequest } from '../../db/runs/admission.js';
import type { Db } from '../../db/connect.js';
import { inTransaction } from '../../db/transactions.js';
import { isOutage } from '../../domain/outages.js';
import { refusalError } from '../../domain/run/refusals.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Admission } from '../deps.js';

export type HttpRunRequest = Omit<RunRequest, 'keys' | 'order'>;

export interface AdmissionDeps {
  readonly db: Db;
  readonly keySources: KeySources;
  readonly logger: Logger;
}

/** No further try begins after this long. */
const PATIENCE_MS = 5_000;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 1_000;

/**
 * Admits a run. While PostgreSQL is away it tries again with the same id: a commit whose answer was
 * lost is found then, and the run, which will be started in any case, is not lost to who ordered it.
 *
 * @throws `not-found` without the user, and the outage that goes on
 */
export async function admit(deps: AdmissionDeps, request: HttpRunRequest): Promise<Admission> {
  const deadline = Date.now() + PATIENCE_MS;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
    try {
      return await admitOnce(deps, request);
    } catch (error) {
      if (!isOutage(error) || Date.now() + waitMs > deadline) {
        throw error;
      }
      deps.logger.warn('trying to admit a run again', { pipelineId: request.pipelineId, error });
    }
    await pause(waitMs);
  }
}

async function admitOnce(
  { db, keySources }: AdmissionDeps,
  request: HttpRunRequest,
): Promise<Admission> {
  const admission = await inTransaction(db, (tx) =>
    admitRun(tx, { ...request, keys: keySources, order: 'http' }, new Date()),
  );
  return admission.kind === 'admitted'
    ? { kind: 'admitted', pipelineId: request.pipelineId }
    : { kind: 'refused', error: refusalError(admission) };
}
