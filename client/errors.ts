/** An answer that is no success. */
export interface ApiProblem {
  readonly status: number;
  /** The API's own words. */
  readonly detail: string;
  /** What is wrong with which input; of a 422. */
  readonly fields: readonly { readonly field: string; readonly msg: string }[];
  /** When to try again, where the API says so. */
  readonly retryAfterSeconds: number | null;
  /** Names the request in the logs. */
  readonly requestId: string | null;
}

export class ApiError extends Error implements ApiProblem {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly detail: string;
  readonly fields: ApiProblem['fields'];
  readonly retryAfterSeconds: number | null;
  readonly requestId: string | null;

  constructor(problem: ApiProblem) {
    super(`${problem.status}: ${problem.detail}`);
    this.status = problem.status;
    this.detail = problem.detail;
    this.fields = problem.fields;
    this.retryAfterSeconds = problem.retryAfterSeconds;
    this.requestId = problem.requestId;
  }
}

export function readProblem(answer: {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}): ApiProblem {
  const { status, body, headers } = answer;
  const detail = detailOf(body);
  const fields = Array.isArray(detail) ? detail.flatMap(fieldOf) : [];
  const wait = headers.get('Retry-After');
  return {
    status,
    detail:
      typeof detail === 'string'
        ? detail
        : fields.map(({ field, msg }) => `${field}: ${msg}`).join('; '),
    fields,
    retryAfterSeconds: wait === null ? null : Number(wait),
    requestId: headers.get('X-Request-ID'),
  };
}

function detailOf(body: unknown): unknown {
  return typeof body === 'object' && body !== null && 'detail' in body ? body.detail : String(body);
}

function fieldOf(problem: unknown): ApiProblem['fields'] {
  return typeof problem === 'object' && problem !== null && 'field' in problem && 'msg' in problem
    ? [{ field: String(problem.field), msg: String(problem.msg) }]
    : [];
}
