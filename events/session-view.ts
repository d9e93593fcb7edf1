import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Design } from '../domain/designs.js';
import type { ConversationId, UserId } from '../domain/ids.js';

/** A discussion as it stands, so that reading it wakes no sleeping workflow. */
export interface SessionView {
  readonly userId: UserId;
  readonly state: string;
  readonly round: number;
  readonly designs: readonly Design[];
  /** `seq` of the newest event that the view knows of. */
  readonly lastSeq: number;
}

/** Source: contract, README decision 1. */
const LIFETIME_SECONDS = 3_600;

/**
 * Keeps the newer one of two views, whatever order they arrive in. What it compares is the `seq`
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
  redis: Redis,
  conversationId: ConversationId,
  view: SessionView,
): Promise<boolean> {
  try {
    const written = await redis.eval(
      WRITE_UNLESS_OLDER,
      1,
      sessionKeyOf(conversationId),
      view.lastSeq,
      JSON.stringify(view),
      LIFETIME_SECONDS,
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
  designs: z.array(z.custom<Design>((value) => DesignShape.safeParse(value).success)),
  lastSeq: z.int().min(0),
});
const DesignShape = z.looseObject({ name: z.string(), agents: z.array(z.looseObject({})) });

/** @returns null if there is none, or Redis is away: read PostgreSQL then */
export async function readSessionView(
  redis: Redis,
  conversationId: ConversationId,
): Promise<SessionView | null> {
  try {
    const [text, seq] = await redis.hmget(sessionKeyOf(conversationId), 'view', 'lastSeq');
    return text == null ? null : { ...ViewShape.parse(JSON.parse(text)), lastSeq: Number(seq) };
  } catch {
    return null;
  }
}

export function sessionKeyOf(conversationId: ConversationId): string {
  return `agentforge:session:${conversationId}`;
}
