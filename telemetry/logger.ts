/** JSON lines on standard output, one event per line; secrets are masked by construction. */
import { pino, type DestinationStream } from 'pino';
import { logScope } from './log-scope.js';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each of its lines. */
  with(fields: LogFields): Logger;
}

const MASK = '[masked]';
const SECRET_NAME = /pass(word)?|secret|token|api_?key|authorization|cookie|credential/i;
/** Vendor keys, our API keys, JSON web tokens, and the password part of an address. */
const SECRET_SHAPES: readonly [RegExp, string][] = [
  [/\bsk-[A-Za-z0-9_-]{8,}/g, MASK],
  [/\bAIza[A-Za-z0-9_-]{10,}/g, MASK],
  [/\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, MASK],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@]+@/gi, `$1${MASK}@`],
];

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
      mixin: () => maskFields({ ...logScope() }), // what a line says itself wins
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.destination ?? pino.destination({ fd: 1, sync: true }),
  );
  return wrap(base, {});
}

function wrap(base: pino.Logger, common: LogFields): Logger {
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error') => (event: string, fields?: LogFields) => {
      base[level](maskFields({ ...common, ...fields }), maskText(event));
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    with: (fields) => wrap(base, { ...common, ...fields }),
  };
}

/** Replaces everything key-shaped in a text. */
export function maskText(text: string): string {
  return SECRET_SHAPES.reduce((masked, [shape, mask]) => masked.replace(shape, mask), text);
}

function maskFields(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, maskValue(name, value)]),
  );
}

function maskValue(name: string, value: unknown): unknown {
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) {
    return value; // counts such as `maxTokens` are no secrets
  }
  if (SECRET_NAME.test(name)) {
    return MASK;
  }
  if (typeof value === 'string') {
    return maskText(value);
  }
  if (value instanceof Error) {
    return describeError(value);
  }
  if (Array.isArray(value)) {
    return value.map((item: unknown) => maskValue('', item));
  }
  return typeof value === 'object' ? maskFields({ ...value }) : '[unprintable]';
}

function describeError(error: Error): Record<string, unknown> {
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return {
    name: error.name,
    ...code,
    message: maskText(error.message),
    stack: maskText(error.stack ?? ''),
    ...(error.cause instanceof Error ? { cause: describeError(error.cause) } : {}),
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
