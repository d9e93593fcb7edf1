/** Any error → `{"detail": …}`; the only place that gives error codes their HTTP status. */
import { DomainError, type ErrorCode } from '../../../domain/errors.js';
import { isOutage } from '../../../domain/outages.js';
import { pathForLog } from '../../../telemetry/masking.js';
import { InvalidInput } from '../schemas/problems.js';
import { subjectOf } from './request-log.js';
import type { ApiMiddleware, Context } from './state.js';

const STATUS: Readonly<Record<ErrorCode, number>> = {
  'invalid-input': 400,
  'not-authenticated': 401,
  'not-permitted': 403,
  'not-found': 404,
  conflict: 409,
  'too-many-requests': 429,
  'limit-reached': 400,
  'no-llm-key': 400,
  'llm-key-unreadable': 400,
  'pipeline-running': 429,
  'pipeline-waiting': 409,
  'pipelines-per-day': 429,
  'discussions-per-day': 429,
  'over-budget': 429,
  'nothing-confirmed': 409,
  'run-not-ended': 409,
  'run-not-archived': 409,
  'rerun-mixes-models': 409,
  'run-ended': 409,
  'nothing-to-approve': 409,
  'model-key-refused': 400,
  'model-credit-exhausted': 400,
  'model-region-refused': 400,
  'model-blocked': 400,
  'model-address-refused': 400,
  'model-request-invalid': 400,
  'model-refused': 400,
  'model-unpriced': 400,
  'attempts-exhausted': 503,
  'answer-invalid': 503,
  'prompt-injection': 400,
  'approval-rejected': 409,
  'collector-blocked': 400,
  'model-unavailable': 503,
  'model-rate-limited': 503,
  'model-timeout': 503,
  'model-empty': 503,
  'model-on-hold': 503,
  'collector-failed': 503,
  unavailable: 503,
  cancelled: 503,
  internal: 500,
};

const INTERNAL = 'Internal server error';
const AWAY = 'The service is temporarily unavailable, please try again';
const AWAY_RETRY_SECONDS = 2;

/** Turns every error of the inner layers into an answer. A stack never leaves the process. */
export function mapErrors(): ApiMiddleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      show(ctx, error);
    }
  };
}

function show(ctx: Context, error: unknown): void {
  if (error instanceof InvalidInput) {
    answer(ctx, 422, error.problems);
    return;
  }
  if (error instanceof DomainError) {
    showDomainError(ctx, error);
    return;
  }
  const refusal = refusalOf(error);
  if (refusal !== null) {
    answer(ctx, refusal.status, refusal.detail);
    return;
  }
  logFailure(ctx, error);
  if (isOutage(error)) {
    answer(ctx, STATUS.unavailable, AWAY);
    ctx.set('Retry-After', String(AWAY_RETRY_SECONDS));
    return;
  }
  answer(ctx, 500, INTERNAL);
}

function logFailure(ctx: Context, error: unknown): void {
  const { method } = ctx;
  const path = pathForLog(ctx.path);
  ctx.state.log.error('request failed', { method, path, ...subjectOf(ctx), error });
}

function showDomainError(ctx: Context, error: DomainError): void {
  const status = STATUS[error.code];
  if (status >= 500) {
    logFailure(ctx, error);
  }
  answer(ctx, status, error.code === 'internal' ? INTERNAL : error.message);
  if (error.retryAfterSeconds !== undefined) {
    ctx.set('Retry-After', String(Math.max(1, Math.ceil(error.retryAfterSeconds))));
  }
}

/** What the HTTP libraries refuse by themselves (body too large, unknown encoding, hang-up). */
function refusalOf(error: unknown): { status: number; detail: string } | null {
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') {
    return null;
  }
  if (error.status < 400 || error.status >= 500) {
    return null;
  }
  const detail = error.status === 413 ? 'Request body too large' : 'Request body cannot be read';
  return { status: error.status, detail };
}

function answer(ctx: Context, status: number, detail: unknown): void {
  ctx.status = status;
  ctx.body = { detail };
}
