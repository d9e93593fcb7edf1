import type { PipelineStatus, WaitReason } from './results.js';

/**
 * Why a run is stuck: its workflow is gone; it queues for a lock that no run
 * holds; or it waits for somebody.
 */
export const STUCK_REASONS = ['no-workflow', 'slot-not-handed-on', 'waiting'] as const;
export type StuckReason = (typeof STUCK_REASONS)[number];

export interface RunSnapshot {
  readonly status: PipelineStatus;
  readonly waitingFor: WaitReason | null;
  readonly holdsSlot: boolean;
  /** Whether any run of the user's holds the slot. */
  readonly isSlotTaken: boolean;
  readonly workflow: 'running' | 'closed' | 'missing';
}

/** @returns null for a run that works, or queues for a slot that another run holds */
export function whyStuck(snapshot: RunSnapshot): StuckReason | null {
  if (snapshot.workflow !== 'running') {
    return 'no-workflow';
  }
  if (snapshot.waitingFor === 'slot') {
    return snapshot.isSlotTaken ? null : 'slot-not-handed-on';
  }
  return snapshot.waitingFor === null ? null : 'waiting';
}
