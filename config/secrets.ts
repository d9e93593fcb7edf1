/** The secrets of the API and the worker: none has a default outside of development. */
import { createHash } from 'node:crypto';
import { ConfigError } from './environment.js';

export interface SecretSettings {
  readonly DEBUG: boolean;
  readonly SECRET_KEY?: string | undefined;
  readonly ENCRYPTION_KEY?: string | undefined;
  readonly ENCRYPTION_KEY_PREVIOUS?: string | undefined;
  readonly AUDIT_SIGNING_KEY?: string | undefined;
  readonly AUDIT_PUBLIC_KEY?: Buffer | undefined;
}

/** Source: contract, security §10: at least 32 bytes and no known default in production. */
const MIN_SECRET_BYTES = 32;
const KNOWN_DEFAULTS =
  /change[-_ ]?me|your[-_ ]?secret|secret[-_ ]?key|default|example|development/i;

/** @throws ConfigError where there is none, or one that could be guessed */
export function secretKeyOf(env: SecretSettings): string {
  if (env.SECRET_KEY === undefined) {
    if (env.DEBUG) {
      return 'agentforge development secret, never for production';
    }
    throw new ConfigError('Set SECRET_KEY to at least 32 random bytes (openssl rand -hex 32).');
  }
  const isWeak = Buffer.byteLength(env.SECRET_KEY) < MIN_SECRET_BYTES;
  if (!env.DEBUG && (isWeak || KNOWN_DEFAULTS.test(env.SECRET_KEY))) {
    throw new ConfigError(
      'SECRET_KEY is too weak: set at least 32 random bytes, not a known default (openssl rand -hex 32).',
    );
  }
  return env.SECRET_KEY;
}

const KEY_BYTES = 32;

/** Newest first. @throws ConfigError */
export function encryptionKeysOf(env: SecretSettings): readonly Buffer[] {
  if (env.ENCRYPTION_KEY === undefined) {
    if (env.DEBUG) {
      return [createHash('sha256').update('agentforge development encryption key').digest()];
    }
    throw new ConfigError(
      'Set ENCRYPTION_KEY to 32 random bytes in base64 (openssl rand -base64 32).',
    );
  }
  const previous = env.ENCRYPTION_KEY_PREVIOUS?.split(',') ?? [];
  return [
    keyOf('ENCRYPTION_KEY', env.ENCRYPTION_KEY),
    ...previous.map((text) => keyOf('ENCRYPTION_KEY_PREVIOUS', text)),
  ];
}

/** @throws ConfigError where there is none */
export function auditKeyOf({ AUDIT_SIGNING_KEY, DEBUG }: SecretSettings): Buffer {
  if (AUDIT_SIGNING_KEY !== undefined) {
    return keyOf('AUDIT_SIGNING_KEY', AUDIT_SIGNING_KEY);
  }
  if (DEBUG) {
    return createHash('sha256').update('agentforge development audit key').digest();
  }
  throw new ConfigError(
    'Set AUDIT_SIGNING_KEY to 32 random bytes in base64 (openssl rand -base64 32).',
  );
}

/**
 * What the API publishes: the public key, or what it is made of, as earlier releases have it.
 *
 * @throws ConfigError where there is none
 */
export function publishedKeyOf(env: SecretSettings): {
  publicKey: Buffer | null;
  signingKey: Buffer | null;
} {
  return env.AUDIT_PUBLIC_KEY === undefined
    ? { publicKey: null, signingKey: auditKeyOf(env) }
    : { publicKey: env.AUDIT_PUBLIC_KEY, signingKey: null };
}

function keyOf(name: string, text: string): Buffer {
  const isBase64 = /^[A-Za-z0-9+/_-]+={0,2}$/.test(text.trim());
  const key = Buffer.from(text.trim().replaceAll('-', '+').replaceAll('_', '/'), 'base64');
  if (!isBase64 || key.length !== KEY_BYTES) {
    throw new ConfigError(
      `${name} must be base64 of exactly 32 bytes (openssl rand -base64 32 makes one).`,
    );
  }
  return key;
}
