import { Context } from '@temporalio/activity';
import type { UserId } from '../../domain/ids.js';
import { isVendor, type Vendor } from '../../domain/agents/models.js';
import type { KeyCheck, Provider } from '../../llm/model.js';

/** Checks a stored vendor key, or a registered server, by its id; the key itself never leaves this process. */
export interface LlmKeyActivities {
  checkKey(call: { userId: string; keyId: string }): Promise<KeyVerdict>;
}

export interface KeyVerdict {
  readonly outcome: 'valid' | 'invalid' | 'unchecked';
  readonly provider: Vendor | null;
  readonly models: readonly string[];
}

export interface LlmKeyDeps {
  readonly providers: readonly Provider[];
  /** @returns null if there is no such key, or it cannot be opened any more */
  openKey(
    userId: string,
    keyId: string,
  ): Promise<{ provider: string; apiKey: string; nonce: Buffer } | null>;
  /** Checks a registered server and records what it found. @returns null if there is no such server */
  checkEndpoint(
    endpoint: { readonly userId: UserId; readonly id: string },
    options: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ): Promise<KeyVerdict['outcome'] | null>;
  /** Records a verdict; `unchecked` keeps the previous one. */
  recordVerdict(verdict: { keyId: string; nonce: Buffer; isValid: boolean }): Promise<void>;
  keyChanged(userId: string): void;
}

/** Source: contract, pipeline §4 ("Key validation 15 s"), less the time of the round trips. */
const CHECK_TIMEOUT_MS = 12_000;

export function createLlmKeyActivities(deps: LlmKeyDeps): LlmKeyActivities {
  return {
    async checkKey({ userId, keyId }) {
      const key = await deps.openKey(userId, keyId);
      if (key === null) {
        const signal = Context.current().cancellationSignal;
        const call = { userId, id: keyId };
        const found = await deps.checkEndpoint(call, { signal, timeoutMs: CHECK_TIMEOUT_MS });
        return { outcome: found ?? 'unchecked', provider: null, models: [] };
      }
      if (!isVendor(key.provider)) {
        return { outcome: 'unchecked', provider: null, models: [] };
      }
      const vendor = key.provider;
      const provider = deps.providers.find(({ name }) => name === vendor);
      const check: KeyCheck =
        provider === undefined
          ? { kind: 'unchecked', reason: 'unknown provider' }
          : await provider.checkKey({
              apiKey: key.apiKey,
              timeoutMs: CHECK_TIMEOUT_MS,
              signal: Context.current().cancellationSignal,
            });
      if (check.kind !== 'unchecked') {
        await deps.recordVerdict({ keyId, nonce: key.nonce, isValid: check.kind === 'valid' });
        deps.keyChanged(userId);
      }
      const models = check.kind === 'valid' ? check.models : [];
      return { outcome: check.kind, provider: vendor, models };
    },
  };
}
