/** How a turn begins: the message is stored and published, and what it leads to is planned. */
import { log } from '@temporalio/activity';
import { countDiscussion } from '../../db/runs/admission.js';
import { readTurnContext, type TurnContext } from '../../db/discussions/discussions.js';
import { inTransaction, retryTransaction } from '../../db/transactions.js';
import { storeEcho } from '../../db/discussions/turns.js';
import { utcDay } from '../../domain/account/days.js';
import { turnStepIds } from '../../domain/discussion/decide.js';
import type { ConversationId, MessageId } from '../../domain/ids.js';
import { languageOf, type Language } from '../../domain/text/languages.js';
import { findInjection } from '../../domain/security/sanitizer.js';
import {
  planTurn,
  withRuns,
  type DiscussionState,
  type TurnPlan,
} from '../../domain/discussion/state.js';
import type { UserMessage } from '../../temporal/client/discussions.js';
import type { DiscussionDeps, TurnCall } from './records.js';

export interface MessageCall extends TurnCall {
  readonly message: UserMessage;
  readonly state: DiscussionState;
}

export type Begun =
  | {
      readonly kind: 'begun';
      /** What the turn begins from: the record's, where the call's has forked. */
      readonly state: DiscussionState;
      readonly language: Language;
      readonly plan: TurnPlan;
      /** An earlier attempt has stored a reply of the turn. */
      readonly hasReplies: boolean;
    }
  /** An earlier attempt has answered it; `state` is the one since then. */
  | { readonly kind: 'duplicate'; readonly state: DiscussionState | null }
  | { readonly kind: 'conversation-gone' };

export async function begin(deps: DiscussionDeps, call: MessageCall): Promise<Begun> {
  const { conversationId, userId, message } = call;
  const { messageId } = message;
  const turn = { answerKey: answerKey(messageId, 0), stepIds: turnStepIds(messageId) };
  const context = await readTurnContext(deps.db, { conversationId, userId, ...turn });
  if (context === null) {
    return { kind: 'conversation-gone' };
  }
  if (isAnswered(messageId, context)) {
    return { kind: 'duplicate', state: context.talk };
  }
  const { counted, events } = await echo(deps, call, context);
  deps.publish(conversationId, events);
  const from = call.state.isForked ? (context.talk ?? call.state) : call.state;
  const state = { ...from, isForked: false };
  const names = state.designs.map(({ name }) => name);
  const language = languageOf(message.content, state.language, names);
  const plan: TurnPlan =
    counted === 'ok' ? planSafely(deps, { ...call, state }, context) : { kind: 'refuse' };
  return { kind: 'begun', state, language, plan, hasReplies: context.hasReplies };
}

/** Known by the stored state, or, if that was long ago, by its stored answer. */
export function isAnswered(
  messageId: MessageId,
  { talk: discussionState, isAnswered: isStored }: TurnContext,
): boolean {
  return isStored || discussionState?.recentIds.includes(messageId) === true;
}

export function answerKey(messageId: MessageId, index: number): string {
  return `${messageId}:answer:${index}`;
}

/** Every later turn than the first goes on without waiting for the user's lock. */
async function echo(
  deps: DiscussionDeps,
  { conversationId, userId, message }: MessageCall,
  { isCounted }: TurnContext,
) {
  const taken = echoOf(conversationId, message);
  if (isCounted) {
    return { counted: 'ok', events: await retryTransaction(() => storeEcho(deps.db, taken)) };
  }
  const day = utcDay(deps.now());
  return inTransaction(deps.db, async (tx) => ({
    counted: await countDiscussion(tx, { conversationId, userId, day }),
    events: await storeEcho(tx, taken),
  }));
}

function echoOf(conversationId: ConversationId, { messageId, content }: UserMessage) {
  const message = { id: messageId, conversationId, role: 'user', content, metadata: null } as const;
  const event = { type: 'user_message_received', content, message_id: messageId } as const;
  return { message, step: { stepKey: `${messageId}:echo`, event } };
}

/** The message is taken, so that a mistake of ours has to be answered as well. */
function planSafely(deps: DiscussionDeps, call: MessageCall, context: TurnContext): TurnPlan {
  try {
    return plan(call, context);
  } catch (error) {
    const { conversationId, message } = call;
    const { messageId } = message;
    deps.countMistake('turn');
    log.error('a turn could not be planned', { conversationId, messageId, error });
    return { kind: 'say', what: 'processing-failed' };
  }
}

function plan({ conversationId, message, state }: MessageCall, { runs }: TurnContext): TurnPlan {
  const { messageId, content } = message;
  const patterns = findInjection(content);
  if (patterns.length > 0) {
    log.warn('message refused by the sanitizer', { conversationId, messageId, patterns });
    return { kind: 'warn' };
  }
  return withRuns(planTurn(state, content, runs.length > 0), runs);
}
