import { defineSignal } from '@temporalio/workflow';

/** Runs have ended whose archives are to be made; which, the record knows. */
export const runsEndedSignal = defineSignal('runsEnded');
