import type { RemoteProvider } from '../../domain/agents/models.js';
import { withoutTrailingSlashes } from '../../domain/text/trailing-slashes.js';
import type { CallOptions, KeyCheck } from '../model.js';
import { ModelCallError, modelErrorOf } from './vendor-errors.js';

/** What fits into a header; anything else would look like a failure of the network. */
const SENDABLE_KEY = /^[\x21-\x7e]+$/;

/**
 * Runs one request of a vendor's SDK under the caller's signal and the call's own time limit, which
 * also covers the reading of the body (the SDKs' timeouts end at the headers). Both abort the HTTP
 * request and end the wait at once, even if the SDK does not notice.
 *
 * @throws DomainError as described at `Provider`
 */
export async function callVendor<T>(
  vendor: RemoteProvider,
  options: CallOptions,
  request: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (!SENDABLE_KEY.test(options.apiKey)) {
    throw new ModelCallError('model-key-refused', `the key for ${vendor} cannot be one`, {
      billing: 'none',
    });
  }
  if (options.signal.aborted) {
    throw new ModelCallError('cancelled', `the call of ${vendor} was cancelled`, {
      billing: 'none',
    });
  }
  const limit = limitOf(vendor, options);
  try {
    return await Promise.race([limit.reached, request(limit.signal)]);
  } catch (error) {
    limit.abort(); // a stream that is not read to its end would go on
    throw modelErrorOf(vendor, error);
  } finally {
    limit.clear();
  }
}

interface Limit {
  readonly signal: AbortSignal;
  /** Rejects when the call has to end; never resolves. */
  readonly reached: Promise<never>;
  /** Ends the HTTP request. */
  abort(): void;
  clear(): void;
}

function limitOf(vendor: RemoteProvider, { signal, timeoutMs }: CallOptions): Limit {
  const controller = new AbortController();
  let reject: (error: ModelCallError) => void = () => undefined;
  const reached = new Promise<never>((_, rejectReached) => {
    reject = rejectReached;
  });
  reached.catch(() => undefined); // no listener is left after the race
  const end = (code: 'cancelled' | 'model-timeout', what: string) => {
    reject(new ModelCallError(code, `the call of ${vendor} ${what}`, { billing: 'unknown' }));
    controller.abort();
  };
  const cancel = () => {
    end('cancelled', 'was cancelled');
  };
  const timer = setTimeout(() => {
    end('model-timeout', `took longer than ${timeoutMs} ms`);
  }, timeoutMs);
  signal.addEventListener('abort', cancel, { once: true });
  return {
    signal: controller.signal,
    reached,
    abort: () => {
      controller.abort();
    },
    clear: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', cancel);
    },
  };
}

/** Statuses that speak of the key itself; 402 and an exhausted credit speak of its owner's money. */
const KEY_IS_BAD = new Set([400, 401, 403]);

/**
 * Only the vendor's own refusal makes a key invalid: any other failure says nothing of the key.
 * Source: contract, pipeline §7.
 */
export async function checkVendorKey(
  vendor: RemoteProvider,
  options: CallOptions,
  ask: (signal: AbortSignal) => Promise<readonly string[]>,
): Promise<KeyCheck> {
  try {
    return { kind: 'valid', models: await callVendor(vendor, options, ask) };
  } catch (error) {
    if (!(error instanceof ModelCallError)) {
      throw error;
    }
    const isRefused =
      error.code === 'model-key-refused' && (error.status === null || KEY_IS_BAD.has(error.status));
    return isRefused ? { kind: 'invalid' } : { kind: 'unchecked', reason: error.message };
  }
}

/** How many models a key check names. Source: contract, pipeline §7. */
export const MODELS_NAMED = 20;

/** A base address as the SDKs want it; absent, the SDK's own. */
export function baseUrlOf(baseUrl: string | undefined): { readonly baseURL?: string } {
  return baseUrl === undefined ? {} : { baseURL: withoutTrailingSlashes(baseUrl) };
}

/** SDKs must neither retry nor print: attempts are counted and logged by us. */
export const QUIET_SDK = { maxRetries: 0, logLevel: 'off' } as const;

export function clamp(value: number, [low, high]: readonly [number, number]): number {
  return Math.min(high, Math.max(low, value));
}
