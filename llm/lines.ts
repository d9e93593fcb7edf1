import { createHash } from 'node:crypto';
import type { ProviderName } from '../domain/models.js';
import type { PayingKey } from './model.js';

/** One vendor as one key reaches it: what circuits and calls in flight are counted by. */
export interface Line {
  readonly provider: ProviderName;
  /** Names the key, in Redis and in logs; never the key itself. */
  readonly payer: string;
}

/** Enough to tell a replaced key from the one before, and far too little to find either. */
const DIGEST_CHARACTERS = 8;

export function lineOf({ provider, apiKey, keyId }: PayingKey): Line {
  const digest = createHash('sha256').update(apiKey).digest('hex').slice(0, DIGEST_CHARACTERS);
  return { provider, payer: `${keyId ?? 'server'}:${digest}` };
}
