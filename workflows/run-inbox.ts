import { setHandler } from '@temporalio/workflow';
import {
  approvalOfferedSignal,
  budgetChangedSignal,
  pauseRunSignal,
  resumeRunSignal,
  slotGrantedSignal,
  type ApprovalOffered,
} from './pipeline.messages.js';

/** What signals have told a run and it has not acted on yet. */
export interface RunInbox {
  /** Milliseconds since 1970; null: it is not paused. */
  pausedSinceMs: number | null;
  /** How often the owner's budget was changed since the run began. */
  budgetChanges: number;
  isSlotGranted: boolean;
  readonly offers: ApprovalOffered[];
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
  };
  setHandler(pauseRunSignal, () => {
    inbox.pausedSinceMs ??= Date.now();
    onChange();
  });
  setHandler(resumeRunSignal, () => {
    inbox.pausedSinceMs = null;
    onChange();
  });
  setHandler(budgetChangedSignal, () => void (inbox.budgetChanges += 1));
  setHandler(slotGrantedSignal, () => void (inbox.isSlotGranted = true));
  setHandler(approvalOfferedSignal, (offer) => void inbox.offers.push(offer));
  return inbox;
}
