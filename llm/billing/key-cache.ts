import type { UserId } from '../../domain/ids.js';
import type { PayingKey } from '../model.js';

/** Source: contract, pipeline §6.5. */
const LIFETIME_MS = 300_000;
const MAX_USERS = 200;

export interface KeyCache {
  /** The user's opened keys, loaded at most once per lifetime. */
  find(userId: UserId): Promise<readonly PayingKey[]>;
  /**
   * To be called whenever a key of the user is made, replaced, deleted or checked; null forgets
   * every user, after an outage in which such calls may have been missed.
   */
  invalidate(userId: UserId | null): void;
}

export interface KeyCacheDeps {
  readonly load: (userId: UserId) => Promise<readonly PayingKey[]>;
  /** Milliseconds; the clock if absent. */
  readonly now?: () => number;
  readonly lifetimeMs?: number;
  readonly maxUsers?: number;
}

interface Entry {
  readonly keys: Promise<readonly PayingKey[]>;
  readonly expiresAt: number;
}

/**
 * Opened keys in memory, for a while. An empty or failed lookup is not kept: a user without a key
 * is expected to register one, perhaps in another process.
 */
export function createKeyCache(deps: KeyCacheDeps): KeyCache {
  const { load, now = Date.now, lifetimeMs = LIFETIME_MS, maxUsers = MAX_USERS } = deps;
  const entries = new Map<UserId, Entry>(); // in order of creation, so the first one is the oldest
  const forget = (userId: UserId, entry: Entry) => {
    if (entries.get(userId) === entry) {
      entries.delete(userId);
    }
  };
  const remember = (userId: UserId): Entry => {
    const entry = { keys: load(userId), expiresAt: now() + lifetimeMs };
    entries.delete(userId);
    entries.set(userId, entry);
    const [oldest] = entries.keys();
    if (entries.size > maxUsers && oldest !== undefined) {
      entries.delete(oldest);
    }
    return entry;
  };
  return {
    async find(userId) {
      const cached = entries.get(userId);
      const entry = cached !== undefined && cached.expiresAt > now() ? cached : remember(userId);
      try {
        const keys = await entry.keys;
        if (keys.length === 0) {
          forget(userId, entry);
        }
        return keys;
      } catch (error) {
        forget(userId, entry);
        throw error;
      }
    },
    invalidate: (userId) => {
      if (userId === null) {
        entries.clear();
      } else {
        entries.delete(userId);
      }
    },
  };
}
