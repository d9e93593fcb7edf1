import type { Redis } from 'ioredis';
import type { Logger } from '../telemetry/logger.js';

export interface Subscriptions {
  /**
   * Hears a channel until the returned function is called. Resolves when Redis has confirmed it,
   * or at once while Redis is away; then it is made up for.
   *
   * @param onText null: messages may have been missed
   */
  add(channel: string, onText: (text: string | null) => void): Promise<() => void>;
  /** Whether every wanted channel is heard. */
  isAvailable(): boolean;
  onChange(listener: (available: boolean) => void): () => void;
  close(): void;
}

type Listener = (text: string | null) => void;

/** One connection for all channels of the process; a channel is held while anybody hears it. */
export function createSubscriptions(redis: Redis, logger: Logger): Subscriptions {
  const channels = new Map<string, { listeners: Set<Listener>; confirmed: Promise<void> }>();
  const link = watchLink(redis, logger, async () => {
    const names = [...channels.keys()];
    if (names.length > 0) {
      await redis.subscribe(...names);
    }
  });
  link.onChange((available) => {
    for (const { listeners } of available ? channels.values() : []) {
      tell(listeners, null);
    }
  });
  redis.on('message', (channel: string, text: string) => {
    tell(channels.get(channel)?.listeners ?? new Set(), text);
  });

  async function subscribe(channel: string): Promise<void> {
    if (redis.status === 'ready') {
      await redis.subscribe(channel).then(() => undefined, link.replace);
    }
  }

  return {
    async add(channel, onText) {
      const entry = channels.get(channel) ?? { listeners: new Set(), confirmed: Promise.resolve() };
      if (!channels.has(channel)) {
        channels.set(channel, entry);
        entry.confirmed = subscribe(channel);
      }
      const listener: Listener = (text) => {
        onText(text);
      };
      entry.listeners.add(listener);
      await entry.confirmed;
      return () => {
        entry.listeners.delete(listener);
        if (entry.listeners.size === 0 && channels.get(channel) === entry) {
          channels.delete(channel);
          redis.unsubscribe(channel).catch(() => undefined); // while away there is nothing to undo
        }
      };
    },
    isAvailable: link.isAvailable,
    onChange: (listener) => link.onChange(listener),
    close() {
      link.close();
      channels.clear();
      redis.disconnect();
    },
  };
}

const PROBE_MS = 2_000;

/** Knows whether the connection works, and replaces one that does not respond. */
function watchLink(redis: Redis, logger: Logger, resubscribe: () => Promise<void>) {
  const observers = new Set<(available: boolean) => void>();
  let isAvailable = false;

  function setAvailable(available: boolean): void {
    if (available !== isAvailable) {
      isAvailable = available;
      [...observers].forEach((observer) => {
        observer(available);
      });
    }
  }

  function replace(error: unknown): void {
    if (redis.status === 'ready') {
      logger.warn('redis subscriber stalled', { error });
      setAvailable(false);
      redis.disconnect(true);
    }
  }

  redis.on('ready', () => {
    resubscribe().then(() => {
      setAvailable(true);
    }, replace);
  });
  redis.on('close', () => {
    setAvailable(false);
  });
  // a peer that vanished without a word is noticed only by asking it
  const probe = setInterval(() => {
    if (redis.status === 'ready') {
      redis.ping().catch(replace);
    }
  }, PROBE_MS).unref();

  return {
    replace,
    isAvailable: () => isAvailable,
    onChange(observer: (available: boolean) => void): () => void {
      observers.add(observer);
      return () => observers.delete(observer);
    },
    close(): void {
      clearInterval(probe);
      observers.clear();
    },
  };
}

function tell(listeners: ReadonlySet<Listener>, text: string | null): void {
  for (const listener of [...listeners]) {
    listener(text);
  }
}
