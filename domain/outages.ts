/** Telling a part of the system that is away from a mistake of ours, whoever threw the error. */

const BUGS: ReadonlySet<unknown> = new Set([
  'TypeError',
  'ReferenceError',
  'RangeError',
  'SyntaxError',
  'ZodError',
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

/** By shape, not by class: errors of Node's own parts may come from another realm. */
function fieldOf(error: unknown, field: 'name' | 'code' | 'cause' | 'message'): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, field) : undefined;
}
