/**
 * A discussion: a long-lived workflow that takes the user's messages as signals, one turn at a
 * time, in signal order. The rules are pure functions in domain/; texts stay in PostgreSQL.
 */
import {
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  log,
  patched,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  setWorkflowOptions,
  workflowInfo,
} from '@temporalio/workflow';
import { readTalk, type StoredTalk } from '../domain/stored-talk.js';
import { startAfterLoss, startTalk, withRunEnded, type Talk } from '../domain/talk.js';
import { records } from './activity-proxies.js';
import { attemptFailedSignal } from './attempts.messages.js';
import {
  detailsOf,
  finalDetailsOf,
  LOADING_DETAILS,
  type DiscussionEnd,
} from './discussion-details.js';
import { viewOf } from './discussion-view.js';
import {
  discussionQuery,
  pipelineEndedSignal,
  runAdmittedSignal,
  userMessageSignal,
  type DiscussionInput,
  type RunNotice,
  type UserMessage,
  type WaitingWork,
} from './discussion.messages.js';
import { failingCall, onFailingCall, takeFailedAttempt } from './failing-calls.js';
import { describeError, MISTAKES } from './failures.js';
import { IDLE, IdleClock } from './idle-clock.js';
import { startAdmittedRun } from './runs.js';
import { followCause } from './spans.js';
import { takeTurn } from './turn.js';

/** Waiting work of one discussion, filled by signals and emptied between turns. */
interface Inbox {
  readonly messages: UserMessage[];
  readonly admitted: RunNotice[];
  readonly ended: RunNotice[];
}

export async function discussionWorkflow(input: DiscussionInput): Promise<void> {
  const inbox = inboxOf(input.waiting ?? { messages: [], admitted: [], ended: [] });
  const carried = input.talk === undefined ? null : readTalk(input.talk);
  let talk = carried?.kind === 'talk' ? carried.talk : startTalk('en');
  setHandler(userMessageSignal, (message) => void inbox.messages.push(message));
  setHandler(runAdmittedSignal, (notice) => void inbox.admitted.push(notice));
  setHandler(pipelineEndedSignal, (notice) => void inbox.ended.push(notice));
  setDefaultSignalHandler(() => undefined); // rejected before; without it they would be kept
  setHandler(discussionQuery, () => viewOf(talk, inbox.messages.length));
  let workingSince: number | null = null;
  let changedAtMs = Date.now();
  const refresh = (): void => {
    const waitingMessages = inbox.messages.length;
    const failing = failingCall();
    const standing = { talk, waitingMessages, workingSince, changedAtMs, failing };
    setCurrentDetails(detailsOf(input, standing));
  };
  const show = (since: number | null): void => {
    workingSince = since;
    changedAtMs = Date.now();
    refresh();
  };
  onFailingCall(refresh);
  setHandler(attemptFailedSignal, takeFailedAttempt);
  setCurrentDetails(LOADING_DETAILS);
  await CancellationScope.nonCancellable(async () => {
    if (carried?.kind !== 'talk') {
      talk = await load(input, carried);
    }
  });
  show(null);
  const idle = patched(ONE_TIMER) ? new IdleClock(input.idleMs) : null;
  let end: DiscussionEnd = 'cancelled';
  try {
    while (await hasWork(input, talk, { inbox, idle })) {
      show(Date.now());
      talk = await CancellationScope.nonCancellable(() => work(input, talk, inbox));
      show(null);
      idle?.touch();
      if (historyIsLong(input) && canCarry(inbox)) {
        const { talk: _talk, waiting: _waiting, ...settings } = input;
        end = 'continued';
        await continueAsNew<typeof discussionWorkflow>({ ...settings, talk, waiting: inbox });
      }
    }
    end = 'asleep';
  } finally {
    setCurrentDetails(finalDetailsOf(input, end, Date.now()));
  }
}

/** What is stored, else a fresh state, which says so where there was one that cannot be read. */
async function load(
  { conversationId }: DiscussionInput,
  carried: Extract<StoredTalk, { kind: 'unreadable' }> | null,
): Promise<Talk> {
  const problem = carried === null ? {} : { problem: carried.problem };
  const loaded = await records.loadDiscussion({ conversationId, ...problem });
  const stored = loaded.talk === null ? null : readTalk(loaded.talk);
  if (stored?.kind === 'talk') {
    return stored.talk;
  }
  const isNew = stored === null && carried === null && loaded.lostVersion === undefined;
  const versions = [loaded.lostVersion, stored?.version, carried?.version];
  return isNew ? startTalk('en') : startAfterLoss(Math.max(0, ...versions.map((it) => it ?? 0)));
}

setWorkflowOptions({ failureExceptionTypes: MISTAKES }, discussionWorkflow);

function inboxOf({ messages, admitted, ended }: WaitingWork): Inbox {
  return { messages: [...messages], admitted: [...admitted], ended: [...ended] };
}

/** Runs that began before this have a timer for each wait. */
const ONE_TIMER = '2026-11-one-idle-timer';

interface Waiting {
  readonly inbox: Inbox;
  readonly idle: IdleClock | null;
}

/** Runs that were woken by nothing else before this wait on: what is rejected makes histories long, too. */
const RENEW_IDLE = '2026-12-renew-idle';

/**
 * Waits for work, or for a history that is too long to wait on in; a cancelled or long idle discussion
 * ends, but never with work left.
 */
async function hasWork(
  input: DiscussionInput,
  talk: Talk,
  { inbox, idle }: Waiting,
): Promise<boolean> {
  const isWaiting = (): boolean => !isEmpty(inbox);
  const isToWake = (): boolean => isWaiting() || (historyIsLong(input) && patched(RENEW_IDLE));
  try {
    const woken = (): Promise<boolean> =>
      idle === null ? condition(isToWake, input.idleMs, IDLE) : idle.wait(isToWake);
    if (isWaiting() || (await woken())) {
      return true;
    }
    return (await isRunActive(talk)) || isWaiting();
  } catch (error) {
    if (isCancellation(error) && isWaiting()) {
      return true;
    }
    throw error;
  }
}

/** The record decides: a lost notice must neither keep nor end a discussion. */
async function isRunActive({ run }: Talk): Promise<boolean> {
  if (run?.kind !== 'admitted' || run.ended) {
    return false;
  }
  return (await records.readRun({ pipelineId: run.pipelineId })).isActive;
}

async function work(input: DiscussionInput, before: Talk, inbox: Inbox): Promise<Talk> {
  let talk = before;
  for (const notice of inbox.ended.splice(0)) {
    followCause(notice.pipelineId);
    talk = withRunEnded(talk, notice.pipelineId);
  }
  for (const notice of inbox.admitted.splice(0)) {
    followCause(notice.pipelineId);
    talk = await startSafely(input, talk, notice);
  }
  const message = inbox.messages.shift();
  return message === undefined ? talk : takeTurn(input, talk, message);
}

/** A run that cannot be taken keeps no message from its answer: the reconciler names it again. */
async function startSafely(
  input: DiscussionInput,
  talk: Talk,
  { pipelineId }: RunNotice,
): Promise<Talk> {
  try {
    return await startAdmittedRun(input, talk, pipelineId);
  } catch (error) {
    log.error('an admitted run was not taken', { pipelineId, ...describeError(error) });
    return talk;
  }
}

function isEmpty(inbox: Inbox): boolean {
  return inbox.messages.length + inbox.admitted.length + inbox.ended.length === 0;
}

function historyIsLong(input: DiscussionInput): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > input.maxHistoryEvents;
}

/** Well below Temporal's limit of 2 MiB for an input, whatever the letters. */
const MAX_CARRIED_CHARACTERS = 262_144;

/** Messages that wait go along, so that a discussion in a hurry continues as new all the same. */
function canCarry({ messages }: Inbox): boolean {
  const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
  return characters <= MAX_CARRIED_CHARACTERS;
}
