/** Tells a server that is away from a mistake of ours, for errors of every origin. */

const BUGS: ReadonlySet<unknown> = new Set([
  'TypeError',
  'ReferenceError',
  'RangeError',
  'SyntaxError',
  'ZodError',
  'UnreadableJson',
]);
/** Source: PostgreSQL, appendix A: data exceptions, violated constraints, wrong statements. */
const REFUSED_BY_POSTGRES = /^(22|23|2B|42)[0-9A-Z]{3}$/;

/** Whether every repetition would meet the error again; all others may be a server that is away. */
export function isLasting(error: unknown): boolean {
  const name = fieldOf(error, 'name');
  const code = fieldOf(error, 'code');
  if (typeof code === 'string') {
    return REFUSED_BY_POSTGRES.test(code);
  }
  const isNetwork = fieldOf(error, 'cause') !== undefined; // fetch wraps it in a TypeError
  return name === undefined || (BUGS.has(name) && !isNetwork);
}

/** Source: Node's and libuv's names of a peer that is not there. */
const NO_PEER =
  /^(?:ECONNREFUSED|ECONNRESET|ECONNABORTED|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
/** Source: PostgreSQL, appendix A: connections, resources, a server that stops, a time limit. */
const POSTGRES_AWAY = /^(?:08[0-9A-Z]{3}|53[0-9A-Z]{3}|57P0[1-5]|57014)$/;
/** Failures that the driver names by words alone. */
const DRIVER_SAYS =
  /^(?:Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|PostgreSQL does not answer)/;

/** Whether the error says that PostgreSQL is away or too busy; not for errors of unknown kind. */
export function isOutage(error: unknown): boolean {
  const code = fieldOf(error, 'code');
  if (typeof code === 'string') {
    return NO_PEER.test(code) || POSTGRES_AWAY.test(code);
  }
  const message = fieldOf(error, 'message');
  return typeof message === 'string' && DRIVER_SAYS.test(message);
}

/** What the error says of whether a repetition may succeed. */
export type ErrorNature =
  /** A store or another server that is away, or too busy: worth any number of tries. */
  | 'away'
  /** A mistake of ours: every try would meet it again. */
  | 'mistake'
  /** Neither is known: worth a few tries. */
  | 'unknown';

/**
 * Source: PostgreSQL, appendix A: besides what `isOutage` names, a refused sign-in, a lost or read-only
 * server, a rollback by the server, a lock that was not to be had, and failures of its own machine.
 */
const POSTGRES_UNWELL =
  /^(?:25006|28[0-9A-Z]{3}|3D000|40[0-9A-Z]{3}|55[0-9A-Z]{3}|57[0-9A-Z]{3}|58[0-9A-Z]{3}|XX[0-9A-Z]{3})$/;
/** Source: Node's and undici's names of connections that fail, and of certificates that are refused. */
const NO_CONNECTION =
  /^(?:ENOENT|EACCES|ENETDOWN|EHOSTDOWN|EAI_[A-Z]+|UND_ERR_[A-Z_]+|ERR_TLS_[A-Z_]+|CERT_[A-Z_]+|[A-Z_]*SELF_SIGNED_CERT[A-Z_]*|UNABLE_TO_[A-Z_]+)$/;
/** Source: gRPC, status codes: deadline, exhausted, aborted, internal, unavailable. */
const GRPC_AWAY: ReadonlySet<unknown> = new Set([4, 8, 10, 13, 14]);
const MAX_CAUSES = 5;

export function natureOf(error: unknown): ErrorNature {
  const errors = withCauses(error);
  if (errors.some(isAway)) {
    return 'away';
  }
  return errors.length === 0 || errors.some(isOurs) ? 'mistake' : 'unknown';
}

function withCauses(error: unknown): readonly unknown[] {
  const errors: unknown[] = [];
  for (let it = error; it !== undefined && errors.length < MAX_CAUSES; it = fieldOf(it, 'cause')) {
    errors.push(it);
  }
  return errors;
}

/** Errors of Node's own that a wrong call meets have a code besides. */
function isOurs(error: unknown): boolean {
  const isBug = BUGS.has(fieldOf(error, 'name')) && fieldOf(error, 'cause') === undefined;
  return isBug || isLasting(error);
}

function isAway(error: unknown): boolean {
  const code = fieldOf(error, 'code');
  return (
    isOutage(error) ||
    fieldOf(error, 'name') === 'TimeoutError' ||
    GRPC_AWAY.has(code) ||
    (typeof code === 'string' && (POSTGRES_UNWELL.test(code) || NO_CONNECTION.test(code)))
  );
}

/** Source: PostgreSQL, appendix A: an undefined column, table, function or object. */
const UNDEFINED = /^42(?:703|P01|883|704)$/;

/** Whether the database lacks what this release needs: it is about to be migrated. */
export function isNotMigrated(error: unknown): boolean {
  const code = fieldOf(error, 'code');
  return typeof code === 'string' && UNDEFINED.test(code);
}

/** By shape, not by class: errors of Node's own parts may come from another realm. */
function fieldOf(error: unknown, field: 'name' | 'code' | 'cause' | 'message'): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, field) : undefined;
}
