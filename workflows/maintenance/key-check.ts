import { setWorkflowOptions } from '@temporalio/workflow';
import type { UserId } from '../../domain/ids.js';
import { keyChecks } from '../activity-proxies.js';
import { MISTAKES } from '../failures.js';

export interface KeyCheckInput {
  readonly userId: UserId;
  readonly keyId: string;
}

/** Asks the vendor whether a stored key is accepted, by key id: no key enters the history. */
export async function validateKeyWorkflow(input: KeyCheckInput) {
  const summary = `ask the vendor about key ${input.keyId}`;
  return keyChecks.checkKey.executeWithOptions({ summary }, [input]);
}

setWorkflowOptions({ failureExceptionTypes: MISTAKES }, validateKeyWorkflow);
