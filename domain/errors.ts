/** Every way in which AgentForge refuses or fails, as a stable code. Listed once, here. */
export type ErrorCode =
  // what the caller can mend
  | 'invalid-input'
  | 'not-authenticated'
  | 'not-permitted'
  | 'not-found'
  | 'conflict'
  | 'too-many-requests'
  | 'limit-reached'
  | 'no-llm-key'
  | 'llm-key-unreadable'
  | 'pipeline-running'
  | 'pipeline-waiting'
  | 'pipelines-per-day'
  | 'discussions-per-day'
  | 'over-budget'
  | 'nothing-confirmed'
  // a run that is not in the state that the order needs
  | 'run-not-ended'
  | 'run-not-archived'
  | 'rerun-mixes-models'
  | 'run-ended'
  | 'nothing-to-approve'
  // a model call that will not succeed if repeated
  | 'model-key-refused'
  | 'model-credit-exhausted'
  | 'model-region-refused'
  | 'model-blocked'
  | 'model-request-invalid'
  | 'model-refused'
  | 'model-unpriced'
  | 'attempts-exhausted'
  | 'answer-invalid'
  | 'prompt-injection'
  | 'approval-rejected'
  | 'collector-blocked'
  // a model or service call that may succeed later
  | 'model-unavailable'
  | 'model-rate-limited'
  | 'model-timeout'
  | 'model-empty'
  // nobody was asked yet: a vendor rests, or the key's calls are all in use
  | 'model-on-hold'
  | 'collector-failed'
  | 'unavailable'
  | 'cancelled'
  | 'internal';

export interface DomainErrorOptions {
  cause?: unknown;
  /** Earliest useful retry, in seconds, where the other side named one. */
  retryAfterSeconds?: number;
}

/** A failure with a stable code; `message` is safe to show to a user and to log. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly code: ErrorCode;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: DomainErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** The limit of all users together, of a vendor key that the server pays. */
export class ServerKeySpent extends DomainError {
  constructor() {
    super('over-budget', "the call does not fit into the day of the server's LLM key");
  }
}
