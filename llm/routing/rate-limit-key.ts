import { createHash } from 'node:crypto';
import type { ProviderName } from '../../domain/agents/models.js';
import type { PayingKey } from '../model.js';

/** A provider as one key reaches it: circuits and permits are counted by it. */
export interface RateLimitKey {
  readonly provider: ProviderName;
  /** Names the key, in Redis and in logs; never the key itself. */
  readonly fingerprint: string;
}

/** Enough to tell a replaced key from the one before, and far too little to find either. */
const DIGEST_CHARACTERS = 8;

export function toRateLimitKey({ provider, apiKey, keyId, endpoint }: PayingKey): RateLimitKey {
  const digest = createHash('sha256').update(apiKey).digest('hex').slice(0, DIGEST_CHARACTERS);
  return { provider, fingerprint: `${endpoint?.id ?? keyId ?? 'server'}:${digest}` };
}

/** As its keys in Redis end. */
export function nameRateLimitKey({ provider, fingerprint }: RateLimitKey): string {
  return `${provider}:${fingerprint}`;
}
