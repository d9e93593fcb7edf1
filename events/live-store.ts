/**
 * Agents at work and their replies so far, as Redis holds them for a short while: one string per
 * agent, and an index per stream. Nothing here is history; what is lost is in the result.
 * An entry is the writer's id, then lines that are signed for their stream's channel (macs.ts): the
 * head, and the messages with more of the reply since. What carries no MAC of ours,
 * or for another agent, is not there.
 */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { AgentStartedEvent } from '../domain/events.js';
import type { PipelineId, StreamId } from '../domain/ids.js';
import { encodeLiveMessage, liveChannelOf, parseLiveMessage } from './live-messages.js';
import type { LiveMessage } from './live-messages.js';
import type { Macs } from './macs.js';

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

/** Whose entry is written, and how long it stays after the last write. */
export interface LivePlace extends NodeRef {
  readonly streamId: StreamId;
  /** A UUID. */
  readonly writer: string;
  readonly lifetimeMs: number;
}

export interface LiveStore {
  readonly redis: Redis;
  readonly macs: Macs;
}

/**
 * `start`: the agent begins, and takes the entry from any earlier attempt. `reply`: another reply
 * begins, or the entry is written as a whole. `append`: the message holds what the reply has more.
 */
export type LiveWrite = LiveChange & {
  /** Nothing follows: the entry goes soon, and is listed no more. */
  readonly isLast: boolean;
};

type LiveChange =
  | {
      readonly kind: 'start' | 'reply';
      readonly node: LiveNode;
      readonly piece: LiveMessage['piece'];
    }
  | { readonly kind: 'append'; readonly piece: LiveMessage['piece'] };

/** `lost`: write the whole. `taken`: another attempt is at work. */
export type LiveWritten = 'written' | 'lost' | 'taken';

/** A subscriber of the last message may still read the entry for as long. */
const AFTERLIFE_MS = 5_000;

/**
 * Writes and publishes in one step, so that what is published is always in the entry, and in order.
 *
 * @throws what Redis throws; the entry may be written or not
 */
export async function writeLive(
  { redis, macs }: LiveStore,
  place: LivePlace,
  write: LiveWrite,
): Promise<LiveWritten> {
  const { streamId, pipelineId, node, writer, lifetimeMs } = place;
  const channel = liveChannelOf(streamId);
  const message = macs.sign(channel, encodeLiveMessage({ pipelineId, node, piece: write.piece }));
  const value =
    write.kind === 'append'
      ? `\n${message}`
      : writer + macs.sign(entryPlaceOf(streamId), JSON.stringify(write.node));
  const outcome = await redis.eval(
    WRITE,
    2,
    keyOf(place),
    indexOf(streamId),
    ...[writer, write.kind, value, write.isLast ? AFTERLIFE_MS : lifetimeMs, memberOf(place)],
    ...[channel, message, write.isLast ? 'last' : ''],
  );
  return outcome === 1 ? 'written' : outcome === 0 ? 'lost' : 'taken';
}

/** The agent has ended, and no write was its last: its entry goes soon, unless another attempt has taken it. */
export async function endLive(redis: Redis, place: LivePlace): Promise<void> {
  const args = [place.writer, memberOf(place), AFTERLIFE_MS];
  await redis.eval(END, 2, keyOf(place), indexOf(place.streamId), ...args);
}

/** More agents than the runs of one stream have; the latest ones are looked at. */
const MAX_LISTED = 64;

/** The agents of a stream that may be at work. @throws what Redis throws */
export async function listLive(redis: Redis, streamId: StreamId): Promise<readonly NodeRef[]> {
  const members = await redis.zrange(indexOf(streamId), `-${MAX_LISTED}`, '-1');
  return members.map((member) => ({
    pipelineId: member.slice(0, ID_LENGTH),
    node: member.slice(ID_LENGTH + 1),
  }));
}

/** A reply of the greatest length (live-writer.ts), at worst escaped, and what stands around it. */
const MAX_ENTRY_BYTES = 4_194_304;

/** What is known of each; null for nothing. @throws what Redis throws */
export async function readLive(
  { redis, macs }: LiveStore,
  streamId: StreamId,
  refs: readonly NodeRef[],
): Promise<readonly (LiveNode | null)[]> {
  const entries: (LiveNode | null)[] = [];
  for (const ref of refs) {
    const value = await redis.getrange(keyOf(ref), 0, MAX_ENTRY_BYTES - 1);
    entries.push(value === '' ? null : decode(macs, { streamId, ref, value }));
  }
  return entries;
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

/** A head is no message: each is signed for a place of its own. */
function entryPlaceOf(streamId: StreamId): string {
  return `${liveChannelOf(streamId)} entry`;
}

const StartedShape = z.looseObject({
  type: z.literal('agent_started'),
  pipeline_id: z.string(),
  agent_name: z.string(),
  node: z.string(),
  timestamp: z.string(),
});

const NodeShape = z.object({
  writer: z.string(),
  started: z.custom<AgentStartedEvent>((value) => StartedShape.safeParse(value).success),
  reply: z.object({ id: z.string(), text: z.string() }).nullable(),
});

interface Entry {
  readonly streamId: StreamId;
  readonly ref: NodeRef;
  readonly value: string;
}

/** @returns null for anything that is no entry of ours */
function decode(macs: Macs, entry: Entry): LiveNode | null {
  const [head = '', ...messages] = entry.value.split('\n');
  const known = decodeHead(macs, entry, head);
  if (known === null || known.reply === null) {
    return known;
  }
  const { id } = known.reply;
  let { text } = known.reply;
  for (const message of messages) {
    const piece = decodePiece(macs, entry, message);
    if (piece?.reply !== id || piece.offset !== text.length) {
      break; // what comes after it hangs in the air
    }
    text += piece.text;
  }
  return { ...known, reply: { id, text } };
}

function decodeHead(macs: Macs, { streamId, ref }: Entry, head: string): LiveNode | null {
  const json = macs.verify(entryPlaceOf(streamId), head.slice(ID_LENGTH));
  const known = json === null ? undefined : NodeShape.safeParse(parseJson(json)).data;
  const isOurs = known !== undefined && isOf(known, ref) && head.startsWith(known.writer);
  return isOurs ? known : null;
}

function decodePiece(macs: Macs, { streamId, ref }: Entry, signed: string): LiveMessage['piece'] {
  const message = parseLiveMessage(macs.verify(liveChannelOf(streamId), signed) ?? '');
  return message?.node === ref.node ? message.piece : undefined;
}

function isOf({ started }: LiveNode, { pipelineId, node }: NodeRef): boolean {
  return started.pipeline_id === pipelineId && started.node === node;
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
 * message, `last` or nothing. The index is scored with when its members will have gone, on Redis' own clock.
 */
const WRITE = `
local writer, kind, lifetime = ARGV[1], ARGV[2], tonumber(ARGV[4])
local owner = redis.call('getrange', KEYS[1], 0, 35)
if kind ~= 'start' and owner ~= '' and owner ~= writer then return -1 end
if kind == 'append' and owner == '' then return 0 end
if kind == 'append' then redis.call('append', KEYS[1], ARGV[3])
else redis.call('set', KEYS[1], ARGV[3]) end
redis.call('pexpire', KEYS[1], lifetime)
if ARGV[8] == 'last' then redis.call('zrem', KEYS[2], ARGV[5])
else
  local time = redis.call('time')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('zremrangebyscore', KEYS[2], '-inf', now)
  redis.call('zadd', KEYS[2], now + lifetime, ARGV[5])
  redis.call('pexpire', KEYS[2], lifetime)
end
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
