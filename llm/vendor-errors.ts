import { DomainError, type ErrorCode } from '../domain/errors.js';
import type { Vendor } from '../domain/models.js';

/**
 * A failed call of a model. `billing` says what the ledger has to do: `none` when the vendor never
 * got the request or answered it with an error, `unknown` when it may have done the work.
 */
export class ModelCallError extends DomainError {
  readonly billing: 'none' | 'unknown';
  /** HTTP status of the vendor's answer, if it gave one. */
  readonly status: number | null;

  constructor(code: ErrorCode, message: string, facts: ModelCallFacts) {
    super(code, message, {
      cause: facts.cause,
      ...(facts.retryAfterSeconds === undefined
        ? {}
        : { retryAfterSeconds: facts.retryAfterSeconds }),
    });
    this.billing = facts.billing;
    this.status = facts.status ?? null;
  }
}

export interface ModelCallFacts {
  readonly billing: 'none' | 'unknown';
  readonly status?: number | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

const RETRYABLE: readonly ErrorCode[] = [
  'model-unavailable',
  'model-rate-limited',
  'model-timeout',
];

/** Whether another vendor, or a later try, may succeed where this call failed. */
export function isRetryable(error: unknown): error is DomainError {
  return error instanceof DomainError && RETRYABLE.includes(error.code);
}

/**
 * Sorts whatever an SDK, the network or our own parsing of a reply threw. The text is ours:
 * a vendor's message may quote the key or the prompt, so neither the message nor `cause` carries it.
 */
export function modelErrorOf(vendor: Vendor, error: unknown, now: number = Date.now()) {
  if (error instanceof DomainError) {
    return error;
  }
  const status = statusOf(error);
  if (status === undefined) {
    return neverAnswered(vendor, error);
  }
  const code = codeOf(status, error);
  return new ModelCallError(code, messageOf(code, vendor, status), {
    billing: 'none',
    status,
    retryAfterSeconds: RETRYABLE.includes(code) ? retryAfterOf(error, now) : undefined,
  });
}

/** The vendor answered 200 with something that is no answer. */
export function unusableReply(vendor: Vendor): ModelCallError {
  return new ModelCallError('model-unavailable', `${vendor} sent an unusable reply`, {
    billing: 'unknown',
  });
}

const REFUSES_KEY = new Set([401, 402, 403]);
const TRY_LATER = new Set([408, 409, 425]);

function codeOf(status: number, error: unknown): ErrorCode {
  if (REFUSES_KEY.has(status) || saysKeyIsBad(error)) {
    return 'model-key-refused';
  }
  if (status === 429) {
    // An exhausted credit does not come back by waiting: only the key's owner can mend it.
    return textField(error, 'code') === 'insufficient_quota'
      ? 'model-key-refused'
      : 'model-rate-limited';
  }
  return status >= 500 || status < 400 || TRY_LATER.has(status)
    ? 'model-unavailable'
    : 'model-request-invalid';
}

function messageOf(code: ErrorCode, vendor: Vendor, status: number): string {
  switch (code) {
    case 'model-key-refused':
      return `${vendor} refused the key (status ${status})`;
    case 'model-rate-limited':
      return `${vendor} limits the rate of calls (status ${status})`;
    case 'model-request-invalid':
      return `${vendor} refused the request as invalid (status ${status})`;
    default:
      return `${vendor} is not available (status ${status})`;
  }
}

/** Google answers a bad key with 400 and this reason. */
function saysKeyIsBad(error: unknown): boolean {
  return detailsOf(error).some((detail) => textField(detail, 'reason') === 'API_KEY_INVALID');
}

/** Failures of the network before a byte of the request could leave. */
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function neverAnswered(vendor: Vendor, error: unknown): ModelCallError {
  const wasSent = !causesOf(error).some((cause) =>
    NOT_CONNECTED.has(textField(cause, 'code') ?? ''),
  );
  return new ModelCallError('model-unavailable', `${vendor} could not be reached`, {
    billing: wasSent ? 'unknown' : 'none',
  });
}

function causesOf(error: unknown): readonly unknown[] {
  const chain: unknown[] = [];
  let current = error;
  while (current !== undefined && current !== null && chain.length < 8) {
    chain.push(current);
    if (current instanceof AggregateError) {
      const errors: readonly unknown[] = current.errors;
      chain.push(...errors);
    }
    current = current instanceof Error ? current.cause : undefined;
  }
  return chain;
}

function statusOf(error: unknown): number | undefined {
  const status = fieldOf(error, 'status');
  return typeof status === 'number' ? status : undefined;
}

/** Seconds until a retry makes sense, from headers, or from Google's `RetryInfo`. */
function retryAfterOf(error: unknown, now: number): number | undefined {
  const headers = fieldOf(error, 'headers');
  if (headers instanceof Headers) {
    return retryAfterOfHeaders(headers, now);
  }
  const delays = detailsOf(error).map((detail) => textField(detail, 'retryDelay'));
  const delay = delays.find((text) => text !== undefined);
  return delay === undefined ? undefined : secondsOf(Number.parseFloat(delay));
}

/** Understands `retry-after-ms`, and `retry-after` in seconds or as an HTTP date. */
export function retryAfterOfHeaders(headers: Headers, now: number): number | undefined {
  const milliseconds = headers.get('retry-after-ms');
  if (milliseconds !== null && milliseconds.trim() !== '') {
    return secondsOf(Number(milliseconds) / 1_000);
  }
  const text = headers.get('retry-after')?.trim();
  if (text === undefined || text === '') {
    return undefined;
  }
  const seconds = Number(text);
  return secondsOf(Number.isNaN(seconds) ? (Date.parse(text) - now) / 1_000 : seconds);
}

function secondsOf(seconds: number): number | undefined {
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}

function detailsOf(error: unknown): readonly unknown[] {
  const details = fieldOf(error, 'errorDetails');
  return Array.isArray(details) ? details : [];
}

function textField(value: unknown, name: string): string | undefined {
  const field = fieldOf(value, name);
  return typeof field === 'string' ? field : undefined;
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) {
    return undefined;
  }
  const field: unknown = Reflect.get(value, name);
  return field;
}
