import { defineSignal } from '@temporalio/workflow';
import type { FailedAttempt } from '../../domain/run/failed-attempts.js';

/** An activity of the workflow has failed and is tried again; for operators alone. */
export const attemptFailedSignal = defineSignal<[FailedAttempt]>('attemptFailed');
