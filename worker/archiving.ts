/** What a worker archives runs with, and how it orders archives. */
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import type { PipelineDeps } from '../activities/pipelines.js';
import type { RunArchiveDeps } from '../activities/run-archives.js';
import { createArchiveBox } from '../audit/archive-box.js';
import { createSigner } from '../audit/signing.js';
import type { Config } from '../config/config.js';
import type { Db } from '../db/connect.js';
import type { OwnedDiscussionRun } from '../db/discussion-archives.js';
import type { UnarchivedRun } from '../db/run-archives.js';
import { listClosedDiscussions } from '../temporal/closed-discussions.js';
import type { ArchiveSubject } from '../domain/archives.js';
import { readClosedHistory } from '../temporal/closed-history.js';
import type { CodeVersion } from '../temporal/code-version.js';
import { createKeyRing } from '../temporal/key-ring.js';
import { createPayloadCodec } from '../temporal/payload-codec.js';
import { archiveStart } from '../temporal/start-options.js';
import type { Logger } from '../telemetry/logger.js';
import { createArchiveSweep, createDiscussionSweep } from './archive-sweep.js';

export interface ArchivingOptions {
  readonly client: Client;
  readonly db: Db;
  readonly config: Config;
  /** Of this process. */
  readonly code: CodeVersion;
  readonly logger: Logger;
}

/** A silent connection is not waited for: the order is repeated. */
const TIMEOUT_MS = 5_000;
/** The first list may be long. */
const LIST_TIMEOUT_MS = 30_000;

export function archivingOf(options: ArchivingOptions) {
  const { client, config, code, logger } = options;
  const { encryptionKeys, audit } = config;
  const { taskQueue } = config.temporal;
  const startRun = ({ id, userId }: UnarchivedRun) =>
    startArchive(client, archiveStart({ id, userId, of: 'a run' }, taskQueue), { pipelineId: id });
  const startDiscussion = (run: OwnedDiscussionRun) => {
    const what = { id: run.runId, userId: run.userId, of: 'a discussion' } as const;
    return startArchive(client, archiveStart(what, taskQueue), run);
  };
  const deps: Pick<
    RunArchiveDeps & PipelineDeps,
    'archiveBox' | 'signer' | 'codec' | 'code' | 'readClosedHistory' | 'wantArchive'
  > = {
    code,
    archiveBox: createArchiveBox(encryptionKeys),
    signer: createSigner(audit.signingKey),
    codec: createPayloadCodec(createKeyRing(encryptionKeys)),
    readClosedHistory: (run) => readClosedHistory(client, run),
    wantArchive(run) {
      startRun(run).catch((error: unknown) => {
        logger.warn('an archive waits for the reconciler', { pipelineId: run.id, error });
      });
    },
  };
  return {
    activityDeps: deps,
    /** What the reconciler does in each round. */
    sweepArchives: sweeping(options, { startRun, startDiscussion }),
  };
}

interface Starts {
  startRun(run: UnarchivedRun): Promise<void>;
  startDiscussion(run: OwnedDiscussionRun): Promise<void>;
}

function sweeping(
  { client, config, db }: ArchivingOptions,
  { startRun, startDiscussion }: Starts,
): (now: Date) => Promise<void> {
  const { taskQueue } = config.temporal;
  const sweepRuns = createArchiveSweep({ db, startArchive: startRun });
  const sweepDiscussions = createDiscussionSweep({
    db,
    listClosed: (since) => listClosedDiscussions(client, { taskQueue, since }),
    startArchive: startDiscussion,
  });
  return async (now) => {
    await sweepRuns(now);
    await client.withDeadline(Date.now() + LIST_TIMEOUT_MS, () => sweepDiscussions(now));
  };
}

/** One that goes on, or has been made, is left alone. */
async function startArchive(
  client: Client,
  options: ReturnType<typeof archiveStart>,
  subject: ArchiveSubject,
): Promise<void> {
  try {
    await client.withDeadline(Date.now() + TIMEOUT_MS, () =>
      client.workflow.start('archiveWorkflow', { ...options, args: [subject] }),
    );
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) {
      throw error;
    }
  }
}
