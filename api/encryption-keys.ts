import { setTimeout as pause } from 'node:timers/promises';
import { findLackingKeys } from '../audit/encryption-keys.js';
import { ConfigError } from '../config/config.js';
import type { Db } from '../db/connect.js';
import type { Logger } from '../telemetry/logger.js';
import { endFailed } from '../telemetry/process-end.js';

const WAIT_MS = 2_000;

interface Asking {
  readonly db: Db;
  readonly encryptionKeys: readonly Buffer[];
  readonly logger: Logger;
  readonly stopping: AbortSignal;
}

/**
 * Asks whether this process has the keys that stored data needs. The API starts while PostgreSQL is
 * away: then it is asked in the background, and a process that lacks one ends.
 *
 * @throws ConfigError where a key is lacking
 */
export async function requireEncryptionKeys(asking: Asking): Promise<void> {
  try {
    const problem = await findLackingKeys(asking.db, asking.encryptionKeys);
    if (problem !== null) {
      throw new ConfigError(problem);
    }
  } catch (error) {
    if (error instanceof ConfigError) {
      throw error;
    }
    asking.logger.warn('encryption keys not checked yet, trying again', { error });
    void askOn(asking);
  }
}

async function askOn({ db, encryptionKeys, logger, stopping }: Asking): Promise<void> {
  while (!stopping.aborted) {
    await pause(WAIT_MS, undefined, { signal: stopping, ref: false }).catch(() => undefined);
    const problem = await findLackingKeys(db, encryptionKeys).catch(() => undefined);
    if (problem === null) {
      return;
    }
    if (problem !== undefined) {
      logger.error(problem);
      endFailed();
      return;
    }
  }
}
