/** What every process of ours reads its environment with; the only reader of `process.env`. */
import { config as readDotenv } from 'dotenv';
import { z } from 'zod';
import { parseAllowedAddresses } from '../domain/security/allowed-addresses.js';
import { VENDORS } from '../domain/agents/models.js';

declare module 'zod' {
  interface GlobalMeta {
    /** Which of the two processes that share one schema use a setting. */
    readonly readBy?: readonly ('api' | 'worker')[];
    /** How a value is written, where the schema does not say it. */
    readonly form?: string;
    /** A value to show in `.env.example`. */
    readonly example?: string;
  }
}

/** A setting's description: docs/configuration.md and `.env.example` are made from it. */
export function readByApi<S extends z.ZodType>(schema: S, description: string): S {
  return schema.meta({ ...schema.meta(), description, readBy: ['api'] });
}
export function readByWorker<S extends z.ZodType>(schema: S, description: string): S {
  return schema.meta({ ...schema.meta(), description, readBy: ['worker'] });
}
export function readByBoth<S extends z.ZodType>(schema: S, description: string): S {
  return schema.meta({ ...schema.meta(), description, readBy: ['api', 'worker'] });
}

export const flag = z
  .string()
  .transform((text) => ['1', 'true', 'yes', 'on'].includes(text.trim().toLowerCase()))
  .meta({ form: '`true` or `false`' });
export const port = z.coerce.number().int().min(0).max(65_535);
export const count = z.coerce.number().int().min(0);
/** -1: unlimited */
export const requestsPerMinute = z.coerce.number().int().min(-1);
/** An exact decimal: no float touches money. */
export const usd = z
  .string()
  .trim()
  .regex(/^\d{1,8}(\.\d{1,6})?$/, 'US dollars, e.g. 25 or 12.50');
export const optional = z.string().trim().optional();
export const logLevel = readByBoth(
  z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  'Log lines below this level are dropped.',
);

/** Of collectors and of those who ask them. A header carries it, so it is printable ASCII. */
export const collectorSecret = readByWorker(
  z
    .string()
    .regex(/^[\x21-\x7e]{16,512}$/, 'at least 16 printable characters (openssl rand -hex 32)')
    .optional(),
  'Secret that the workers send the collector: `openssl rand -hex 32`. Unset, anyone who reaches the collector may use it. `npm start` makes one.',
);

/** Addresses, networks and names, each with or without a port. */
export const addressList = z
  .string()
  .default('')
  .transform((text, context) => {
    const parsed = parseAllowedAddresses(text);
    if ('problem' in parsed) {
      context.addIssue({ code: 'custom', message: parsed.problem });
      return z.NEVER;
    }
    return parsed;
  })
  .meta({ form: 'comma-separated list', example: '10.1.0.0/16,wiki.internal:8080' });

/** Of collectors and of those who ask them: both have to allow the same. */
export const allowedAddresses = readByWorker(
  addressList,
  'Dangerous: private addresses, networks or names, each with or without a port, that any design may have read (docs/collector.md). The collector and the workers need the same value.',
);

/** Comma-separated; `openai,` is one name. */
export const providerNames = z
  .string()
  .default('')
  .transform((text) => text.split(',').map((name) => name.trim()))
  .transform((names) => names.filter((name) => name !== ''))
  .pipe(z.array(z.enum(VENDORS)));

/** 64 hexadecimal digits. */
export const publicKey = z
  .string()
  .trim()
  .regex(/^[0-9a-f]{64}$/, 'a public key has 64 hexadecimal digits')
  .transform((key) => Buffer.from(key, 'hex'))
  .optional();

/** Comma-separated, 64 hexadecimal digits each. */
export const publicKeys = z
  .string()
  .default('')
  .transform((text) => text.split(',').map((key) => key.trim()))
  .pipe(z.array(z.string().regex(/^([0-9a-f]{64})?$/, 'public keys have 64 hexadecimal digits')))
  .transform((keys) => keys.filter((key) => key !== '').map((key) => Buffer.from(key, 'hex')));

/** A setting that cannot be used; the message names the variable and the cure. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * The environment, completed from `.env`, which never overrides what is set. What is not wanted
 * there is not taken from it: packages look at all of `process.env`.
 */
export function readEnvironment(isWanted: (name: string) => boolean): NodeJS.ProcessEnv {
  const file: NodeJS.ProcessEnv = {};
  readDotenv({ quiet: true, processEnv: file });
  for (const [name, value] of Object.entries(file)) {
    if (isWanted(name)) {
      process.env[name] ??= value;
    }
  }
  return process.env;
}

/** The same for a process that has no business with all of it: `.env` stays out of `process.env`. */
export function peekEnvironment(): NodeJS.ProcessEnv {
  const file: NodeJS.ProcessEnv = {};
  readDotenv({ quiet: true, processEnv: file });
  return { ...file, ...process.env };
}

/** An empty variable is one that is not set. @throws ConfigError */
export function parseEnvironment<S extends z.ZodType>(
  schema: S,
  env: NodeJS.ProcessEnv,
): z.output<S> {
  const present = Object.entries(env).filter(([, value]) => value?.trim() !== '');
  const parsed = schema.safeParse(Object.fromEntries(present));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join('.')}: ${issue.message}`,
    );
    throw new ConfigError(
      `Set these environment variables (docs/configuration.md): ${problems.join('; ')}`,
    );
  }
  return parsed.data;
}
