/** The environment of the data collector: of the product's secrets it is given its own alone. */
import { z } from 'zod';
import type { AllowedAddress } from '../domain/security/allowed-addresses.js';
import {
  allowedAddresses,
  collectorSecret,
  logLevel,
  parseEnvironment,
  peekEnvironment,
  port,
} from './environment.js';
import { WatchdogEnvironment, watchdogOf, type WatchdogConfig } from './watchdog-config.js';

const KIBIBYTE = 1_024;
const MAX_BYTES_LIMIT = 64 * KIBIBYTE * KIBIBYTE;

/** Settings of the collector alone. */
export const CollectorOnlyEnvironment = z.object({
  COLLECTOR_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address that the collector listens on.'),
  COLLECTOR_PORT: port.default(8001).describe('Port that the collector listens on.'),
  COLLECTOR_DELAY_SECONDS: z.coerce
    .number()
    .min(0)
    .max(10)
    .default(2)
    .describe('Wait between two requests to one domain, over all collectors.'),
  COLLECTOR_TIMEOUT_SECONDS: z.coerce
    .number()
    .positive()
    .max(30)
    .default(30)
    .describe('Time limit of one page, from its first request to its text.'),
  COLLECTOR_MAX_BYTES: z.coerce
    .number()
    .int()
    .min(KIBIBYTE)
    .max(MAX_BYTES_LIMIT)
    .default(5 * KIBIBYTE * KIBIBYTE)
    .describe('Larger pages are refused, before and after they are unpacked.'),
});

export const CollectorEnvironment = z.object({
  ...WatchdogEnvironment.shape,
  ...CollectorOnlyEnvironment.shape,
  REDIS_URL: z.string().min(1),
  LOG_LEVEL: logLevel,
  COLLECTOR_SECRET: collectorSecret,
  COLLECTOR_ALLOW_ADDRESSES: allowedAddresses,
});

/** The names of all settings of the collector. */
export const COLLECTOR_SETTINGS: readonly string[] = Object.keys(CollectorEnvironment.shape);

export interface CollectorConfig {
  readonly redisUrl: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly host: string;
  readonly port: number;
  /** What its callers have to know; null: anyone who reaches it may use it. */
  readonly secret: string | null;
  /** Private hosts that may be read nevertheless. */
  readonly allowed: readonly AllowedAddress[];
  /** Between two requests to one domain, of all collectors together. */
  readonly delayMs: number;
  /** Limit of one crawl, from its first request to its text. */
  readonly crawlTimeoutMs: number;
  /** Largest page, before and after decompression. */
  readonly maxBodyBytes: number;
  readonly watchdog: WatchdogConfig;
}

/** @throws ConfigError */
export function loadCollectorConfig(env: NodeJS.ProcessEnv = peekEnvironment()): CollectorConfig {
  const parsed = parseEnvironment(CollectorEnvironment, env);
  return Object.freeze({
    redisUrl: parsed.REDIS_URL,
    logLevel: parsed.LOG_LEVEL,
    host: parsed.COLLECTOR_HOST,
    port: parsed.COLLECTOR_PORT,
    secret: parsed.COLLECTOR_SECRET ?? null,
    allowed: parsed.COLLECTOR_ALLOW_ADDRESSES,
    delayMs: parsed.COLLECTOR_DELAY_SECONDS * 1_000,
    crawlTimeoutMs: parsed.COLLECTOR_TIMEOUT_SECONDS * 1_000,
    maxBodyBytes: parsed.COLLECTOR_MAX_BYTES,
    watchdog: watchdogOf(parsed),
  });
}
