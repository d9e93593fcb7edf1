/**
 * Live fan-out over Redis: hints that something has been stored, never the truth and never
 * history. A process that receives none finds everything in PostgreSQL. What carries no MAC of ours (from
 * an older release, or forged) means no more than "look into PostgreSQL", now and then.
 */
import type { StoredEvent } from '../domain/events.js';
import type { StreamId, UserId } from '../domain/ids.js';
import type { Logger } from '../telemetry/logger.js';
import {
  channelOf,
  encodeNotification,
  encodeUser,
  KEY_CHANGED_CHANNEL,
  parseNotification,
  parseUser,
  USER_GONE_CHANNEL,
  type Notification,
} from './notifications.js';
import { liveChannelOf, parseLiveMessage, type LiveMessage } from './live-messages.js';
import type { Macs } from './macs.js';
import { connectRedis } from './redis.js';
import { createSubscriptions, type Subscriptions } from './subscriptions.js';
import { createThrottle } from './throttle.js';

export type { Notification as Hint } from './notifications.js';
export type { LiveMessage } from './live-messages.js';

export interface Bus {
  /**
   * Tells all processes of events that are stored already. Never throws and waits a second at
   * most: while Redis is away the stream is remembered and gets a nudge when it is back.
   */
  publish(streamId: StreamId, events: readonly StoredEvent[]): Promise<void>;
  /**
   * Hears a stream until the returned function is called. After an outage of Redis each
   * subscribed stream gets a nudge, since hints may have been missed.
   */
  subscribe(
    streamId: StreamId,
    listener: (notification: Notification) => void,
  ): Promise<() => void>;
  /**
   * Subscribes to the agents at work in a stream (events/live-writer.ts) until the returned function is
   * called. @param listener gets null where messages may have been missed
   */
  subscribeLive(
    streamId: StreamId,
    listener: (message: LiveMessage | null) => void,
  ): Promise<() => void>;
  /** Tells all processes that a user's vendor keys have changed; like `publish` otherwise. */
  publishKeyChanged(userId: UserId): Promise<void>;
  /** @param listener gets null where messages may have been missed: any user's keys may have changed */
  onKeyChanged(listener: (userId: UserId | null) => void): Promise<() => void>;
  /** Tells all processes that a user counts as gone; like `publish` otherwise. */
  publishUserGone(userId: UserId): Promise<void>;
  /** @param listener gets null where messages may have been missed: any user may have gone */
  onUserGone(listener: (userId: UserId | null) => void): Promise<() => void>;
  /** Whether hints arrive; if not, read PostgreSQL. */
  isAvailable(): boolean;
  onChange(listener: (available: boolean) => void): () => void;
  close(): Promise<void>;
}

export interface BusDeps {
  readonly redisUrl: string;
  readonly logger: Logger;
  /** The same keys in every process. */
  readonly macs: Macs;
}

export function createBus({ redisUrl, logger, macs }: BusDeps): Bus {
  const publisher = connectRedis({ url: redisUrl, name: 'agentforge-publish', logger });
  const subscriptions = createSubscriptions(
    connectRedis({ url: redisUrl, name: 'agentforge-subscribe', logger }),
    logger,
  );
  const hear = createHearing(subscriptions, macs);
  const unsent = createUnsent();

  async function send(channel: string, text: string, instead: string): Promise<void> {
    try {
      await publisher.publish(channel, macs.sign(channel, text));
    } catch (error) {
      unsent.add(channel, instead);
      if (isTimeout(error) && publisher.status === 'ready') {
        publisher.disconnect(true); // so that the next one does not wait as well
      }
    }
  }

  function sendUser(channel: string, userId: UserId): Promise<void> {
    const text = encodeUser(userId);
    return send(channel, text, text);
  }

  publisher.on('ready', () => {
    for (const [channel, text] of unsent.takeAll()) {
      void send(channel, text, text);
    }
  });

  return {
    async publish(streamId, events) {
      if (events.length > 0) {
        const reminder = encodeNotification({ nudge: true });
        await send(channelOf(streamId), encodeNotification({ events }), reminder);
      }
    },
    subscribe: (streamId, listener) =>
      hear(channelOf(streamId), (text) => {
        const notification = text === null ? null : parseNotification(text);
        listener(notification ?? { nudge: true }); // what cannot be read may still mean news
      }),
    subscribeLive: (streamId, listener) =>
      hear(liveChannelOf(streamId), (text) => {
        listener(text === null ? null : parseLiveMessage(text));
      }),
    publishKeyChanged: (userId) => sendUser(KEY_CHANGED_CHANNEL, userId),
    onKeyChanged: (listener) => hearUsers(hear, KEY_CHANGED_CHANNEL, listener),
    publishUserGone: (userId) => sendUser(USER_GONE_CHANNEL, userId),
    onUserGone: (listener) => hearUsers(hear, USER_GONE_CHANNEL, listener),
    isAvailable: () => subscriptions.isAvailable(),
    onChange: (listener) => subscriptions.onChange(listener),
    close() {
      subscriptions.close();
      publisher.disconnect();
      return Promise.resolve();
    },
  };
}

/** How often a channel notifies its listeners of texts without a MAC of ours. */
const UNSIGNED_EVERY_MS = 500;

type Hear = Subscriptions['add'];

/** @returns what hears a channel: texts with a MAC of ours, and null for everything else that may be missed */
function createHearing(subscriptions: Subscriptions, macs: Macs): Hear {
  return async (channel, onText) => {
    const unsigned = createThrottle(() => {
      onText(null);
    }, UNSIGNED_EVERY_MS);
    const stopHearing = await subscriptions.add(channel, (signed) => {
      const text = signed === null ? null : macs.verify(channel, signed);
      if (signed !== null && text === null) {
        unsigned.ask();
      } else {
        onText(text);
      }
    });
    return () => {
      unsigned.stop();
      stopHearing();
    };
  };
}

function hearUsers(
  hear: Hear,
  channel: string,
  listener: (userId: UserId | null) => void,
): Promise<() => void> {
  return hear(channel, (text) => {
    listener(text === null ? null : parseUser(text));
  });
}

/** ioredis has no class of its own for a command that got no answer in time. */
function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message.includes('timed out');
}

const MAX_UNSENT = 10_000;

/** What Redis has not taken yet, without repeats; beyond the bound the oldest is forgotten. */
function createUnsent() {
  const entries = new Map<string, readonly [channel: string, text: string]>();
  return {
    add(channel: string, text: string): void {
      entries.set(`${channel} ${text}`, [channel, text]);
      const oldest = entries.keys().next();
      if (entries.size > MAX_UNSENT && !oldest.done) {
        entries.delete(oldest.value);
      }
    },
    takeAll(): readonly (readonly [channel: string, text: string])[] {
      const all = [...entries.values()];
      entries.clear();
      return all;
    },
  };
}
