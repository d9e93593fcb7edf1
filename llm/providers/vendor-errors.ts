import { DomainError, type ErrorCode } from '../../domain/errors.js';
import type { Usage, RemoteProvider } from '../../domain/agents/models.js';

/**
 * A failed call of a model. `billing` says what the ledger has to do: `none` when the vendor never
 * got the request or answered it with an error, the usage where the vendor states one for a failure,
 * `unknown` when it may have done the work.
 */
export class ModelCallError extends DomainError {
  readonly billing: Billing;
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

export type Billing = 'none' | 'unknown' | Usage;

export interface ModelCallFacts {
  readonly billing: Billing;
  readonly status?: number | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

const RETRYABLE: readonly ErrorCode[] = [
  'model-unavailable',
  'model-rate-limited',
  'model-timeout',
  'model-empty',
];

/** Whether another vendor, or a later try, may succeed where this call failed. */
export function isRetryable(error: unknown): error is DomainError {
  return error instanceof DomainError && RETRYABLE.includes(error.code);
}

/**
 * Sorts what an SDK, the network or our own parsing of a reply threw. The text is ours:
 * a vendor's message may quote the key or the prompt, so neither the message nor `cause` carries it.
 */
export function modelErrorOf(vendor: RemoteProvider, error: unknown, now: number = Date.now()) {
  const own = causesOf(error).find((cause) => cause instanceof DomainError);
  if (own !== undefined) {
    return own; // the SDKs wrap what a connection throws
  }
  const status = statusOf(error);
  if (status === undefined) {
    return neverAnswered(vendor, error);
  }
  const code = codeOfStatus(status, error);
  return new ModelCallError(code, messageOf(code, vendor, status), {
    billing: 'none',
    status,
    retryAfterSeconds: RETRYABLE.includes(code) ? retryAfterOf(error, now) : undefined,
  });
}

/** The vendor answered 200 with something that is no answer. */
export function unusableReply(vendor: RemoteProvider): ModelCallError {
  return new ModelCallError('model-unavailable', `${vendor} sent an unusable reply`, {
    billing: 'unknown',
  });
}

/**
 * The error that an answer with status 200 holds: a stream's error event, or a document.
 *
 * @returns null for a document that holds none
 */
export function answeredError(vendor: RemoteProvider, document: unknown): ModelCallError | null {
  const isItself = [fieldOf(document, 'object'), fieldOf(document, 'type')].includes('error');
  const error = fieldOf(document, 'error') ?? (isItself ? document : null);
  if (saysNothing(error)) {
    return null;
  }
  const code = codeInside(document, error);
  return new ModelCallError(code, messageOf(code, vendor, 200), {
    billing: 'unknown',
    status: 200,
  });
}

function codeInside(document: unknown, error: unknown): ErrorCode {
  const said = saidBy(document);
  const named = causeOf(said) ?? (saysKeyIsBad(error) ? 'model-key-refused' : codeOfWord(said));
  const status = numberIn(fieldOf(error, 'code')) ?? numberIn(fieldOf(error, 'status'));
  return named ?? codeOfNumber(status) ?? 'model-unavailable';
}

/** Some servers send an empty error with every answer. */
function saysNothing(error: unknown): boolean {
  const values: readonly unknown[] =
    typeof error === 'object' && error !== null ? Object.values(error) : [error];
  return values.every((value) => NOTHING.has(value));
}

const NOTHING: ReadonlySet<unknown> = new Set(['', false, 0, null, undefined]);

/** The same failure, billed at what the vendor has stated before it. */
export function withUsage(error: Error, usage: Usage | null): Error {
  return error instanceof ModelCallError && error.billing === 'unknown' && usage !== null
    ? new ModelCallError(error.code, error.message, {
        billing: usage,
        status: error.status ?? undefined,
        retryAfterSeconds: error.retryAfterSeconds,
        cause: error.cause,
      })
    : error;
}

const REFUSES_KEY = new Set([401, 403]);
const CODES_OF_STATUS: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [402, 'model-credit-exhausted'],
  [408, 'model-unavailable'],
  [409, 'model-unavailable'],
  [425, 'model-unavailable'],
  [429, 'model-rate-limited'],
  [499, 'model-unavailable'],
]);

function codeOfStatus(status: number, error: unknown): ErrorCode {
  const cause = causeOf(saidBy(error));
  if (cause !== null) {
    return cause;
  }
  if (status === 403 && isPage(error)) {
    return 'model-blocked';
  }
  if (REFUSES_KEY.has(status) || saysKeyIsBad(error)) {
    return 'model-key-refused';
  }
  const named = CODES_OF_STATUS.get(status);
  if (named !== undefined) {
    return named;
  }
  return status >= 500 || status < 400 ? 'model-unavailable' : 'model-request-invalid';
}

/** A number in the place of a status, inside an answer whose own status was 200. */
function codeOfNumber(status: number | null): ErrorCode | null {
  return status === null || status < 400 || status > 599 ? null : codeOfStatus(status, undefined);
}

/** What a vendor says of a failure: the words for programs, and the sentence. */
interface Said {
  readonly words: readonly string[];
  readonly sentence: string;
}

/** What a vendor says against a request that it has not worked on. */
export interface Complaint {
  /** The parameter that it names as such, in lower case; '' for none. */
  readonly parameter: string;
  /** Its sentence and its words for programs, in lower case. */
  readonly sentence: string;
}

const COMPLAINTS = new Set([400, 422]);

/** @returns null for a failure that is no complaint about the request */
export function readComplaint(error: unknown): Complaint | null {
  if (!COMPLAINTS.has(statusOf(error) ?? 0)) {
    return null;
  }
  const { words, sentence } = saidBy(error);
  const parameter = textField(error, 'param') ?? textField(fieldOf(error, 'error'), 'param') ?? '';
  return {
    parameter: parameter.toLowerCase(),
    sentence: `${sentence} ${words.join(' ').toLowerCase()}`,
  };
}

/** A vendor's sentence names its cause early. */
const SENTENCE_CHARACTERS = 500;

/** The SDKs and vendors nest an error up to twice in another one. */
function saidBy(error: unknown): Said {
  const levels = [error, fieldOf(error, 'error'), fieldOf(fieldOf(error, 'error'), 'error')];
  const words = levels.flatMap((level) =>
    ['code', 'type', 'status'].flatMap((name) => textField(level, name) ?? []),
  );
  const sentences = levels.flatMap((level) =>
    typeof level === 'string' ? [level] : (textField(level, 'message') ?? []),
  );
  return {
    words,
    sentence: sentences
      .map((text) => text.slice(0, SENTENCE_CHARACTERS))
      .join(' ')
      .toLowerCase(),
  };
}

/** Failures that only the key's owner can mend. Source: the vendors' pages on errors, 2026-11-30. */
const CREDIT_WORDS = new Set([
  'insufficient_quota',
  'insufficient_credits',
  'billing_hard_limit_reached',
  'billing_not_active',
  'billing_error',
]);
const CREDIT_SENTENCES = [
  'credit balance is too low',
  'insufficient credits',
  'insufficient balance',
];
const REGION_WORDS = new Set(['unsupported_country_region_territory']);
const REGION_SENTENCES = [
  'user location is not supported',
  'country, region, or territory not supported',
];

/** A cause that says more than the status does; null where none is named. */
function causeOf({ words, sentence }: Said): ErrorCode | null {
  const says = (list: readonly string[]) => list.some((part) => sentence.includes(part));
  if (words.some((word) => CREDIT_WORDS.has(word)) || says(CREDIT_SENTENCES)) {
    return 'model-credit-exhausted';
  }
  if (words.some((word) => REGION_WORDS.has(word)) || says(REGION_SENTENCES)) {
    return 'model-region-refused';
  }
  return null;
}

/** Of errors without a status. */
const CODES_OF_WORDS: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ['rate_limit_error', 'model-rate-limited'],
  ['rate_limit_exceeded', 'model-rate-limited'],
  ['RESOURCE_EXHAUSTED', 'model-rate-limited'],
  ['authentication_error', 'model-key-refused'],
  ['invalid_api_key', 'model-key-refused'],
  ['permission_error', 'model-key-refused'],
  ['UNAUTHENTICATED', 'model-key-refused'],
  ['PERMISSION_DENIED', 'model-key-refused'],
  ['invalid_request_error', 'model-request-invalid'],
  ['not_found_error', 'model-request-invalid'],
  ['INVALID_ARGUMENT', 'model-request-invalid'],
]);

function codeOfWord({ words }: Said): ErrorCode | null {
  return words.map((word) => CODES_OF_WORDS.get(word)).find((code) => code !== undefined) ?? null;
}

/** A firewall or a proxy answers with a page; a vendor's API never does. */
function isPage(error: unknown): boolean {
  const headers = fieldOf(error, 'headers');
  return headers instanceof Headers && (headers.get('content-type') ?? '').includes('html');
}

function messageOf(code: ErrorCode, vendor: RemoteProvider, status: number): string {
  switch (code) {
    case 'model-key-refused':
      return `${vendor} refused the key (status ${status})`;
    case 'model-credit-exhausted':
      return `the key's account at ${vendor} has no credit left (status ${status})`;
    case 'model-region-refused':
      return `${vendor} does not serve this region (status ${status})`;
    case 'model-blocked':
      return `a page in place of ${vendor} refused the call on its way (status ${status})`;
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

function neverAnswered(vendor: RemoteProvider, error: unknown): ModelCallError {
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
  const details = fieldOf(error, 'errorDetails') ?? fieldOf(error, 'details');
  return Array.isArray(details) ? details : [];
}

function numberIn(value: unknown): number | null {
  const number = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) ? number : null;
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
