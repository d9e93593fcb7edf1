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
import {
  readDiscussionState,
  type StoredDiscussionState,
} from '../../domain/discussion/stored-state.js';
import {
  startAfterLoss,
  startDiscussionState,
  withRunEnded,
  type DiscussionState,
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
import { followTraceContext } from '../spans.js';
import { ONE_ACTIVITY_TURNS, takeTurn } from './turn.js';
import { Waits, WaitsBefore, type Inbox } from './waits.js';

export async function discussionWorkflow(input: DiscussionInput): Promise<void> {
  const inbox = inboxOf(input.waiting ?? { messages: [], admitted: [], ended: [] });
  const carried = input.talk === undefined ? null : readDiscussionState(input.talk);
  let state = carried?.kind === 'talk' ? carried.talk : startDiscussionState('en');
  setHandler(userMessageSignal, (message) => void inbox.messages.push(message));
  setHandler(runAdmittedSignal, (notice) => void inbox.admitted.push(notice));
  setHandler(pipelineEndedSignal, (notice) => void inbox.ended.push(notice));
  setDefaultSignalHandler(() => undefined); // rejected before; without it they would be kept
  setHandler(discussionQuery, () => viewOf(state, inbox.messages.length));
  let workingSince: number | null = null;
  let changedAtMs = Date.now();
  const refresh = (): void => {
    const waitingMessages = inbox.messages.length;
    const failing = failingCall();
    const snapshot = { talk: state, waitingMessages, workingSince, changedAtMs, failing };
    setCurrentDetails(detailsOf(input, snapshot));
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
      state = await load(input, carried);
    }
  });
  show(null);
  const waits = patched(ONE_ACTIVITY_TURNS)
    ? new Waits(input, inbox)
    : new WaitsBefore(input, inbox);
  let end: DiscussionEnd = 'cancelled';
  try {
    for (let next = await waits.next(state); next !== 'sleep'; next = await waits.next(state)) {
      if (next === 'renew') {
        end = 'continued';
        await renew(input, state, inbox);
      }
      show(Date.now());
      state = await CancellationScope.nonCancellable(() => work(input, state, inbox));
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
  carried: Extract<StoredDiscussionState, { kind: 'unreadable' }> | null,
): Promise<DiscussionState> {
  const problem = carried === null ? {} : { problem: carried.problem };
  const loaded = await records.loadDiscussion({ conversationId, ...problem });
  const stored = loaded.talk === null ? null : readDiscussionState(loaded.talk);
  if (stored?.kind === 'talk') {
    return stored.talk;
  }
  const isNew = stored === null && carried === null && loaded.lostVersion === undefined;
  const versions = [loaded.lostVersion, stored?.version, carried?.version];
  return isNew
    ? startDiscussionState('en')
    : startAfterLoss(Math.max(0, ...versions.map((it) => it ?? 0)));
}

setWorkflowOptions({ failureExceptionTypes: MISTAKES }, discussionWorkflow);

/** A state that has forked stays behind: the next run loads the record's. */
function renew(input: DiscussionInput, state: DiscussionState, waiting: Inbox): Promise<never> {
  const { talk: _talk, waiting: _waiting, ...settings } = input;
  const carried = state.isForked ? { waiting } : { talk: state, waiting };
  return continueAsNew<typeof discussionWorkflow>({ ...settings, ...carried });
}

function inboxOf({ messages, admitted, ended }: WaitingWork): Inbox {
  return { messages: [...messages], admitted: [...admitted], ended: [...ended] };
}

async function work(
  input: DiscussionInput,
  before: DiscussionState,
  inbox: Inbox,
): Promise<DiscussionState> {
  let state = before;
  for (const notice of inbox.ended.splice(0)) {
    followTraceContext(notice.pipelineId);
    state = withRunEnded(state, notice.pipelineId);
  }
  for (const notice of inbox.admitted.splice(0)) {
    followTraceContext(notice.pipelineId);
    state = await startSafely(input, state, notice);
  }
  const message = inbox.messages.shift();
  return message === undefined ? state : takeTurn(input, state, message);
}

/** A run that cannot be taken keeps no message from its answer: the reconciler names it again. */
async function startSafely(
  input: DiscussionInput,
  state: DiscussionState,
  { pipelineId }: RunNotice,
): Promise<DiscussionState> {
  try {
    return await startAdmittedRun(input, state, pipelineId);
  } catch (error) {
    log.error('an admitted run was not taken', { pipelineId, ...describeError(error) });
    return state;
  }
}
