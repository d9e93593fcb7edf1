/** What the HTTP API is built from; `main.ts` makes it, tests make it with fakes. */
import type { Redis } from 'ioredis';
import type { ArchiveCipher } from '../audit/archive-cipher.js';
import type { PublicKey } from '../audit/signing.js';
import type { Config } from '../config/config.js';
import type { Db } from '../db/connect.js';
import type { SecretCipher } from '../db/users/secret-cipher.js';
import type { Rerun } from '../db/runs/admission.js';
import type { Design } from '../domain/design/designs.js';
import type { DomainError } from '../domain/errors.js';
import type { Language } from '../domain/text/languages.js';
import type { Role } from '../domain/account/permissions.js';
import type { BudgetRule, PipelineStatusView } from '../domain/run/results.js';
import type { Macs } from '../events/macs.js';
import type { RunLiveness } from '../temporal/client/runs.js';
import type { DecodePayloads } from '../temporal/remote-codec.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import type { Tracing } from '../telemetry/tracing.js';
import type { CredentialWatch } from './auth/credential-watch.js';
import type { RunControl } from './runs/control.js';
import type { RateLimiter } from './http/rate-limiter.js';
import type { EventSubscriptions } from './socket/event-subscription.js';
import type { Leases } from './socket/leases.js';
import type { Tokens } from './auth/tokens.js';

export type Admission =
  { kind: 'admitted'; pipelineId: string } | { kind: 'refused'; error: DomainError };

/** How a run was let go of. */
export type Release = 'asked-to-end' | 'closed' | 'slot-handed-on';

export interface KeyValidation {
  outcome: 'valid' | 'invalid' | 'unchecked';
  message: string;
  models: readonly string[];
}

/** What the API has workflows do, as its routes see it. */
export interface Workflows extends Omit<RunControl, 'tellSlotGranted'> {
  /** Admits and starts; resolves when the row is committed, whether or not Temporal has taken it yet. */
  startPipeline(request: {
    userId: string;
    role: Role;
    design: Design;
    /** The template that the design is of. */
    templateId?: string;
    language: Language;
    /** Default: `stop`. */
    onBudget?: BudgetRule;
    rerun?: Rerun;
  }): Promise<Admission>;
  /** Runs what the discussion has confirmed. */
  runConfirmed(request: {
    userId: string;
    role: Role;
    conversationId: string;
    /** Default: `stop`. */
    onBudget?: BudgetRule;
  }): Promise<Admission>;
  /** Resolves when the run has ended or waits for somebody, or after `waitMs`, with its row. */
  waitForEnd(
    pipelineId: string,
    options: { waitMs: number; signal: AbortSignal },
  ): Promise<PipelineStatusView>;
  readPipeline(userId: string, pipelineId: string): Promise<PipelineStatusView | null>;
  cancelPipeline(
    userId: string,
    pipelineId: string,
  ): Promise<{ kind: 'asked' | 'already-ended'; view: PipelineStatusView } | null>;
  /** What became of a run's workflow. @throws while Temporal is away */
  readLiveness(pipelineId: string): Promise<RunLiveness>;
  /**
   * Unblocks a stuck run: passes its lock on, cancels it, or closes the row.
   *
   * @returns null without such a run
   * @throws `run-ended`, `unavailable`
   */
  releaseRun(pipelineId: string): Promise<Release | null>;
  /**
   * Starts what removes a user who is disabled already, and tells every process. Never fails: what
   * is not started now, the reconciler starts.
   */
  startUserDeletion(userId: string): Promise<void>;
  /** Has ended runs archived now, where no worker has found the time yet. Never fails. */
  requestArchives(): Promise<void>;
  /** Checks a stored key with its vendor; the workflow itself records the outcome with the key. */
  validateKey(request: { userId: string; keyId: string }): Promise<KeyValidation>;
}

/** A part that the API cannot work without; each check rejects while its part is down. */
export type ReadinessChecks = Readonly<
  Record<'postgres' | 'redis' | 'temporal', () => Promise<void>>
>;

/** What the API needs of audit: it opens archives, and signs nothing. */
export interface AuditDeps {
  readonly box: Pick<ArchiveCipher, 'open'>;
  /** The one that signs now comes first. */
  readonly keys: readonly PublicKey[];
}

export type ApiConfig = Pick<
  Config,
  | 'debug'
  | 'host'
  | 'allowedHosts'
  | 'registration'
  | 'corsOrigins'
  | 'temporalUiOrigins'
  | 'trustedProxyCount'
  | 'passwordCost'
  | 'authRateLimit'
  | 'authRateWindowSeconds'
  | 'rateLimits'
  | 'pipelineTimeoutMs'
  | 'workerMetricsUrl'
  | 'eventStreamMs'
> & { readonly models: Pick<Config['models'], 'hasServerKeys' | 'simulated' | 'endpointAllowed'> };

export interface AppDeps {
  readonly db: Db;
  /** May be away at any time. */
  readonly redis: Redis;
  /** Of what is read from Redis, and shown. */
  readonly macs: Macs;
  /** The process's only one: while Redis is away, it counts locally. */
  readonly limiter: RateLimiter;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly secretCipher: SecretCipher;
  readonly audit: AuditDeps;
  readonly tokens: Tokens;
  readonly workflows: Workflows;
  readonly decodePayloads: DecodePayloads;
  /** Has every process look up what the user's open connections still may. */
  readonly userChanged: (userId: string) => Promise<void>;
  /** Notices what changes for connections while they are open. */
  readonly watch: CredentialWatch;
  /** Tells every process that the user's vendor keys are not what they were. */
  readonly keyChanged: (userId: string) => Promise<void>;
  readonly checks: ReadinessChecks;
  readonly config: ApiConfig;
  readonly eventSubscriptions: EventSubscriptions;
  /** The places that a user's connections take, sockets and event streams together. */
  readonly leases: Leases;
  /** Aborts when the process is about to end. */
  readonly stopping: AbortSignal;
  /** How often a silent event stream shows that it lives; tests shorten it. Default: 15 s. */
  readonly heartbeatMs?: number;
  /** How long the order to delete a user waits for its end; tests shorten it. Default: 3 s. */
  readonly deletionWaitMs?: number;
}
