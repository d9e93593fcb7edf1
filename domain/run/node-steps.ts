import type { StepId } from '../ids.js';

/**
 * The paid steps of a node, in their order. Each has an id, ledger rows, a reply and tries of its own;
 * timeouts, step ids and costs follow from this list.
 */
export const NODE_STEPS = ['answer', 'repair'] as const;

export type NodeStep = (typeof NODE_STEPS)[number];

/** @param firstStepId names the node itself: the id of its first step */
export function nodeStepId(firstStepId: StepId, step: NodeStep): StepId {
  const end = firstStepId.lastIndexOf(':') + 1;
  return `${firstStepId.slice(0, end)}${Number(firstStepId.slice(end)) + NODE_STEPS.indexOf(step)}`;
}

/** Of all steps that the node may have taken. */
export function nodeStepIds(firstStepId: StepId): readonly StepId[] {
  return NODE_STEPS.map((step) => nodeStepId(firstStepId, step));
}
