import { AsyncLocalStorage } from 'node:async_hooks';
import type { Charge } from '../domain/costs.js';

/**
 * Who pays for the model calls made inside: opened once per activity by the worker's inbound
 * interceptor, read by `metered.ts`.
 */
export const chargeScope = new AsyncLocalStorage<Charge>();
