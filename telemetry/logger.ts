/** JSON lines on standard output, one event per line; secrets are masked by construction. */
import { pino, type DestinationStream } from 'pino';
import { logScope } from './log-scope.js';
import { maskFields, maskText } from './masking.js';

export { maskText } from './masking.js';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each of its lines. */
  with(fields: LogFields): Logger;
}

export function createLogger(
  name: string,
  options: { level?: string; destination?: DestinationStream } = {},
): Logger {
  const base = pino(
    {
      name,
      level: options.level ?? 'info',
      base: { process: name },
      messageKey: 'event',
      mixin: () => maskFields(logScope()), // what a line says itself wins
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.destination ?? pino.destination({ fd: 1, sync: true }),
  );
  return wrap(base, []);
}

/** @param common of each line; the last counts */
function wrap(base: pino.Logger, common: readonly LogFields[]): Logger {
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (event: string, fields: LogFields = {}) => {
      if (base.isLevelEnabled(level)) {
        base[level](maskFields(...common, fields), maskText(event));
      }
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    with: (fields) => wrap(base, [...common, fields]),
  };
}

/** For tests and for parts that need a logger but nothing to say. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLogger,
};
