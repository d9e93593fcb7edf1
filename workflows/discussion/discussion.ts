/**
 * A discussion: a long-lived workflow that takes the user's messages as signals, one turn at a
 * time, in signal order. The rules are pure functions in domain/; texts stay in PostgreSQL.
 */
import {
  CancellationScope,
  continueAsNew,
  log,
  patched,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  setWorkflowOptions,
} from '@temporalio/workflow';
import { readTalk, type StoredTalk } from '../../domain/discussion/stored-state.js';
import {
  startAfterLoss,
  startTalk,
  withRunEnded,
  type Talk,
} from '../../domain/discussion/state.js';
import { records } from '../activity-proxies.js';
import { attemptFailedSignal } from '../pipeline/attempts.messages.js';
import {
  detailsOf,
  finalDetailsOf,
  LOADING_DETAILS,
  viewOf,
  type DiscussionEnd,
} from './details.js';
import {
  discussionQuery,
  pipelineEndedSignal,
  runAdmittedSignal,
  userMessageSignal,
  type DiscussionInput,
  type RunNotice,
  type WaitingWork,
} from './discussion.messages.js';
import { failingCall, onFailingCall, takeFailedAttempt } from './failing-calls.js';
import { describeError, MISTAKES } from '../failures.js';
import { startAdmittedRun } from './runs.js';
import { followCause } from '../spans.js';
import { ONE_ACTIVITY_TURNS, takeTurn } from './turn.js';
import { Waits, WaitsBefore, type Inbox } from './waits.js';

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
  const waits = patched(ONE_ACTIVITY_TURNS)
    ? new Waits(input, inbox)
    : new WaitsBefore(input, inbox);
  let end: DiscussionEnd = 'cancelled';
  try {
    for (let next = await waits.next(talk); next !== 'sleep'; next = await waits.next(talk)) {
      if (next === 'renew') {
        end = 'continued';
        await renew(input, talk, inbox);
      }
      show(Date.now());
      talk = await CancellationScope.nonCancellable(() => work(input, talk, inbox));
      show(null);
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

/** A state that has forked stays behind: the next run loads the record's. */
function renew(input: DiscussionInput, talk: Talk, waiting: Inbox): Promise<never> {
  const { talk: _talk, waiting: _waiting, ...settings } = input;
  const carried = talk.isForked ? { waiting } : { talk, waiting };
  return continueAsNew<typeof discussionWorkflow>({ ...settings, ...carried });
}

function inboxOf({ messages, admitted, ended }: WaitingWork): Inbox {
  return { messages: [...messages], admitted: [...admitted], ended: [...ended] };
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
