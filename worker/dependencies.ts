/** Small pieces of a worker's wiring that are more than a name. */
import type { Redis } from 'ioredis';
import type { WorkerConfig as Config } from '../config/config.js';
import { findPayer, keySourcesOf } from '../db/runs/admission.js';
import { connectDb, type Db } from '../db/connect.js';
import { openKey, recordValidation } from '../db/users/llm-keys.js';
import { findEndpoint, openEndpoint, recordEndpointCheck } from '../db/users/model-endpoints.js';
import { checkEndpoint } from '../llm/providers/endpoint.js';
import type { SecretCipher } from '../db/users/secret-cipher.js';
import { DomainError } from '../domain/errors.js';
import type { UserId } from '../domain/ids.js';
import type { DiscussionDeps } from '../activities/discussion/records.js';
import type { NodeDeps } from '../activities/node/run-node.js';
import type { LlmKeyDeps } from '../activities/maintenance/llm-keys.js';
import type { UserDeletionDeps } from '../activities/maintenance/user-deletion.js';
import { announceEvents } from '../events/announce.js';
import { createBus, type Bus } from '../events/bus.js';
import { createLiveWriters } from '../events/live-writer.js';
import { createMacs, type Macs } from '../events/macs.js';
import { writeSessionView } from '../events/session-view.js';
import { forgetConversations, forgetUser } from '../events/user-keys.js';
import { cancelRun } from '../temporal/client/runs.js';
import type { Temporal } from '../temporal/client/timeouts.js';
import { removeUserWorkflows, terminateRun } from '../temporal/client/users.js';
import type { Logger } from '../telemetry/logger.js';

export function openDb(config: Config, logger: Logger): Db {
  return connectDb({
    url: config.databaseUrl,
    poolSize: config.databasePoolSize,
    applicationName: 'agentforge-worker',
    onIdleError: (error) => {
      logger.warn('postgres connection lost', { error });
    },
  });
}

/** The bus, and what its messages are signed with: other things in Redis are, too. */
export function openBus(config: Config, logger: Logger): { bus: Bus; macs: Macs } {
  const macs = createMacs(config.encryptionKeys);
  return { bus: createBus({ redisUrl: config.redisUrl, logger, macs }), macs };
}

export function limitsOf(config: Config): { idleMs: number; maxHistoryEvents: number } {
  return {
    idleMs: config.discussionIdleMs,
    maxHistoryEvents: config.discussionMaxHistoryEvents,
  };
}

/** The environment's settings that activities read, under the same names. */
export function settingsOf(config: Config) {
  const { collectorUrl, collectorSecret, collectorAllowed } = config;
  const { pipelineTimeoutMs, modelCallTimeoutMs, retention } = config;
  return {
    ...{ collectorUrl, collectorSecret, collectorAllowed },
    ...{ pipelineTimeoutMs, modelCallTimeoutMs, retention },
  };
}

/** Which keys pay: what admission asks of the record, and a discussion's call of a user. */
export function payersOf(deps: { db: Db; config: Config; secretCipher: SecretCipher }) {
  const { db, config, secretCipher } = deps;
  const keySources = keySourcesOf(config.models, secretCipher);
  return {
    keySources,
    async usesSimulated(userId: UserId): Promise<boolean> {
      const payer = await findPayer(db, { userId, keys: keySources });
      return 'simulated' in payer && payer.simulated;
    },
  };
}

/** Notifications to connected clients. A lost one costs only time. */
export function publishers({
  bus,
  redis,
  macs,
  logger,
}: {
  bus: Bus;
  redis: Redis;
  macs: Macs;
  logger: Logger;
}): Pick<DiscussionDeps & NodeDeps, 'publish' | 'showSession' | 'openLive'> {
  return {
    openLive: createLiveWriters({ redis, macs, logger }),
    publish: (streamId, events) => void announceEvents({ bus, redis }, streamId, events),
    showSession({ conversationId, userId }, discussionState, lastSeq) {
      const { state, round } = discussionState.machine;
      const { designs, version } = discussionState;
      const view = { userId, state, round, version, designs, lastSeq };
      void writeSessionView({ redis, macs }, conversationId, view);
    },
  };
}

/** Where a user is besides the record: in Temporal, in Redis, and in the memory of processes. */
export function userTracesOf({
  temporal,
  bus,
  redis,
}: {
  temporal: Temporal;
  bus: Bus;
  redis: Redis;
}): Pick<UserDeletionDeps, 'userWorkflows' | 'userGone' | 'forgetUser' | 'forgetConversations'> {
  return {
    userWorkflows: {
      cancelRun: (pipelineId) => cancelRun(temporal, pipelineId),
      terminateRun: (pipelineId) => terminateRun(temporal, pipelineId),
      removeAll: (userId) => removeUserWorkflows(temporal, userId),
    },
    async userGone(userId) {
      await Promise.all([bus.publishUserGone(userId), bus.publishKeyChanged(userId)]);
    },
    forgetUser: (userId) => forgetUser(redis, userId),
    forgetConversations: (ids) => forgetConversations(redis, ids),
  };
}

export function keyStoreOf(deps: {
  db: Db;
  secretCipher: SecretCipher;
  bus: Bus;
}): Pick<LlmKeyDeps, 'openKey' | 'recordVerdict' | 'keyChanged'> {
  const { db, secretCipher, bus } = deps;
  return {
    async openKey(userId, keyId) {
      try {
        return await openKey(db, secretCipher, { userId, keyId });
      } catch (error) {
        if (error instanceof DomainError) {
          return null; // gone, or sealed by a key that is no more
        }
        throw error;
      }
    },
    recordVerdict: (verdict) => recordValidation(db, verdict),
    keyChanged: (userId) => void bus.publishKeyChanged(userId),
  };
}

/** The check of a server that was registered: what it does not do is kept with it. */
export function endpointChecksOf(deps: {
  db: Db;
  secretCipher: SecretCipher;
  config: Config;
}): Pick<LlmKeyDeps, 'checkEndpoint'> {
  const { db, secretCipher } = deps;
  const { endpointAllowed: allowed } = deps.config.models;
  return {
    async checkEndpoint({ userId, id }, options) {
      const row =
        (await findEndpoint(db, { id, userId })) ?? (await findEndpoint(db, { id, userId: null }));
      if (row === undefined) {
        return null;
      }
      const { endpoint, apiKey } = openEndpoint(secretCipher, row);
      const found = await checkEndpoint({ allowed }, endpoint, { ...options, apiKey });
      const isFinal = found.kind === 'invalid';
      await recordEndpointCheck(
        db,
        id,
        found.kind === 'valid' ? found : { problem: found.problem, isFinal },
      );
      return found.kind;
    },
  };
}
