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
  isPaused: boolean;
  /** How often the owner's budget was changed since the run began. */
  budgetChanges: number;
  isSlotGranted: boolean;
  readonly offers: ApprovalOffered[];
}

/** To be called before the first `await`, so that no signal is early. */
export function openInbox(): RunInbox {
  const inbox: RunInbox = { isPaused: false, budgetChanges: 0, isSlotGranted: false, offers: [] };
  setHandler(pauseRunSignal, () => void (inbox.isPaused = true));
  setHandler(resumeRunSignal, () => void (inbox.isPaused = false));
  setHandler(budgetChangedSignal, () => void (inbox.budgetChanges += 1));
  setHandler(slotGrantedSignal, () => void (inbox.isSlotGranted = true));
  setHandler(approvalOfferedSignal, (offer) => void inbox.offers.push(offer));
  return inbox;
}
