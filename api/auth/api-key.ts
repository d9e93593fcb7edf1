/** How keys for scripts look. Source: contract, security §3. */
import { createHash, randomBytes } from 'node:crypto';

const RANDOM_BYTES = 16;
const PREFIX_LENGTH = 11;

/** A new key in plaintext, shown once, and what is stored of it. */
export function makeApiKey(): { key: string; keyHash: string; keyPrefix: string } {
  const key = `sk-${randomBytes(RANDOM_BYTES).toString('hex')}`;
  return { key, keyHash: hashApiKey(key), keyPrefix: key.slice(0, PREFIX_LENGTH) };
}

/** SHA-256, hex. */
export function hashApiKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
