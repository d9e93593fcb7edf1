/**
 * Agents at work and their replies so far, as Redis holds them for a short while: one string per
 * agent, and an index per stream. Nothing here is history; whatever is lost is in the result.
 */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { AgentStartedEvent } from '../domain/events.js';
import type { PipelineId, StreamId } from '../domain/ids.js';
import { liveChannelOf } from './live-messages.js';

export interface NodeRef {
  readonly pipelineId: PipelineId;
  readonly node: string;
}

export interface LiveNode {
  /** The attempt that is at work; a newer one takes over. */
  readonly writer: string;
  readonly started: AgentStartedEvent;
  /** The reply in the making, from its first character on. */
  readonly reply: { readonly id: string; readonly text: string } | null;
}

/** Whose entry is written, and how long it stays when nobody writes any more. */
export interface LivePlace extends NodeRef {
  readonly streamId: StreamId;
  /** A UUID. */
  readonly writer: string;
  readonly lifetimeMs: number;
}

/**
 * `start`: the agent begins, and takes the entry from any earlier attempt. `reply`: another reply
 * begins, or the entry was lost. `append`: the reply goes on.
 */
export type LiveWrite =
  | { readonly kind: 'start' | 'reply'; readonly node: LiveNode; readonly message: string }
  | { readonly kind: 'append'; readonly text: string; readonly message: string };

/** `lost`: write the whole. `taken`: another attempt is at work. */
export type LiveWritten = 'written' | 'lost' | 'taken';

/**
 * Writes and tells, in one step, so that what is told is always in the entry, and in order.
 *
 * @throws what Redis throws; the entry may be written or not
 */
export async function writeLive(
  redis: Redis,
  place: LivePlace,
  write: LiveWrite,
): Promise<LiveWritten> {
  const value = write.kind === 'append' ? write.text : encode(write.node);
  const { streamId, writer, lifetimeMs } = place;
  const outcome = await redis.eval(
    WRITE,
    2,
    keyOf(place),
    indexOf(streamId),
    ...[writer, write.kind, value, lifetimeMs, memberOf(place)],
    ...[liveChannelOf(streamId), write.message],
  );
  return outcome === 1 ? 'written' : outcome === 0 ? 'lost' : 'taken';
}

/** Whoever has just heard of a reply may still look for its text. */
const AFTERLIFE_MS = 5_000;

/** The agent has ended; its entry goes soon, unless another attempt has taken it. */
export async function endLive(redis: Redis, place: LivePlace): Promise<void> {
  const args = [place.writer, memberOf(place), AFTERLIFE_MS];
  await redis.eval(END, 2, keyOf(place), indexOf(place.streamId), ...args);
}

/** The agents of a stream that may be at work. @throws what Redis throws */
export async function listLive(redis: Redis, streamId: StreamId): Promise<readonly NodeRef[]> {
  const members = await redis.zrange(indexOf(streamId), '0', '-1');
  return members.map((member) => ({
    pipelineId: member.slice(0, ID_LENGTH),
    node: member.slice(ID_LENGTH + 1),
  }));
}

/** What is known of each; null for nothing. @throws what Redis throws */
export async function readLive(
  redis: Redis,
  refs: readonly NodeRef[],
): Promise<readonly (LiveNode | null)[]> {
  const values = refs.length === 0 ? [] : await redis.mget(refs.map(keyOf));
  return values.map((value) => (value === null ? null : decode(value)));
}

/** Of a UUID. */
const ID_LENGTH = 36;

function keyOf({ pipelineId, node }: NodeRef): string {
  return `agentforge:agent:${pipelineId}:${node}`;
}

function indexOf(streamId: StreamId): string {
  return `agentforge:agents:${streamId}`;
}

function memberOf({ pipelineId, node }: NodeRef): string {
  return `${pipelineId} ${node}`;
}

/** The writer's id, a line of JSON, then the text, which grows by appending. */
function encode({ writer, started, reply }: LiveNode): string {
  const head = JSON.stringify({ started, reply: reply?.id ?? null });
  return `${writer}${head}\n${reply?.text ?? ''}`;
}

const StartedShape = z.looseObject({
  type: z.literal('agent_started'),
  pipeline_id: z.string(),
  agent_name: z.string(),
  node: z.string(),
  timestamp: z.string(),
});

const HeadShape = z.object({
  started: z.custom<AgentStartedEvent>((value) => StartedShape.safeParse(value).success),
  reply: z.string().nullable(),
});

/** @returns null for anything that is no entry of ours */
function decode(value: string): LiveNode | null {
  const end = value.indexOf('\n');
  const head = HeadShape.safeParse(parseJson(value.slice(ID_LENGTH, end)));
  if (end < 0 || !head.success) {
    return null;
  }
  const { started, reply } = head.data;
  const text = value.slice(end + 1);
  const writer = value.slice(0, ID_LENGTH);
  return { writer, started, reply: reply === null ? null : { id: reply, text } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * KEYS: entry, index. ARGV: writer, kind, value, lifetime in ms, member of the index, channel,
 * message. The index is scored with when its members will have gone, on Redis' own clock.
 */
const WRITE = `
local writer, kind, lifetime = ARGV[1], ARGV[2], tonumber(ARGV[4])
local owner = redis.call('getrange', KEYS[1], 0, 35)
if kind ~= 'start' and owner ~= '' and owner ~= writer then return -1 end
if kind == 'append' and owner == '' then return 0 end
if kind == 'append' then redis.call('append', KEYS[1], ARGV[3])
else redis.call('set', KEYS[1], ARGV[3]) end
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('pexpire', KEYS[1], lifetime)
redis.call('zremrangebyscore', KEYS[2], '-inf', now)
redis.call('zadd', KEYS[2], now + lifetime, ARGV[5])
redis.call('pexpire', KEYS[2], lifetime)
redis.call('publish', ARGV[6], ARGV[7])
return 1
`;

/** KEYS: entry, index. ARGV: writer, member of the index, how long the entry stays, in ms. */
const END = `
if redis.call('getrange', KEYS[1], 0, 35) ~= ARGV[1] then return 0 end
redis.call('zrem', KEYS[2], ARGV[2])
redis.call('pexpire', KEYS[1], ARGV[3])
return 1
`;
