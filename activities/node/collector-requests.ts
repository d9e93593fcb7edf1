/** One request to the data-collector service, and what its answer or its silence means. */
import { z } from 'zod';
import type { CollectedPage, CollectorProblem } from '../../domain/collector/texts.js';
import { DomainError } from '../../domain/errors.js';
import { toStorableJson } from '../../domain/text/storable-text.js';
import { withoutTrailingSlashes } from '../../domain/text/trailing-slashes.js';
import { traceparentOf } from '../../domain/traces.js';
import { logScope, outgoingSpan } from '../../telemetry/log-scope.js';

export type CollectOutcome =
  | { readonly kind: 'collected'; readonly page: CollectedPage }
  | { readonly kind: 'problem'; readonly problem: CollectorProblem }
  /** No server listens at the collector's address. */
  | { readonly kind: 'unreachable' };

export interface CollectorAddress {
  /** `DATA_COLLECTOR_URL` */
  readonly baseUrl: string;
  /** `COLLECTOR_SECRET`; absent or null: the collector asks for none. */
  readonly secret?: string | null;
  /** Per request. Source: contract, pipeline §4. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 60_000;
const MAX_ANSWER_BYTES = 5 * 1024 * 1024;

export interface Attempt {
  readonly outcome: CollectOutcome;
  /** Earliest useful retry, where the collector names one; else 0. */
  readonly retryAfterMs: number;
}

/** Ends a collection early; never leaves the client. */
export class CallFailed extends Error implements Attempt {
  readonly outcome: CollectOutcome;
  readonly retryAfterMs: number;

  constructor(outcome: CollectOutcome, retryAfterMs = 0) {
    super(outcome.kind);
    this.outcome = outcome;
    this.retryAfterMs = retryAfterMs;
  }
}

export function failedBy(problem: CollectorProblem, retryAfterMs = 0): CallFailed {
  return new CallFailed({ kind: 'problem', problem }, retryAfterMs);
}

export interface CollectorRequest {
  /** Below `/api/v1/collections`. */
  readonly path: string;
  /** Absent: GET. null: POST without a body. */
  readonly body?: object | null;
}

/** Sends one request. @throws CallFailed, `cancelled` */
export type Send = <T>(schema: z.ZodType<T>, request: CollectorRequest) => Promise<T>;

export function createSend(
  { baseUrl, secret = null, timeoutMs = TIMEOUT_MS }: CollectorAddress,
  cancel: AbortSignal,
): Send {
  const root = `${withoutTrailingSlashes(baseUrl)}/api/v1/collections`;
  const credentials = secret === null ? {} : { authorization: `Bearer ${secret}` };
  return async (schema, { path, body }) => {
    const signal = AbortSignal.any([cancel, AbortSignal.timeout(timeoutMs)]);
    const init = { ...toRequestInit(body, credentials), signal };
    const text = await fetchText(`${root}${path}`, init).catch((error: unknown) => {
      throw toFailure(error, cancel);
    });
    return parseAnswer(schema, text);
  };
}

function toRequestInit(
  body: CollectorRequest['body'],
  credentials: Record<string, string>,
): RequestInit {
  const redirect = 'manual'; // the collector has no reason to send us elsewhere
  const headers = { ...credentials, ...traceHeaders() };
  if (body === undefined) {
    return { method: 'GET', redirect, headers };
  }
  return body === null
    ? { method: 'POST', redirect, headers }
    : {
        method: 'POST',
        redirect,
        body: JSON.stringify(body),
        headers: { ...headers, 'content-type': 'application/json' },
      };
}

/** So that the collector's log lines belong to the same trace. */
function traceHeaders(): Record<string, string> {
  const { requestId } = logScope();
  const span = outgoingSpan();
  return requestId === undefined || span === null
    ? {}
    : { 'x-request-id': requestId, traceparent: traceparentOf(span) };
}

async function fetchText(address: string, request: RequestInit): Promise<string> {
  const response = await fetch(address, request);
  if (!response.ok) {
    await response.body?.cancel();
    const retryAfter = Number(response.headers.get('retry-after') ?? 0);
    const retryAfterMs = Number.isFinite(retryAfter) ? retryAfter * 1_000 : 0;
    throw failedBy({ kind: 'status', status: response.status }, retryAfterMs);
  }
  const body: AsyncIterable<Uint8Array> | null = response.body;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER_BYTES) {
      throw failedBy({ kind: 'unreadable' });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function toFailure(error: unknown, cancel: AbortSignal): Error {
  if (cancel.aborted) {
    return new DomainError('cancelled', 'collection cancelled');
  }
  if (error instanceof CallFailed) {
    return error;
  }
  const isTimeout =
    typeof error === 'object' && error !== null && Reflect.get(error, 'name') === 'TimeoutError';
  return isTimeout ? failedBy({ kind: 'timeout' }) : new CallFailed({ kind: 'unreachable' });
}

function parseAnswer<T>(schema: z.ZodType<T>, text: string): T {
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) {
    throw failedBy({ kind: 'unreadable' });
  }
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(toStorableJson(text)); // a page may hold anything
  } catch {
    return undefined;
  }
}
