import type { PipelineStatus, WaitReason } from './results.js';

/**
 * Why a run makes no progress by itself: its workflow is gone; it queues for a slot that nobody
 * holds; or it waits for somebody.
 */
export const STUCK_REASONS = ['no-workflow', 'slot-not-handed-on', 'waiting'] as const;
export type StuckReason = (typeof STUCK_REASONS)[number];

export interface Standing {
  readonly status: PipelineStatus;
  readonly waitingFor: WaitReason | null;
  readonly holdsSlot: boolean;
  /** Whether any run of the user's holds the slot. */
  readonly isSlotTaken: boolean;
  readonly workflow: 'running' | 'closed' | 'missing';
}

/** @returns null for a run that works, or queues for a slot that another run holds */
export function whyStuck(standing: Standing): StuckReason | null {
  if (standing.workflow !== 'running') {
    return 'no-workflow';
  }
  if (standing.waitingFor === 'slot') {
    return standing.isSlotTaken ? null : 'slot-not-handed-on';
  }
  return standing.waitingFor === null ? null : 'waiting';
}
