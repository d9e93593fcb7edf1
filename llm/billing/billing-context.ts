import { AsyncLocalStorage } from 'node:async_hooks';
import type { BillingContext } from '../../domain/account/costs.js';
import { DomainError } from '../../domain/errors.js';
import type { StepId } from '../../domain/ids.js';

/**
 * Who pays for the model calls made inside: opened once per activity by the worker's inbound
 * interceptor, read by `routing/complete.ts`.
 */
export const billingContext = new AsyncLocalStorage<BillingContext>();

/** @param stepId another step of the same payer, for a repair. @throws `internal` outside of an activity that pays */
export function getBilling(stepId?: StepId): BillingContext {
  const billing = billingContext.getStore();
  if (billing === undefined) {
    throw new DomainError('internal', 'a model was asked outside of a billing context');
  }
  return stepId === undefined ? billing : { ...billing, stepId };
}
