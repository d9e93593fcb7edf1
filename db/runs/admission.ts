/** Who may start what, decided where it is counted: in one transaction that locks the user. */
import { sql } from 'kysely';
import type { Design } from '../../domain/design/designs.js';
import { DomainError } from '../../domain/errors.js';
import { utcDay } from '../../domain/account/days.js';
import type { ConversationId, PipelineId, UserId } from '../../domain/ids.js';
import type { Language } from '../../domain/text/languages.js';
import {
  BOUNDS,
  LIMITS,
  dailyLimitUsd,
  hasRoom,
  type Role,
} from '../../domain/account/permissions.js';
import type { Vendor } from '../../domain/agents/models.js';
import type { WaitingRun } from '../../domain/run/refusals.js';
import type { BudgetRule, WaitReason } from '../../domain/run/results.js';
import { toStorableText } from '../../domain/text/storable-text.js';
import type { Db, Tx } from '../connect.js';
import { UNENDED_STATUSES } from '../index-conditions.js';
import type { SecretCipher } from '../users/secret-cipher.js';
import { isEveryServerKeySpent } from '../billing/server-key-days.js';
import { activeRunLockHolder } from './active-run-lock.js';
import { inTransaction } from '../transactions.js';
import { isEndpointUsable } from '../users/model-endpoints.js';
import { lockUser, refuseAdmission } from '../users/users.js';

/** What could pay for a run besides the user's own keys. */
export interface KeySources {
  readonly serverKeys: boolean;
  /** Whether the simulated provider may stand in. */
  readonly simulated: boolean;
  /** `sealed_by` of the stored keys that this process can open. */
  readonly readableSeals: readonly string[];
  /** What the server's keys may pay a day; absent: without a limit. */
  readonly serverKeyLimit?: ServerKeyLimit;
}

export interface ServerKeyLimit {
  /** Of which there is a key. */
  readonly vendors: readonly Vendor[];
  /** Each key's, in US dollars, an exact decimal. */
  readonly dailyUsd: string;
}

export function keySourcesOf(
  models: {
    readonly hasServerKeys: boolean;
    readonly serverKeyVendors: readonly Vendor[];
    readonly serverKeyDailyUsd: string | null;
    readonly simulated: boolean;
  },
  secretCipher: SecretCipher,
): KeySources {
  const { serverKeyVendors: vendors, serverKeyDailyUsd: dailyUsd } = models;
  return {
    serverKeys: models.hasServerKeys,
    simulated: models.simulated,
    readableSeals: secretCipher.seals,
    ...(dailyUsd === null ? {} : { serverKeyLimit: { vendors, dailyUsd } }),
  };
}

export interface RunRequest {
  readonly pipelineId: PipelineId;
  readonly userId: UserId;
  readonly conversationId: ConversationId | null;
  readonly design: Design;
  /** The template that the design is of; default: none. */
  readonly templateId?: string;
  readonly language: Language;
  readonly keys: KeySources;
  /** Default: `stop`. */
  readonly onBudget?: BudgetRule;
  /** A run that reuses what another one's nodes have answered. */
  readonly rerun?: Rerun;
  /** Where the request came from: the two check in different orders. */
  readonly order: 'http' | 'socket';
}

export interface Rerun {
  readonly of: PipelineId;
  /** Whether that run was simulated: answers of both kinds are never mixed. */
  readonly simulated: boolean;
  readonly reusedNodes: readonly string[];
}

export type RunRefusal =
  | { readonly code: 'over-budget'; readonly spentUsd: number; readonly limitUsd: number }
  /** What others have spent stays private. */
  | { readonly code: 'over-budget'; readonly isServerKeySpent: true }
  | { readonly code: 'pipeline-waiting'; readonly waiting: WaitingRun }
  | {
      readonly code:
        | 'pipeline-running'
        | 'pipelines-per-day'
        | 'no-llm-key'
        | 'llm-key-unreadable'
        | 'rerun-mixes-models';
    };

export type RunAdmission =
  | { readonly kind: 'admitted'; readonly simulated: boolean }
  | ({ readonly kind: 'refused' } & RunRefusal);

/**
 * Admits a run: takes the user's slot, counts it against pipelines per day and inserts it as
 * `pending`. A run that is there already is admitted again, as it was.
 *
 * @throws `not-permitted` of an account that is shut or awaits its approval; `not-found` without the user or the run to be run again; `conflict` if the id is another user's run.
 */
export async function admitRun(db: Db | Tx, request: RunRequest, now: Date): Promise<RunAdmission> {
  return inTransaction(db, async (tx) => {
    const user = await lockUser(tx, request.userId);
    refuseAdmission(user);
    const { role, dailyBudgetUsd } = user;
    const limitUsd = dailyLimitUsd(role, dailyBudgetUsd);
    const snapshot = await readAdmissionSnapshot(tx, request, { day: utcDay(now), limitUsd });
    if (snapshot.known !== null) {
      return snapshot.known;
    }
    const payer = payerOf(snapshot, request.keys);
    const { waitingRun, overBudget, otherRun } = snapshot;
    const serverSpent = paysServer(payer) ? snapshot.serverSpent : null;
    const ofRecord = [waitingRun, overBudget ?? serverSpent, otherRun, checkQuota(snapshot, role)];
    const ofKeys = 'code' in payer ? payer : null;
    const inOrder =
      request.order === 'http'
        ? [...ofRecord, ofKeys, checkMix(request, payer)]
        : [ofKeys, ...ofRecord];
    const refusal = inOrder.find((it) => it !== null);
    if (refusal !== undefined) {
      return { kind: 'refused', ...refusal };
    }
    const simulated = !('code' in payer) && payer.simulated;
    await insertRun(tx, request, { simulated, now });
    return { kind: 'admitted', simulated };
  });
}

type Payer = { readonly simulated: boolean; readonly isServer: boolean } | RunRefusal;

function paysServer(payer: Payer): boolean {
  return !('code' in payer) && payer.isServer;
}

function checkMix({ rerun }: RunRequest, payer: Payer): RunRefusal | null {
  const isMixed =
    rerun !== undefined &&
    rerun.reusedNodes.length > 0 &&
    !('code' in payer) &&
    payer.simulated !== rerun.simulated;
  return isMixed ? { code: 'rerun-mixes-models' } : null;
}

/** What the database says of a user who requests a run, while the user's row is locked. */
interface AdmissionSnapshot {
  /** This very run, where an earlier try has admitted it. */
  readonly known: RunAdmission | null;
  /** The conversation's own run, where it waits without the slot. */
  readonly waitingRun: RunRefusal | null;
  readonly overBudget: RunRefusal | null;
  /** Where the day of every key of the server is spent; also read for users with keys of their own. */
  readonly serverSpent: RunRefusal | null;
  readonly otherRun: RunRefusal | null;
  /** Runs that count against the day's quota, and all that were begun. */
  readonly countedToday: number;
  readonly startedToday: number;
  /** `sealed_by` of the user's keys that may pay. */
  readonly seals: readonly string[];
  /** Whether a server that the user may use has been registered, and answers. */
  readonly hasEndpoint: boolean;
}

/** @throws `conflict` if the id is another user's run */
async function readAdmissionSnapshot(
  tx: Tx,
  { pipelineId, userId, conversationId, keys }: RunRequest,
  { day, limitUsd }: { day: string; limitUsd: string | null },
): Promise<AdmissionSnapshot> {
  const found = await tx
    .selectFrom('users')
    .leftJoin('pipelineExecutions as known', (join) => join.on('known.id', '=', pipelineId))
    .leftJoin('userDailyCosts as overspent', (join) =>
      join
        .onRef('overspent.userId', '=', 'users.id')
        .on('overspent.date', '=', day)
        .on('overspent.totalCost', '>=', limitUsd),
    )
    .leftJoin('pipelineExecutions as waiting', (join) =>
      join
        .on('waiting.conversationId', '=', conversationId)
        .on('waiting.status', 'in', UNENDED_STATUSES)
        .on('waiting.holdsSlot', '=', false),
    )
    .select(['known.userId as owner', 'known.simulated', 'overspent.totalCost as spentUsd'])
    .select(['waiting.id as waitingId', 'waiting.designName', 'waiting.waitingFor'])
    .select((eb) => [
      eb.exists(activeRunLockHolder(tx, userId)).as('isSlotTaken'),
      isEveryServerKeySpent(keys.serverKeyLimit, day).as('isServerSpent'),
      eb
        .selectFrom('pipelineExecutions')
        .select(({ fn }) => fn.countAll<number>().as('counted'))
        .where('userId', '=', userId)
        .where('countedOn', '=', day)
        .as('countedToday'),
      eb
        .selectFrom('pipelineExecutions')
        .select(({ fn }) => fn.countAll<number>().as('started'))
        .where('userId', '=', userId)
        .where('createdAt', '>=', new Date(`${day}T00:00:00Z`))
        .as('startedToday'),
      sql<readonly string[]>`array(${payingKeys(tx, userId)})`.as('seals'),
      eb.exists(isEndpointUsable(tx, userId)).as('hasEndpoint'),
    ])
    .where('users.id', '=', userId)
    .executeTakeFirstOrThrow();
  const {
    owner,
    simulated,
    spentUsd,
    isSlotTaken: isActiveRunLocked,
    countedToday,
    startedToday,
    isServerSpent,
    seals,
    hasEndpoint,
  } = found;
  if (owner !== null && owner !== userId) {
    throw new DomainError('conflict', `pipeline ${pipelineId} exists already`);
  }
  return {
    known: owner === null ? null : { kind: 'admitted', simulated: simulated === true },
    waitingRun: waitingIn(found),
    overBudget:
      spentUsd === null
        ? null
        : { code: 'over-budget', spentUsd: Number(spentUsd), limitUsd: Number(limitUsd) },
    serverSpent: isServerSpent ? { code: 'over-budget', isServerKeySpent: true } : null,
    otherRun: isActiveRunLocked ? { code: 'pipeline-running' } : null,
    countedToday: countedToday ?? 0,
    startedToday: startedToday ?? 0,
    seals,
    hasEndpoint: hasEndpoint === true,
  };
}

function waitingIn(found: {
  readonly waitingId: PipelineId | null;
  readonly designName: string | null;
  readonly waitingFor: WaitReason | null;
}): RunRefusal | null {
  const { waitingId: pipelineId, designName, waitingFor } = found;
  return pipelineId === null
    ? null
    : {
        code: 'pipeline-waiting',
        waiting: { pipelineId, designName: designName ?? '', waitingFor },
      };
}

/** A run that made no call gives its count back, but not its start. */
function checkQuota(
  { countedToday, startedToday }: AdmissionSnapshot,
  role: Role,
): RunRefusal | null {
  const { maxPipelinesPerDay } = LIMITS[role];
  const { maxStartsPerDay } = BOUNDS[role];
  const isWithin =
    hasRoom(countedToday, maxPipelinesPerDay) && hasRoom(startedToday, maxStartsPerDay);
  return isWithin ? null : { code: 'pipelines-per-day' };
}

/** Which keys pay: the user's own, else the server's, else those of endpoints, else none for the simulated provider. */
export async function findPayer(
  db: Db,
  { userId, keys }: Pick<RunRequest, 'userId' | 'keys'>,
): Promise<Payer> {
  const [own, endpoints] = await Promise.all([
    payingKeys(db, userId).execute(),
    isEndpointUsable(db, userId).limit(1).execute(),
  ]);
  const seals = own.map(({ sealedBy }) => sealedBy);
  return payerOf({ seals, hasEndpoint: endpoints.length > 0 }, keys);
}

function payingKeys(db: Db | Tx, userId: UserId) {
  return db
    .selectFrom('userLlmKeys')
    .select('sealedBy')
    .where('userId', '=', userId)
    .where('isActive', '=', true)
    .where('isValid', '=', true);
}

function payerOf(
  { seals, hasEndpoint }: Pick<AdmissionSnapshot, 'seals' | 'hasEndpoint'>,
  keys: KeySources,
): Payer {
  if (seals.length > 0) {
    return seals.some((seal) => keys.readableSeals.includes(seal))
      ? { simulated: false, isServer: false }
      : { code: 'llm-key-unreadable' };
  }
  if (!keys.serverKeys && hasEndpoint) {
    return { simulated: false, isServer: false };
  }
  if (keys.serverKeys || keys.simulated) {
    return { simulated: !keys.serverKeys, isServer: keys.serverKeys };
  }
  return { code: 'no-llm-key' };
}

/** Longest name that the column takes, in characters. */
const DESIGN_NAME_LENGTH = 255;

async function insertRun(
  tx: Tx,
  request: RunRequest,
  { simulated, now }: { simulated: boolean; now: Date },
): Promise<void> {
  const { design, rerun } = request;
  if (rerun !== undefined) {
    await keepSource(tx, rerun.of);
  }
  await tx
    .insertInto('pipelineExecutions')
    .values({
      id: request.pipelineId,
      userId: request.userId,
      conversationId: request.conversationId,
      designName: Array.from(toStorableText(design.name)).slice(0, DESIGN_NAME_LENGTH).join(''),
      design: JSON.stringify(design),
      templateId: request.templateId ?? null,
      language: request.language,
      simulated,
      holdsSlot: true,
      holdsConversation: request.conversationId !== null,
      onBudget: request.onBudget ?? 'stop',
      rerunOf: rerun?.of ?? null,
      reusedNodes: JSON.stringify(rerun?.reusedNodes ?? []),
      countedOn: utcDay(now),
      agentCount: design.agents.length,
      createdAt: now,
    })
    .execute();
}

/** Keeps the source run from being removed until the new run refers to it. */
async function keepSource(tx: Tx, pipelineId: PipelineId): Promise<void> {
  const source = await tx
    .selectFrom('pipelineExecutions')
    .select('id')
    .where('id', '=', pipelineId)
    .forKeyShare()
    .executeTakeFirst();
  if (source === undefined) {
    throw new DomainError('not-found', 'Pipeline run not found');
  }
}

/**
 * Counts a conversation against its user's discussions per day, once, at its first echo.
 *
 * @param turn `day` is the UTC day, `YYYY-MM-DD`.
 * @throws `not-found` if the user has no such conversation.
 */
export async function countDiscussion(
  tx: Tx,
  turn: {
    readonly conversationId: ConversationId;
    readonly userId: UserId;
    readonly day: string;
  },
): Promise<'ok' | 'discussions-per-day'> {
  const { role } = await lockUser(tx, turn.userId);
  if (await isCounted(tx, turn)) {
    return 'ok';
  }
  const { counted } = await tx
    .selectFrom('conversations')
    .select((eb) => eb.fn.countAll<number>().as('counted'))
    .where('userId', '=', turn.userId)
    .where('countedOn', '=', turn.day)
    .executeTakeFirstOrThrow();
  if (!hasRoom(counted, LIMITS[role].maxDiscussionsPerDay)) {
    return 'discussions-per-day';
  }
  await tx
    .updateTable('conversations')
    .set({ countedOn: turn.day })
    .where('id', '=', turn.conversationId)
    .execute();
  return 'ok';
}

async function isCounted(
  tx: Tx,
  turn: { readonly conversationId: ConversationId; readonly userId: UserId },
): Promise<boolean> {
  const conversation = await tx
    .selectFrom('conversations')
    .select('countedOn')
    .where('id', '=', turn.conversationId)
    .where('userId', '=', turn.userId)
    .executeTakeFirst();
  if (conversation === undefined) {
    throw new DomainError('not-found', `conversation ${turn.conversationId} does not exist`);
  }
  return conversation.countedOn !== null;
}
