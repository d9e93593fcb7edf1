/** What a worker archives runs with, and how it orders archives. */
import type { PipelineDeps } from '../../activities/run/runs.js';
import type { RunArchiveDeps } from '../../activities/maintenance/run-archives.js';
import { createArchiveCipher } from '../../audit/archive-cipher.js';
import { createSigner } from '../../audit/signing.js';
import type { WorkerConfig as Config } from '../../config/config.js';
import type { Db } from '../../db/connect.js';
import { readClosedHistory, startDiscussionArchive } from '../../temporal/client/archives.js';
import { listClosedDiscussions } from '../../temporal/client/discussions.js';
import {
  LONG_CALL_TIMEOUT_MS,
  withTimeout,
  type Temporal,
} from '../../temporal/client/timeouts.js';
import type { CodeVersion } from '../../temporal/code-version.js';
import { createKeyRing } from '../../temporal/key-ring.js';
import { createPayloadCodec } from '../../temporal/payload-codec.js';
import type { Logger } from '../../telemetry/logger.js';
import { createArchiveRequests, type ArchiveRequests } from './requests.js';
import { createArchiveSweep, createDiscussionSweep } from './sweep.js';

export interface ArchivingOptions {
  readonly temporal: Temporal;
  readonly db: Db;
  readonly config: Config;
  /** Of this process. */
  readonly code: CodeVersion;
  /** How long this worker has had nothing to do, in milliseconds. */
  readonly quietForMs: () => number;
  readonly logger: Logger;
}

export function archivingOf(options: ArchivingOptions) {
  const { temporal, config, code, quietForMs, logger } = options;
  const { encryptionKeys, audit } = config;
  const orders = createArchiveRequests({ temporal, quietForMs, logger });
  const deps: Pick<
    RunArchiveDeps & PipelineDeps,
    'archiveCipher' | 'signer' | 'codec' | 'code' | 'readClosedHistory' | 'wantArchives'
  > = {
    code,
    archiveCipher: createArchiveCipher(encryptionKeys),
    signer: createSigner(audit.signingKey),
    codec: createPayloadCodec(createKeyRing(encryptionKeys)),
    readClosedHistory: (run) => readClosedHistory(temporal, run),
    wantArchives: orders.wantArchives,
  };
  return {
    activityDeps: deps,
    /** What the reconciler does in each round. */
    sweepArchives: sweeping(options, orders),
    close: orders.close,
  };
}

function sweeping(
  { temporal, db }: ArchivingOptions,
  { wantArchives }: ArchiveRequests,
): (now: Date) => Promise<void> {
  const sweepRuns = createArchiveSweep({ db, wantArchives });
  const sweepDiscussions = createDiscussionSweep({
    db,
    listClosed: (since) => listClosedDiscussions(temporal, since),
    startArchive: (run) => startDiscussionArchive(temporal, run),
  });
  return async (now) => {
    const swept = await Promise.allSettled([
      sweepRuns(now),
      withTimeout(temporal, () => sweepDiscussions(now), LONG_CALL_TIMEOUT_MS),
    ]);
    const failure = swept.find(({ status }) => status === 'rejected');
    if (failure?.status === 'rejected') {
      throw failure.reason; // each has had its turn
    }
  };
}
