/** What a worker archives runs with, and how it orders archives. */
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { createArchiveOrders, type ArchiveOrders } from './archive-orders.js';
import type { PipelineDeps } from '../activities/pipelines.js';
import type { RunArchiveDeps } from '../activities/run-archives.js';
import { createArchiveBox } from '../audit/archive-box.js';
import { createSigner } from '../audit/signing.js';
import type { WorkerConfig as Config } from '../config/config.js';
import type { Db } from '../db/connect.js';
import type { OwnedDiscussionRun } from '../db/discussion-archives.js';
import { listClosedDiscussions } from '../temporal/client/discussions.js';
import { readClosedHistory } from '../temporal/client/archives.js';
import type { CodeVersion } from '../temporal/code-version.js';
import { createKeyRing } from '../temporal/key-ring.js';
import { createPayloadCodec } from '../temporal/payload-codec.js';
import { discussionArchiveStart } from '../temporal/client/start-options.js';
import type { Logger } from '../telemetry/logger.js';
import { createArchiveSweep, createDiscussionSweep } from './archive-sweep.js';

export interface ArchivingOptions {
  readonly client: Client;
  readonly db: Db;
  readonly config: Config;
  /** Of this process. */
  readonly code: CodeVersion;
  /** How long this worker has had nothing to do, in milliseconds. */
  readonly quietForMs: () => number;
  readonly logger: Logger;
}

/** A silent connection is not waited for: the order is repeated. */
const TIMEOUT_MS = 5_000;
/** A large history takes a few seconds; one that cannot be read keeps others waiting no longer. */
const HISTORY_TIMEOUT_MS = 30_000;
/** The first list may be long. */
const LIST_TIMEOUT_MS = 30_000;

export function archivingOf(options: ArchivingOptions) {
  const { client, config, code, quietForMs, logger } = options;
  const { encryptionKeys, audit } = config;
  const { taskQueue } = config.temporal;
  const orders = createArchiveOrders({ client, taskQueue, quietForMs, logger });
  const deps: Pick<
    RunArchiveDeps & PipelineDeps,
    'archiveBox' | 'signer' | 'codec' | 'code' | 'readClosedHistory' | 'wantArchives'
  > = {
    code,
    archiveBox: createArchiveBox(encryptionKeys),
    signer: createSigner(audit.signingKey),
    codec: createPayloadCodec(createKeyRing(encryptionKeys)),
    readClosedHistory: (run) =>
      client.withDeadline(Date.now() + HISTORY_TIMEOUT_MS, () => readClosedHistory(client, run)),
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
  { client, config, db }: ArchivingOptions,
  { wantArchives }: ArchiveOrders,
): (now: Date) => Promise<void> {
  const { taskQueue } = config.temporal;
  const sweepRuns = createArchiveSweep({ db, wantArchives });
  const sweepDiscussions = createDiscussionSweep({
    db,
    listClosed: (since) => listClosedDiscussions(client, { taskQueue, since }),
    startArchive: (run) => startArchive(client, run, taskQueue),
  });
  return async (now) => {
    const swept = await Promise.allSettled([
      sweepRuns(now),
      client.withDeadline(Date.now() + LIST_TIMEOUT_MS, () => sweepDiscussions(now)),
    ]);
    const failure = swept.find(({ status }) => status === 'rejected');
    if (failure?.status === 'rejected') {
      throw failure.reason; // each has had its turn
    }
  };
}

/** One that goes on, or has been made, is left alone. */
async function startArchive(
  client: Client,
  run: OwnedDiscussionRun,
  taskQueue: string,
): Promise<void> {
  const options = { ...discussionArchiveStart(run, taskQueue), args: [run] };
  try {
    await client.withDeadline(Date.now() + TIMEOUT_MS, () =>
      client.workflow.start('archiveWorkflow', options),
    );
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) {
      throw error;
    }
  }
}
