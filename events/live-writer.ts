/** Tells what an agent is at: that it has begun, and its replies as they come. */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { timestampOf, type AgentStartedEvent } from '../domain/events.js';
import type { StreamId } from '../domain/ids.js';
import { toStorableText } from '../domain/text/storable-text.js';
import type { Logger } from '../telemetry/logger.js';
import { MAX_PIECE_CHARACTERS } from './live-messages.js';
import {
  endLive,
  writeLive,
  type LivePlace,
  type LiveStore,
  type LiveWrite,
  type LiveWritten,
} from './live-store.js';

export interface LiveWriter {
  /** A reply begins; what it returns takes its text, and the reply before is void. Never throws. */
  beginReply(): (text: string) => void;
  /** Tells what is left; nothing follows. Never throws, and waits for Redis a second at most. */
  end(): Promise<void>;
}

export interface WorkingAgent {
  readonly streamId: StreamId;
  readonly started: Omit<AgentStartedEvent, 'type' | 'timestamp'>;
  /** The longest that it may be silent. */
  readonly silenceMs: number;
}

export type OpenLiveWriter = (agent: WorkingAgent) => LiveWriter;

interface LiveDeps extends LiveStore {
  /** May be away at any time: then nothing is published, and no agent waits for it. */
  readonly redis: Redis;
  readonly logger: Logger;
}

/** People read no faster; each flush costs Redis one command. */
const FLUSH_MS = 50;
const FLUSH_CHARACTERS = 1_024;
/** While Redis is away. */
const RETRY_MS = 250;
/** Of one reply, in UTF-8; what is longer is not published beyond this. */
const MAX_REPLY_BYTES = 262_144;
/** Then the entry is written as a whole: each of its pieces costs a late reader a hash. */
const MAX_PIECES = 256;
const SLACK_MS = 60_000;

export function createLiveWriters(deps: LiveDeps): OpenLiveWriter {
  return (agent) => {
    const { streamId, silenceMs } = agent;
    const { pipeline_id: pipelineId, node } = agent.started;
    const writer = randomUUID();
    const place = { streamId, pipelineId, node, writer, lifetimeMs: silenceMs + SLACK_MS };
    const timestamp = timestampOf(new Date());
    const started: AgentStartedEvent = { type: 'agent_started', ...agent.started, timestamp };
    return new RedisLiveWriter({ ...deps, place }, started);
  };
}

class Reply {
  readonly id = randomUUID();
  text = '';
  /** How much of it is published. */
  told = 0;
  private bytes = 0;
  private isFull = false;

  add(text: string): void {
    this.bytes += Buffer.byteLength(text);
    this.isFull ||= this.bytes > MAX_REPLY_BYTES;
    if (!this.isFull) {
      this.text += text;
    }
  }

  /** Up to where it can be published: half a pair of surrogates waits for the other half. */
  end(isOver: boolean): number {
    const isSplit = !isOver && /[\uD800-\uDBFF]$/.test(this.text);
    return this.text.length - (isSplit ? 1 : 0);
  }

  slice(from: number, to: number): string {
    return toStorableText(this.text.slice(from, to)); // as the reply is stored in the end
  }
}

class RedisLiveWriter implements LiveWriter {
  private readonly deps: LiveDeps & { readonly place: LivePlace };
  private readonly started: AgentStartedEvent;
  private reply: Reply | null = null;
  /** How many pieces the entry has been given since it was written as a whole. */
  private pieces = 0;
  /** What has to be written next as a whole; null: what is there goes on. */
  private whole: 'start' | 'reply' | null = 'start';
  private state: 'open' | 'over' | 'taken' = 'open';
  private hasFailed = false;
  private isLastWritten = false;
  private flushing: Promise<void> | null = null;
  private timer: NodeJS.Timeout | undefined;

  constructor(deps: LiveDeps & { readonly place: LivePlace }, started: AgentStartedEvent) {
    this.deps = deps;
    this.started = started;
    this.flushSoon(); // an agent that is quicker is published once, with its whole reply
  }

  beginReply(): (text: string) => void {
    const reply = new Reply();
    this.reply = reply;
    this.whole ??= 'reply';
    return (text) => {
      if (this.reply === reply && this.state === 'open') {
        reply.add(text);
        this.flushSoon();
      }
    };
  }

  async end(): Promise<void> {
    if (this.state === 'open') {
      this.state = 'over';
    }
    clearTimeout(this.timer);
    await this.flushing;
    if (!this.hasFailed) {
      this.flush();
      await this.flushing;
    }
    if (!this.hasFailed && this.state === 'over' && !this.isLastWritten) {
      await endLive(this.deps.redis, this.deps.place).catch(() => undefined); // it expires
    }
  }

  private flushSoon(): void {
    if (this.flushing !== null) {
      return; // it looks again when it has ended
    }
    if (this.untold() >= FLUSH_CHARACTERS && !this.hasFailed) {
      this.flush();
    } else {
      const waitMs = this.hasFailed ? RETRY_MS : FLUSH_MS;
      this.timer ??= setTimeout(() => {
        this.flush();
      }, waitMs).unref();
    }
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const isDue = this.whole === 'start' || this.untold() > 0;
    if (this.flushing === null && isDue && this.state !== 'taken') {
      this.flushing = this.write().finally(() => {
        this.flushing = null;
        if (this.untold() > 0 && this.state === 'open') {
          this.flushSoon();
        }
      });
    }
  }

  private untold(): number {
    return this.reply === null ? 0 : this.reply.end(this.state !== 'open') - this.reply.told;
  }

  /** After any failure the next flush writes the whole. */
  private async write(): Promise<void> {
    const { deps, reply, whole } = this;
    const end = reply?.end(this.state !== 'open') ?? 0;
    const write = this.nextWrite(reply, end);
    this.whole = null;
    try {
      const outcome = await writeLive(deps, deps.place, write);
      this.hasFailed = false;
      this.isLastWritten = write.isLast && outcome !== 'lost';
      this.note(outcome, write);
      if (outcome === 'written' && reply !== null) {
        reply.told = end;
      }
    } catch (error) {
      if (!this.hasFailed) {
        deps.logger.warn('live text not told', { node: deps.place.node, error });
      }
      this.hasFailed = true;
      this.whole = whole ?? 'reply';
    }
  }

  private note(outcome: LiveWritten, { kind }: LiveWrite): void {
    this.pieces = kind === 'append' ? this.pieces + 1 : 0;
    if (outcome === 'taken') {
      this.state = 'taken';
    } else if (outcome === 'lost') {
      this.whole ??= 'reply';
    }
  }

  private nextWrite(reply: Reply | null, end: number): LiveWrite {
    const { whole, started } = this;
    const { writer } = this.deps.place;
    const isLast = this.state !== 'open';
    if (reply === null) {
      // without a piece: a subscriber reads the entry
      return { kind: 'start', node: { writer, started, reply }, piece: undefined, isLast };
    }
    const { id } = reply;
    const offset = whole === null ? reply.told : 0;
    const text = reply.slice(offset, end);
    // a longer one is cheaper to read from the entry, once per process that wants it
    const isLong = text.length > MAX_PIECE_CHARACTERS;
    const piece = whole === 'start' || isLong ? undefined : { reply: id, offset, text };
    if (whole === null && !isLong && this.pieces < MAX_PIECES) {
      return { kind: 'append', piece, isLast };
    }
    const node = { writer, started, reply: { id, text: reply.slice(0, end) } };
    return { kind: whole ?? 'reply', node, piece, isLast };
  }
}
