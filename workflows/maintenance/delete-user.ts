/**
 * Deletes a user: first the account, so that nothing new begins; then what runs; then the records;
 * last what Temporal itself has kept. A deletion that has begun is not to be stopped.
 */
import {
  CancellationScope,
  condition,
  continueAsNew,
  log,
  patched,
  setCurrentDetails,
  setWorkflowOptions,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { UserId } from '../../domain/ids.js';
import { maintenance } from '../activity-proxies.js';
import { MISTAKES } from '../failures.js';

export interface DeleteUserInput {
  readonly userId: UserId;
  /** How long runs that were cancelled may take to end. Default: a minute. */
  readonly runsMs?: number;
  /** How often Temporal is asked what is left. Default: 1 s. */
  readonly lookMs?: number;
}

const RUNS_MS = 60_000;
const RUNS_POLL_MS = 500;
const LOOK_MS = 1_000;

/** Deletions that began before this end with a history that is full; the reconciler begins them anew. */
const BEGIN_ANEW = '2026-12-02-deletion-begins-anew';

export async function deleteUserWorkflow(input: DeleteUserInput): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    const deletion = deleteUser(input).then(() => 'done' as const);
    // rejected messages fill a history, too, while the deletion waits
    const full = condition(() => workflowInfo().continueAsNewSuggested && patched(BEGIN_ANEW));
    if ((await Promise.race([deletion, full])) !== 'done') {
      await continueAsNew<typeof deleteUserWorkflow>(input); // each step finds little left to do
    }
  });
}

setWorkflowOptions({ failureExceptionTypes: MISTAKES }, deleteUserWorkflow);

async function deleteUser(input: DeleteUserInput): Promise<void> {
  const { userId } = input;
  show('closing the account');
  await maintenance.closeAccount({ userId });
  show('ending runs');
  await endRuns(input);
  show('ending discussions');
  await maintenance.removeWorkflows({ userId });
  show('removing records');
  while (!(await maintenance.removeRecords({ userId })).isDone) {
    if (workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof deleteUserWorkflow>(input); // each step finds little left to do
    }
  }
  show('removing histories');
  await forgetWorkflows(input);
  show('done');
}

async function endRuns({ userId, runsMs = RUNS_MS }: DeleteUserInput): Promise<void> {
  const deadline = Date.now() + runsMs;
  let { open } = await maintenance.stopRuns({ userId, how: 'cancel' });
  while (open > 0) {
    await sleep(RUNS_POLL_MS, { summary: 'until the runs have ended' });
    const how = Date.now() < deadline ? 'look' : 'force';
    ({ open } = await maintenance.stopRuns({ userId, how }));
  }
}

/** A server that never deletes, or lists what it has deleted for ever, is not waited for. */
const MAX_POLLS = 60;

/** Until nothing is found twice: what was started last may be listed late. */
async function forgetWorkflows({ userId, lookMs = LOOK_MS }: DeleteUserInput): Promise<void> {
  let isQuiet = false;
  for (let look = 0; look < MAX_POLLS; look += 1) {
    const { found, refused } = await maintenance.removeWorkflows({ userId });
    if (refused > 0) {
      log.warn(
        'histories stay until their retention is over: the server does not allow their deletion',
        {
          refused,
        },
      );
      return;
    }
    if (found === 0 && isQuiet) {
      return;
    }
    isQuiet = found === 0;
    await sleep(lookMs, { summary: 'until the histories are gone' });
  }
  log.warn('the server still lists workflows of a deleted user');
}

function show(step: string): void {
  setCurrentDetails(`**Deletion of a user**\n\n**Step** ${step}`);
}
