/** What reaches a run from outside: updates of its owner, the signals that replace them, and notifications. */
import { ApplicationFailure } from '@temporalio/common';
import { CancellationScope, condition, setHandler } from '@temporalio/workflow';
import {
  approvalOfferedSignal,
  budgetChangedSignal,
  decideUpdate,
  pauseRunSignal,
  pauseRunUpdate,
  resumeRunSignal,
  resumeRunUpdate,
  slotGrantedSignal,
  type ApprovalOffered,
  type RunAnswer,
  type RunRequest,
} from './pipeline.messages.js';

/** What a run was asked and has not acted on yet. */
export interface RunInbox {
  /** Milliseconds since 1970; null: it is not paused. */
  pausedSinceMs: number | null;
  /** How often the owner's budget was changed since the run began. */
  budgetChanges: number;
  isSlotGranted: boolean;
  /** Decisions of the owner that are not recorded yet. */
  readonly offers: ApprovalOffered[];
  /** By node: the offer that has decided about it; null: its deadline has. */
  readonly decided: Map<string, string | null>;
  /** Ids of offers that the record does not know. */
  readonly ignored: Set<string>;
  /** Nothing that comes now changes the run any more. */
  isOver: boolean;
}

/**
 * To be called before the first `await`, so that no signal is early.
 *
 * @param onChange called when the run was paused or resumed
 */
export function openInbox(onChange: () => void): RunInbox {
  const inbox: RunInbox = {
    pausedSinceMs: null,
    budgetChanges: 0,
    isSlotGranted: false,
    offers: [],
    decided: new Map(),
    ignored: new Set(),
    isOver: false,
  };
  setHandler(budgetChangedSignal, () => void (inbox.budgetChanges += 1));
  setHandler(slotGrantedSignal, () => void (inbox.isSlotGranted = true));
  handlePauses(inbox, onChange);
  handleDecisions(inbox);
  return inbox;
}

function handlePauses(inbox: RunInbox, onChange: () => void): void {
  const taken = new Set<string>();
  const steer = (isToPause: boolean, { requestId }: Partial<RunRequest> = {}): void => {
    if (requestId !== undefined && taken.has(requestId)) {
      return; // it came before, as an update or as a signal
    }
    if (requestId !== undefined) {
      taken.add(requestId);
    }
    inbox.pausedSinceMs = isToPause ? (inbox.pausedSinceMs ?? Date.now()) : null;
    onChange();
  };
  const validate = (isToPause: boolean, { requestId }: RunRequest): void => {
    if (inbox.isOver) {
      throw answerOf('ended');
    }
    const isPaused = inbox.pausedSinceMs !== null;
    if (isPaused === isToPause || taken.has(requestId)) {
      throw answerOf('done');
    }
  };
  const handle = (isToPause: boolean, request: RunRequest): RunAnswer => {
    steer(isToPause, request);
    return 'done';
  };
  setHandler(pauseRunSignal, steer.bind(null, true));
  setHandler(resumeRunSignal, steer.bind(null, false));
  setHandler(pauseRunUpdate, handle.bind(null, true), { validator: validate.bind(null, true) });
  setHandler(resumeRunUpdate, handle.bind(null, false), { validator: validate.bind(null, false) });
}

function handleDecisions(inbox: RunInbox): void {
  const updated = new Set<string>();
  const signalled = new Set<string>();
  const answerTo = ({ node, offerId }: ApprovalOffered): RunAnswer | null => {
    if (inbox.decided.has(node)) {
      return inbox.decided.get(node) === offerId ? 'done' : 'already-decided';
    }
    if (inbox.ignored.has(offerId)) {
      return 'ignored';
    }
    return inbox.isOver ? 'ended' : null;
  };
  setHandler(approvalOfferedSignal, (response) => {
    signalled.add(response.offerId);
    if (!updated.has(response.offerId)) {
      inbox.offers.push(response);
    }
  });
  setHandler(
    decideUpdate,
    async (response) => {
      updated.add(response.offerId);
      if (!signalled.has(response.offerId)) {
        inbox.offers.push(response);
      }
      // a run that is cancelled ends, and says so
      await CancellationScope.nonCancellable(() => condition(() => answerTo(response) !== null));
      return answerTo(response) ?? 'ended';
    },
    {
      validator: (response: ApprovalOffered) => {
        const answer = answerTo(response);
        if (answer !== null) {
          throw answerOf(answer);
        }
      },
    },
  );
}

/** A validator answers by refusing: the update leaves no trace in the history. */
function answerOf(answer: RunAnswer): ApplicationFailure {
  return ApplicationFailure.nonRetryable(`not taken: ${answer}`, answer);
}
