/** What arrives over Temporal and is not obeyed: anybody who reaches its server can send it. */

/** `missing`: there is no payload that could be sealed. `unexpected`: no call of ours looks so. */
export type RejectionReason =
  'missing' | 'unsealed' | 'unknown-key' | 'unreadable' | 'of-another-workflow' | 'unexpected';

/** Stands in the place of a payload's value: so the codec never throws, and who gets it decides. */
export interface Rejected {
  readonly agentforgeRejected: RejectionReason;
  /** The value, which releases up to 0.5.0 took; absent where it cannot be read. */
  readonly value?: unknown;
}

/** The reason is bounded by the field's type, since nothing but the codec writes it. */
export function rejectionOf(value: unknown): RejectionReason | null {
  return isRejected(value) ? value.agentforgeRejected : null;
}

/** @returns what is in a rejected payload; anything else as it is */
export function valueOf(value: unknown): unknown {
  return isRejected(value) ? value.value : value;
}

function isRejected(value: unknown): value is Rejected {
  return typeof value === 'object' && value !== null && 'agentforgeRejected' in value;
}

export interface Rejection {
  readonly kind: 'start' | 'signal' | 'query' | 'update' | 'activity' | 'result';
  readonly reason: RejectionReason;
}

/** How a workflow reports rejections; the worker counts them. */
export type RejectionSinks = {
  readonly rejections: { rejected(rejection: Rejection): void };
};
