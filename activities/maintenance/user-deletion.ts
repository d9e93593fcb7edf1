/**
 * Deleting a user. Every kind of record has one place to be removed in: `STEPS`, below; what a new
 * room keeps of a user is added there.
 */
import { log } from '@temporalio/activity';
import type { Signer } from '../../audit/signing.js';
import { tombstoneOf, type Tombstone } from '../../audit/tombstone.js';
import { removeUsersPrompts } from '../../db/billing/call-prompts.js';
import type { Db } from '../../db/connect.js';
import {
  anonymiseDays,
  closeAccount,
  findUnendedRuns,
  removeConversationsOf,
  removeRepliesOf,
  removeRunsOf,
  removeUser,
} from '../../db/users/user-deletion.js';
import { utcDay } from '../../domain/account/days.js';
import type { ConversationId, PipelineId, UserId } from '../../domain/ids.js';
import type { PipelineActivities } from '../run/runs.js';

/** Each may be repeated. */
export interface UserDeletionActivities {
  /** Ends the account, where the request has not, and notifies every process. */
  closeAccount(call: UserCall): Promise<void>;
  /** @returns how many of the user's runs have not ended */
  stopRuns(call: UserCall & { readonly how: StopRequest }): Promise<{ readonly open: number }>;
  /** Ends the user's other workflows and deletes their histories, some at a time. */
  removeWorkflows(call: UserCall): Promise<{ readonly found: number; readonly refused: number }>;
  /** Removes the user's records, for a few seconds. */
  removeRecords(call: UserCall): Promise<{ readonly isDone: boolean }>;
}

interface UserCall {
  readonly userId: UserId;
}

/** `look`: those that were asked to end need time for it. `force`: they have had it. */
export type StopRequest = 'cancel' | 'look' | 'force';

export interface UserDeletionDeps {
  readonly db: Db;
  readonly now: () => Date;
  /** Signs what stays of archives. */
  readonly signer: Signer;
  readonly userWorkflows: UserWorkflows;
  /** Tells every process that the user is gone, and their vendor keys with them. */
  userGone(userId: UserId): Promise<void>;
  /** Removes what Redis holds; never fails. */
  forgetUser(userId: UserId): Promise<void>;
  forgetConversations(ids: readonly ConversationId[]): Promise<void>;
  closeRun: PipelineActivities['closeRun'];
}

export interface UserWorkflows {
  cancelRun(pipelineId: PipelineId): Promise<'asked' | 'no-workflow'>;
  terminateRun(pipelineId: PipelineId): Promise<void>;
  removeAll(userId: UserId): Promise<{ readonly found: number; readonly refused: number }>;
}

/** Less than a worker that stops waits for its activities. */
const SLICE_MS = 4_000;

export function createUserDeletionActivities(deps: UserDeletionDeps): UserDeletionActivities {
  return {
    async closeAccount({ userId }) {
      await closeAccount(deps.db, userId, deps.now());
      await deps.userGone(userId);
    },
    stopRuns: (call) => stopRuns(deps, call),
    removeWorkflows: ({ userId }) => deps.userWorkflows.removeAll(userId),
    async removeRecords({ userId }) {
      const sliceEnds = performance.now() + SLICE_MS;
      for (const removeSome of STEPS) {
        while (await removeSome(deps, userId)) {
          if (performance.now() > sliceEnds) {
            return { isDone: false };
          }
        }
      }
      await deps.forgetUser(userId);
      await removeUser(deps.db, userId, buryingOf(deps));
      log.info('user deleted', { userId });
      return { isDone: true };
    },
  };
}

/** Rows of one transaction: what goes along with them must stay far from a statement's limit. */
const BATCH = { days: 10, replies: 200, runs: 50, conversations: 20 } as const;

/** @returns whether there is more */
type Step = (deps: UserDeletionDeps, userId: UserId) => Promise<boolean>;

/** In an order in which nothing points to what is gone; the account itself comes last. */
const STEPS: readonly Step[] = [
  async ({ db }, userId) => (await anonymiseDays(db, userId, BATCH.days)) === BATCH.days,
  async ({ db }, userId) => (await removeUsersPrompts(db, userId, BATCH.replies)) === BATCH.replies,
  async ({ db }, userId) => (await removeRepliesOf(db, userId, BATCH.replies)) === BATCH.replies,
  async (deps, userId) => {
    const runs = { limit: BATCH.runs, tombstoneOf: buryingOf(deps) };
    return (await removeRunsOf(deps.db, userId, runs)) === BATCH.runs;
  },
  async (deps, userId) => {
    const talks = { limit: BATCH.conversations, tombstoneOf: buryingOf(deps) };
    const ids = await removeConversationsOf(deps.db, userId, talks);
    await deps.forgetConversations(ids);
    return ids.length === BATCH.conversations;
  },
];

function buryingOf({ signer, now }: UserDeletionDeps): (head: string) => Tombstone {
  return (head) => tombstoneOf(head, utcDay(now()), signer);
}

async function stopRuns(
  deps: UserDeletionDeps,
  { userId, how }: UserCall & { readonly how: StopRequest },
): Promise<{ readonly open: number }> {
  for (const pipelineId of how === 'look' ? [] : await findUnendedRuns(deps.db, userId)) {
    await (how === 'cancel' ? cancelRun(deps, pipelineId) : endRun(deps, pipelineId));
  }
  return { open: (await findUnendedRuns(deps.db, userId)).length };
}

/** One that no workflow has taken yet ends here. */
async function cancelRun(deps: UserDeletionDeps, pipelineId: PipelineId): Promise<void> {
  if ((await deps.userWorkflows.cancelRun(pipelineId)) === 'no-workflow') {
    const outcome = { kind: 'cancelled' } as const;
    await deps.closeRun({ pipelineId, outcome, onlyPending: true });
  }
}

async function endRun(deps: UserDeletionDeps, pipelineId: PipelineId): Promise<void> {
  log.warn('a run did not end when it was cancelled', { pipelineId });
  await deps.userWorkflows.terminateRun(pipelineId);
  await deps.closeRun({ pipelineId, outcome: { kind: 'cancelled' } });
}
