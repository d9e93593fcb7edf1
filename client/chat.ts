/**
 * A conversation's events over a socket that comes back: after a lost connection it asks for what
 * follows the last `seq` it has seen, so that each event comes once and in order.
 */
import type { ClientEvent } from '../domain/events.js';
import { createAgentsAtWork, type AgentAtWork } from './agents.js';
import { createBackoff, type Backoff } from './backoff.js';
import { parseEvent, type GatewayError } from './events.js';

/** What comes of the stream; or a word of the gateway. */
export type ChatEvent = ClientEvent | GatewayError;

export interface ChatOptions {
  /** `http://…` or `https://…`, as of the client. */
  readonly baseUrl: string;
  readonly conversationId: string;
  /** Asked at every connection. */
  readonly token: () => string;
  /** Gets a new token when the API takes the old one no more; null: there is none. */
  readonly refresh?: () => Promise<string | null>;
  /** The last `seq` that is known already. Default: 0, all events come. */
  readonly after?: number;
  /**
   * Also the events that not every client knows, among them the replies of agents as they come:
   * their pieces fit together, also when the connection is lost.
   */
  readonly isExtended?: boolean;
  readonly onEvent: (event: ChatEvent) => void;
  readonly onState?: (state: ChatState) => void;
  /** First and longest wait before another try, in milliseconds. Default: 500 and 30,000. */
  readonly waitsMs?: { readonly first: number; readonly longest: number };
}

/** `closed` is final: by `close`, or because the API refuses this conversation. */
export type ChatState = 'connecting' | 'open' | 'closed';

export interface Chat {
  readonly state: ChatState;
  /** Of the last event that has come. */
  readonly lastSeq: number;
  /** The agents that are at work, as far as extended events have told. */
  readonly agents: readonly AgentAtWork[];
  /** Sends now, or as soon as there is a connection. @throws once the chat is closed */
  send(content: string): void;
  close(): void;
  /** Resolves when the chat is closed, with the reason. */
  readonly closed: Promise<string>;
}

/** Not with this token, or not this conversation. Source: contract, websocket §1.1. */
const REFUSED = 1008;
const TRY_LATER = 1013;
const NORMAL = 1000;
/** A connection that has lasted so long is no failed attempt. */
const STABLE_MS = 5_000;

export function openChat(options: ChatOptions): Chat {
  return new ResumingChat(options);
}

class ResumingChat implements Chat {
  state: ChatState = 'connecting';
  lastSeq: number;
  readonly closed: Promise<string>;
  private readonly options: ChatOptions;
  private readonly backoff: Backoff;
  private readonly resolveClosed: (reason: string) => void;
  private readonly atWork = createAgentsAtWork();
  private readonly unsent: string[] = [];
  private socket: WebSocket | null = null;
  private mayRefresh = true;

  constructor(options: ChatOptions) {
    const { first, longest } = options.waitsMs ?? { first: 500, longest: 30_000 };
    const { promise, resolve } = Promise.withResolvers<string>();
    this.options = options;
    this.lastSeq = options.after ?? 0;
    this.backoff = createBackoff({ firstMs: first, longestMs: longest });
    this.closed = promise;
    this.resolveClosed = resolve;
    this.connect();
  }

  get agents(): readonly AgentAtWork[] {
    return this.atWork.list();
  }

  send(content: string): void {
    if (this.state === 'closed') {
      throw new Error('the chat is closed');
    }
    if (this.socket?.readyState === WebSocket.OPEN) {
      this.socket.send(frameOf(this.options, content));
    } else {
      this.unsent.push(content);
    }
  }

  close(): void {
    this.end('closed');
    this.socket?.close(NORMAL);
  }

  private connect(): void {
    const socket = new WebSocket(addressOf(this.options, this.lastSeq));
    let openedAt = Number.POSITIVE_INFINITY;
    this.socket = socket;
    socket.addEventListener('open', () => {
      openedAt = Date.now();
      this.become('open');
      for (const content of this.unsent.splice(0)) {
        socket.send(frameOf(this.options, content));
      }
    });
    socket.addEventListener('message', ({ data }) => {
      this.take(readEvent(data));
    });
    socket.addEventListener('close', ({ code, reason }) => {
      if (Date.now() - openedAt >= STABLE_MS) {
        this.proveConnection();
      }
      void this.comeBack(code, reason);
    });
  }

  private take(event: ChatEvent | null): void {
    if (isRefusal(event)) {
      return; // the close that follows carries the reason
    }
    this.proveConnection();
    const isRepeated = event?.seq !== undefined && event.seq <= this.lastSeq;
    if (event === null || isRepeated || this.state === 'closed') {
      return;
    }
    this.lastSeq = event.seq ?? this.lastSeq;
    const updates = isOfGateway(event) ? event : this.atWork.take(event);
    if (updates !== null) {
      this.options.onEvent(updates);
    }
  }

  /** Being accepted proves nothing: the API accepts a socket in order to say why it refuses it. */
  private proveConnection(): void {
    this.backoff.reset();
    this.mayRefresh = true;
  }

  private async comeBack(code: number, reason: string): Promise<void> {
    if (this.state === 'closed') {
      return;
    }
    this.become('connecting');
    const isWorthTrying = code !== REFUSED || (await this.isRefreshed());
    if (isWorthTrying) {
      this.backoff.retry(() => {
        this.connect();
      });
    } else {
      this.end(reason === '' ? 'refused' : reason);
    }
  }

  /** Once: where a fresh token is refused, too, the token is not the reason. */
  private async isRefreshed(): Promise<boolean> {
    if (!this.mayRefresh || this.options.refresh === undefined) {
      return false;
    }
    this.mayRefresh = false;
    return (await this.options.refresh().catch(() => null)) !== null;
  }

  private end(reason: string): void {
    this.backoff.stop();
    this.become('closed');
    this.resolveClosed(reason);
  }

  private become(state: ChatState): void {
    if (this.state !== state && this.state !== 'closed') {
      this.state = state;
      this.options.onState?.(state);
    }
  }
}

function addressOf(options: ChatOptions, after: number): string {
  const { baseUrl, conversationId, token, isExtended = false } = options;
  const url = new URL(`/api/v1/ws/chat/${encodeURIComponent(conversationId)}`, baseUrl);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.searchParams.set('token', token());
  url.searchParams.set('after', String(after));
  // a client that names `events` learns why a socket is refused
  url.searchParams.set('events', isExtended ? 'extended' : 'basic');
  return url.href;
}

function frameOf({ conversationId }: ChatOptions, content: string): string {
  return JSON.stringify({ content, conversation_id: conversationId });
}

function readEvent(data: unknown): ChatEvent | null {
  return typeof data === 'string' ? parseEvent(data) : null;
}

function isRefusal(event: ChatEvent | null): boolean {
  const code = event !== null && isOfGateway(event) ? event.code : null;
  return code === REFUSED || code === TRY_LATER;
}

/** An `error` of the stream has its place there. */
function isOfGateway(event: ChatEvent): event is GatewayError {
  return event.type === 'error' && event.seq === undefined;
}
