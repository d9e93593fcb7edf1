import { log } from '@temporalio/activity';
import type { Design } from '../../domain/design/designs.js';
import type { PlanGeneratedEvent, StoredEvent, StreamEvent } from '../../domain/events.js';
import type { ConversationId, MessageId, PipelineId, UserId } from '../../domain/ids.js';
import type { Language } from '../../domain/text/languages.js';
import { isKept, messageText } from '../../domain/discussion/message-texts.js';
import type { Refusal } from '../../domain/run/refusals.js';
import { remember, type DiscussionState, type TurnPlan } from '../../domain/discussion/state.js';
import type { Db, Tx } from '../../db/connect.js';
import { admitRun, type KeySources } from '../../db/runs/admission.js';
import {
  readDiscussion,
  readTurnContext,
  saveDiscussion,
} from '../../db/discussions/discussions.js';
import { inTransaction, retryTransaction } from '../../db/transactions.js';
import { storeTurnEnd, type TurnStored } from '../../db/discussions/turns.js';
import { answerKey, begin, isAnswered, type MessageCall } from './begin.js';

/** The records of a discussion: one short transaction each, safe to repeat. */
export interface DiscussionActivities {
  /** The state after the last turn, for a revival, or where what was carried over cannot be read. */
  loadDiscussion(call: LoadDiscussionCall): Promise<LoadedDiscussion>;
  /**
   * Stores and echoes a message, counts its conversation once against the day's discussions, and
   * plans what it leads to. The plan is made here so that history records it: the words that
   * approve or cancel may change between releases.
   */
  beginTurn(call: MessageCall): Promise<TurnBeginning>;
  /**
   * Stores a turn's events, the assistant's message rows and the new state together.
   *
   * @returns what the turn has led to where an attempt that history does not know of has ended it; else null
   */
  endTurn(call: EndTurnCall): Promise<Overtaken | null>;
  /** Stores a state that no turn has stored: of a run that the API has admitted. */
  saveTalk(call: TurnCall & { readonly state: DiscussionState }): Promise<void>;
  /** Admits a run and stores its `plan_generated` in one transaction, or says why not. */
  admitPlan(call: AdmitPlanCall): Promise<PlanAdmission>;
}

export interface LoadDiscussionCall {
  readonly conversationId: ConversationId;
  /** Why the state that was carried over cannot be read. */
  readonly problem?: string;
}

export interface LoadedDiscussion {
  readonly talk: DiscussionState | null;
  /** Of a stored state that cannot be read; `talk` is null then. */
  readonly lostVersion?: number;
}

export interface TurnCall {
  readonly conversationId: ConversationId;
  readonly userId: UserId;
}

export type TurnBeginning =
  | { readonly kind: 'begun'; readonly language: Language; readonly plan: TurnPlan }
  /** Answered by an attempt that history does not know of; `talk` is the state since then. */
  | { readonly kind: 'taken-before'; readonly talk: DiscussionState | null }
  | { readonly kind: 'conversation-gone' }
  | { readonly kind: 'refused'; readonly language: Language };

export interface EndTurnCall extends TurnCall {
  readonly messageId: MessageId;
  readonly events: readonly StreamEvent[];
  readonly state: DiscussionState;
  /** The error of ours that the events apologise for. */
  readonly mistake?: string;
}

export interface AdmitPlanCall extends TurnCall {
  readonly messageId: MessageId;
  readonly pipelineId: PipelineId;
  readonly design: Design;
  readonly language: Language;
  readonly event: PlanGeneratedEvent;
  readonly state: DiscussionState;
}

export type PlanAdmission = { readonly kind: 'admitted' } | Refusal | Overtaken;

/** The turn has another end already; `talk` is the state since then. */
export interface Overtaken {
  readonly kind: 'overtaken';
  readonly talk: DiscussionState | null;
}

export interface DiscussionDeps {
  readonly db: Db;
  readonly now: () => Date;
  readonly keySources: KeySources;
  newId(): string;
  publish(streamId: string, events: readonly StoredEvent[]): void;
  /** An error of ours was met. */
  countMistake(where: string): void;
  /** Keeps the session view that connecting and reading use. */
  showSession(discussion: TurnCall, discussionState: DiscussionState, lastSeq: number): void;
}

export function createDiscussionActivities(deps: DiscussionDeps): DiscussionActivities {
  return {
    loadDiscussion: (call) => load(deps, call),
    beginTurn: (call) => beginInSteps(deps, withState(call)),
    async endTurn(given) {
      const call = withState(given);
      if (call.mistake !== undefined) {
        const { conversationId, messageId, mistake } = call;
        deps.countMistake('turn');
        log.error('a turn failed by a mistake of ours', { conversationId, messageId, mistake });
      }
      return end(deps, await withoutFork(deps.db, call));
    },
    async saveTalk(call) {
      const { conversationId, userId, state } = withState(call);
      await inTransaction(deps.db, async (tx) => {
        const discussionState = await withRunOf(tx, conversationId, state);
        await saveDiscussion(tx, { conversationId, userId, talk: discussionState });
      });
    },
    async admitPlan(given) {
      const call = withState(given);
      const admitted = await inTransaction(deps.db, (tx) => admit(deps, tx, call)).catch(
        overtakenOr,
      );
      if (admitted.kind === 'admitted') {
        announce(deps, call, admitted.events);
        return { kind: 'admitted' };
      }
      return admitted;
    },
  };
}

/** Workflows of 0.6.0 and before name the state `talk`. */
function withState<Call extends { readonly state: DiscussionState }>(
  call: Call & { readonly talk?: DiscussionState },
): Call {
  const { talk: discussionState } = call;
  return discussionState === undefined ? call : { ...call, state: discussionState };
}

async function load(
  deps: DiscussionDeps,
  { conversationId, problem }: LoadDiscussionCall,
): Promise<LoadedDiscussion> {
  if (problem !== undefined) {
    reportLoss(deps, { conversationId, kept: 'in its workflow', problem });
  }
  const row = await readDiscussion(deps.db, conversationId);
  if (row?.problem == null) {
    return { talk: row?.talk ?? null };
  }
  reportLoss(deps, { conversationId, kept: 'in the database', problem: row.problem });
  return { talk: null, lostVersion: row.version };
}

function reportLoss(
  { countMistake }: DiscussionDeps,
  loss: {
    readonly conversationId: ConversationId;
    readonly kept: string;
    readonly problem: string;
  },
): void {
  countMistake('discussion-state');
  log.error('the state of a discussion cannot be read', {
    ...loss,
    error: new Error(loss.problem),
  });
}

/** The first of the steps that a turn of before 0.7.0 has. */
async function beginInSteps(deps: DiscussionDeps, call: MessageCall): Promise<TurnBeginning> {
  const begun = await begin(deps, call);
  switch (begun.kind) {
    case 'duplicate':
      return { kind: 'taken-before', talk: begun.state };
    case 'conversation-gone':
      return begun;
    case 'begun': {
      const { language, plan } = begun;
      return plan.kind === 'refuse'
        ? { kind: 'refused', language }
        : { kind: 'begun', language, plan };
    }
  }
}

/**
 * Ends a turn.
 *
 * @returns what the turn has led to where another attempt has ended it; else null
 */
export async function end(deps: DiscussionDeps, call: EndTurnCall): Promise<Overtaken | null> {
  const { events, isKept } = await retryTransaction(() => storeAnswer(deps, deps.db, call));
  const overtaken = isKept ? null : await findEarlierEnd(deps.db, call);
  announce(deps, { ...call, state: overtaken?.talk ?? call.state }, events);
  return overtaken;
}

/** An apology changes nothing, so that a state that has forked gives way to the record's. */
async function withoutFork(db: Db, call: EndTurnCall): Promise<EndTurnCall> {
  const recorded = call.state.isForked ? await readDiscussion(db, call.conversationId) : undefined;
  return recorded?.talk == null
    ? call
    : { ...call, state: remember(recorded.talk, call.messageId) };
}

/** Of a state that has forked only its run is news; the rest of the record stays. */
async function withRunOf(
  tx: Tx,
  conversationId: ConversationId,
  state: DiscussionState,
): Promise<DiscussionState> {
  const recorded = state.isForked ? (await readDiscussion(tx, conversationId))?.talk : null;
  return recorded == null
    ? { ...state, isForked: false }
    : { ...recorded, run: state.run, version: recorded.version + 1 };
}

async function storeAnswer(
  deps: DiscussionDeps,
  db: Db | Tx,
  { conversationId, userId, messageId, events, state }: EndTurnCall,
): Promise<TurnStored> {
  return storeTurnEnd(db, {
    discussion: { conversationId, userId, talk: { ...state, isForked: false } },
    messages: events.filter(isKept).map((event) => ({
      id: deps.newId(),
      conversationId,
      role: 'assistant',
      content: messageText(event, state.language),
      metadata: { ...event },
    })),
    steps: events.map((event, index) => ({ stepKey: answerKey(messageId, index), event })),
  });
}

async function admit(deps: DiscussionDeps, tx: Tx, call: AdmitPlanCall) {
  const { conversationId, userId, pipelineId, design, language, event } = call;
  const admission = await admitRun(
    tx,
    {
      pipelineId,
      userId,
      conversationId,
      design,
      language,
      keys: deps.keySources,
      order: 'socket',
    },
    deps.now(),
  );
  if (admission.kind === 'refused') {
    return admission;
  }
  const { events, isKept } = await storeAnswer(deps, tx, { ...call, events: [event] });
  const overtaken = isKept ? null : await findEarlierEnd(tx, call);
  if (overtaken !== null && runIn(overtaken.talk) !== pipelineId) {
    throw new OvertakenError(overtaken);
  }
  return { kind: 'admitted' as const, events };
}

function runIn(discussionState: DiscussionState | null): PipelineId | null {
  return discussionState?.run?.kind === 'admitted' ? discussionState.run.pipelineId : null;
}

/** Takes the admission back. */
class OvertakenError extends Error {
  override readonly name = 'OvertakenError';
  readonly overtaken: Overtaken;

  constructor(overtaken: Overtaken) {
    super('the turn has ended otherwise');
    this.overtaken = overtaken;
  }
}

function overtakenOr(error: unknown): Overtaken {
  if (error instanceof OvertakenError) {
    return error.overtaken;
  }
  throw error;
}

/** Of a turn whose state was not kept; null where no attempt has ended it before. */
async function findEarlierEnd(
  db: Db | Tx,
  { conversationId, userId, messageId }: TurnCall & { readonly messageId: MessageId },
): Promise<Overtaken | null> {
  const turn = { conversationId, userId, answerKey: answerKey(messageId, 0) };
  const context = await readTurnContext(db, turn);
  return context !== null && isAnswered(messageId, context)
    ? { kind: 'overtaken', talk: context.talk }
    : null;
}

function announce(
  deps: DiscussionDeps,
  call: TurnCall & { state: DiscussionState },
  events: readonly StoredEvent[],
) {
  deps.publish(call.conversationId, events);
  const last = events.at(-1);
  if (last !== undefined) {
    deps.showSession(call, call.state, last.seq);
  }
}
