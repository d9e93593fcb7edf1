import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Design } from '../domain/design/designs.js';
import type { ConversationId, UserId } from '../domain/ids.js';
import type { Macs } from './macs.js';

/** A discussion as it stands, so that reading it wakes no sleeping workflow. */
export interface SessionView {
  readonly userId: UserId;
  readonly state: string;
  readonly round: number;
  /** Of the state: each turn makes a newer one. */
  readonly version: number;
  readonly designs: readonly Design[];
  /** `seq` of the newest event that the view knows of. */
  readonly lastSeq: number;
}

export interface SessionStore {
  readonly redis: Redis;
  readonly macs: Macs;
}

/** Source: contract, README decision 1. */
const LIFETIME_SECONDS = 3_600;

/**
 * Keeps the newer one of two views, in either order of arrival. What it compares is the `seq`
 * that a state was stored with: later events may have raised `lastSeq` before the state arrives.
 */
const WRITE_UNLESS_OLDER = `
local storedWith = tonumber(redis.call('hget', KEYS[1], 'storedWith') or '-1')
if storedWith > tonumber(ARGV[1]) then return 0 end
local known = tonumber(redis.call('hget', KEYS[1], 'lastSeq') or '-1')
redis.call('hset', KEYS[1], 'storedWith', ARGV[1], 'view', ARGV[2])
if known < tonumber(ARGV[1]) then redis.call('hset', KEYS[1], 'lastSeq', ARGV[1]) end
redis.call('expire', KEYS[1], ARGV[3])
return 1
`;

const RAISE_SEQ = `
local known = tonumber(redis.call('hget', KEYS[1], 'lastSeq') or '')
if not known or known >= tonumber(ARGV[1]) then return 0 end
redis.call('hset', KEYS[1], 'lastSeq', ARGV[1])
redis.call('expire', KEYS[1], ARGV[2])
return 1
`;

/**
 * Writes the view for an hour, never over a newer one.
 *
 * @returns false if it was not written: a newer one is there, or Redis is away. Both are fine, as
 *   PostgreSQL holds the truth.
 */
export async function writeSessionView(
  { redis, macs }: SessionStore,
  conversationId: ConversationId,
  view: SessionView,
): Promise<boolean> {
  const key = sessionKeyOf(conversationId);
  try {
    const text = macs.sign(key, JSON.stringify(view));
    const written = await redis.eval(
      WRITE_UNLESS_OLDER,
      1,
      ...[key, view.lastSeq, text, LIFETIME_SECONDS],
    );
    return written === 1;
  } catch {
    return false;
  }
}

/**
 * Tells an existing view of a newer event that leaves the state as it is, for another hour.
 *
 * @returns false if nothing was written: there is no view, it knows of the event, or Redis is away
 */
export async function raiseSessionSeq(
  redis: Redis,
  conversationId: ConversationId,
  seq: number,
): Promise<boolean> {
  try {
    const key = sessionKeyOf(conversationId);
    return (await redis.eval(RAISE_SEQ, 1, key, seq, LIFETIME_SECONDS)) === 1;
  } catch {
    return false;
  }
}

const ViewShape = z.object({
  userId: z.string(),
  state: z.string(),
  round: z.int().min(0),
  version: z.int().min(0),
  designs: z.array(z.custom<Design>((value) => DesignShape.safeParse(value).success)),
  lastSeq: z.int().min(0),
});
const DesignShape = z.looseObject({ name: z.string(), agents: z.array(z.looseObject({})) });

/** Longer than any view: what somebody else has put there is not even fetched. */
const MAX_VIEW_BYTES = 4_194_304;

const READ = `
if redis.call('hstrlen', KEYS[1], 'view') > tonumber(ARGV[1]) then return {false, false} end
return redis.call('hmget', KEYS[1], 'view', 'lastSeq')
`;

const StoredShape = z.tuple([z.string(), z.coerce.number().int().min(0)]);

/**
 * The view as it was written, however long ago: who can write to Redis can put an older one back,
 * so that its `version` is to be compared.
 *
 * @returns null if there is none of ours, or Redis is away: read PostgreSQL then
 */
export async function readSessionView(
  { redis, macs }: SessionStore,
  conversationId: ConversationId,
): Promise<SessionView | null> {
  const key = sessionKeyOf(conversationId);
  try {
    const [signed, lastSeq] = StoredShape.parse(await redis.eval(READ, 1, key, MAX_VIEW_BYTES));
    const text = macs.verify(key, signed);
    return text === null ? null : { ...ViewShape.parse(JSON.parse(text)), lastSeq };
  } catch {
    return null;
  }
}

export function sessionKeyOf(conversationId: ConversationId): string {
  return `agentforge:session:${conversationId}`;
}
