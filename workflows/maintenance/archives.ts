/** Archives runs that have ended: some at a time, until all that there are have their archive. */
import {
  condition,
  continueAsNew,
  setCurrentDetails,
  setHandler,
  setWorkflowOptions,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { ArchiveSlice } from '../../activities/maintenance/run-archives.js';
import { archives } from '../activity-proxies.js';
import { runsEndedSignal } from './archives.messages.js';
import { MISTAKES } from '../failures.js';

/** Before it looks again after those whose workflow has not closed; each wait is twice as long. */
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 60_000;
const MAX_HISTORY_EVENTS = 500;

/** Which runs wait is asked of the record, so that no history here names any of them. */
export async function archivesWorkflow(): Promise<void> {
  let updates = 0;
  setHandler(runsEndedSignal, () => {
    updates += 1;
  });
  let waitMs = FIRST_WAIT_MS;
  let before = 0;
  for (;;) {
    const known = updates;
    const left = await lookThrough();
    if (left > before) {
      waitMs = FIRST_WAIT_MS; // some have only just ended
    }
    before = left;
    if (updates > known) {
      await sleep(FIRST_WAIT_MS, { summary: 'for others that end now' });
    } else if (left === 0) {
      return;
    } else if (!(await condition(() => updates > known, waitMs))) {
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    }
    await keepHistoryShort();
  }
}

setWorkflowOptions({ failureExceptionTypes: MISTAKES }, archivesWorkflow);

/** @returns how many cannot be archived yet */
async function lookThrough(): Promise<number> {
  let left = 0;
  let from: string | null = null;
  do {
    const slice: ArchiveSlice = await archives.archiveEnded({ from });
    left += slice.left;
    from = slice.next;
    setCurrentDetails(`**Archives runs that have ended**\n\nCannot be archived yet: ${left}`);
    await keepHistoryShort();
  } while (from !== null);
  return left;
}

/** What is archived by then is not looked at again. */
async function keepHistoryShort(): Promise<void> {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  if (continueAsNewSuggested || historyLength > MAX_HISTORY_EVENTS) {
    await continueAsNew<typeof archivesWorkflow>();
  }
}
