/**
 * Which process is given which variables. Settings that are no secrets go to every process that
 * reads them; a secret goes to those who use it, and to no other.
 */
import { VENDORS } from '../domain/agents/models.js';

export type ProcessName = 'api' | 'worker' | 'collector';

/** Every setting that is a secret, or the way to one. */
export const SECRETS: Readonly<Record<string, readonly ProcessName[]>> = {
  DATABASE_URL: ['api', 'worker'],
  /** The collector's is its own user's. */
  REDIS_URL: ['api', 'worker', 'collector'],
  TEMPORAL_API_KEY: ['api', 'worker'],
  TEMPORAL_TLS_KEY: ['api', 'worker'],
  /** What the worker shows the collector. */
  COLLECTOR_SECRET: ['worker', 'collector'],
  /** Signs tokens, which the API alone makes and checks. */
  SECRET_KEY: ['api'],
  /** Seals payloads, which both write and read. */
  ENCRYPTION_KEY: ['api', 'worker'],
  ENCRYPTION_KEY_PREVIOUS: ['api', 'worker'],
  /** The worker signs archives; the API shows the public half. */
  AUDIT_SIGNING_KEY: ['worker'],
  /** The worker calls vendors; the API needs to know whether there are keys at all. */
  ...Object.fromEntries(
    VENDORS.map((vendor) => [`${vendor.toUpperCase()}_API_KEY`, ['worker'] as const]),
  ),
};

/** What Node and the system look at. */
const COMMON = /^(?:PATH|HOME|USER|TZ|LANG|LANGUAGE|LC_\w+|TMPDIR|NODE_\w+|UV_\w+|SSL_CERT_\w+)$/;
/** What packages of the API and the worker look at: OpenTelemetry, pg, gRPC, and ways out. */
const PACKAGES =
  /^(?:OTEL_\w+|PGSSL\w+|PGAPPNAME|PGOPTIONS|GRPC_\w+|grpc_proxy|no_grpc_proxy|(?:HTTPS?|ALL|NO)_PROXY|(?:https?|all|no)_proxy)$/;
/** What the vendors' own packages look at. */
const OF_VENDORS = VENDORS.map((vendor) => `${vendor.toUpperCase()}_`);

/** @param settings the names that the process's configuration reads */
export function isVariableOf(
  process: ProcessName,
  name: string,
  settings: readonly string[],
): boolean {
  const users = SECRETS[name];
  if (users !== undefined) {
    return users.includes(process);
  }
  return (
    settings.includes(name) ||
    COMMON.test(name) ||
    (process !== 'collector' && PACKAGES.test(name)) ||
    (process === 'worker' && OF_VENDORS.some((prefix) => name.startsWith(prefix)))
  );
}

/** The part of an environment that a process is given. */
export function variablesOf(
  process: ProcessName,
  env: NodeJS.ProcessEnv,
  settings: readonly string[],
): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => isVariableOf(process, name, settings)),
  );
}
