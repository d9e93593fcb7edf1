import { randomUUID } from 'node:crypto';
import type { RawData, WebSocket } from 'ws';
import { isExtended, type ClientEvent } from '../../domain/events.js';
import { languageOf, type Language } from '../../domain/text/languages.js';
import { LIMITS, type Role } from '../../domain/account/permissions.js';
import type { UserId } from '../../domain/ids.js';
import { traceOfUuid } from '../../domain/traces.js';
import { inLogScope } from '../../telemetry/log-scope.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Tracing } from '../../telemetry/tracing.js';
import type { CredentialWatch } from '../auth/credential-watch.js';
import type { Admitted } from './admission.js';
import { TOO_BIG, type ChatSocket } from './chat-socket.js';
import type { EventSubscriptions } from './event-subscription.js';
import { createInbox, type Inbox, type Incoming } from './inbox.js';
import { createOutbox, type Outbox } from './outbox.js';
import {
  parseClientFrame,
  textOfProblem,
  textOfTooBig,
  textOfWait,
  viewEvent,
  viewGatewayError,
} from './protocol.js';
import { sendUntilAccepted, type SendMessage } from './send-message.js';

export type TakeToken = (
  userId: UserId,
  role: Role,
) => Promise<{ readonly allowed: boolean; readonly retryAfterSeconds: number }>;

export interface ConnectionDeps {
  readonly eventSubscriptions: EventSubscriptions;
  readonly sendMessage: SendMessage;
  /** The role limiter: one token per message. Without it, or if it fails, all may speak. */
  readonly takeToken?: TakeToken;
  readonly watch: Pick<CredentialWatch, 'add'>;
  readonly limits: ConnectionLimits;
  readonly logger: Logger;
  readonly tracing: Tracing;
}

export interface ConnectionLimits {
  /** How long a message is offered to Temporal. */
  readonly sendTimeoutMs: number;
  /** Beyond this the socket is not read until there is room. */
  readonly maxQueuedMessages: number;
  /** Beyond this the client gets nothing more until it has taken what is on its way. */
  readonly maxBufferedBytes: number;
  /** How long a client may take to answer a close. */
  readonly closeTimeoutMs: number;
}

export interface Connection {
  /** Pings the client; ends it if the ping before was not answered, even if it is not read now. */
  beat(): void;
  close(code: number, reason: string): void;
  terminate(): void;
  /** Resolves when the socket is closed and all that came over it is dealt with. */
  readonly ended: Promise<void>;
}

/** One accepted socket: what comes in goes to the discussion, what the stream holds goes out. */
export function openConnection(
  socket: ChatSocket,
  admitted: Admitted,
  deps: ConnectionDeps,
): Connection {
  const outbox = createOutbox(socket, {
    maxBytes: deps.limits.maxBufferedBytes,
    onRoom: () => {
      eventSubscription.wake();
    },
  });
  const send = (event: ClientEvent): boolean => outbox.send(viewEvent(event));
  const eventSubscription = deps.eventSubscriptions.open({
    streamId: admitted.conversationId,
    after: admitted.after,
    // what is not for this client still counts as seen
    onEvent: (event) => (admitted.isExtended || !isExtended(event) ? send(event) : true),
    onLive: admitted.isExtended ? send : undefined,
  });
  const now: Rights = { ...admitted, language: 'en' };
  const inbox = createInbox({
    work: createTurnTaker(now, deps, async (content) => {
      outbox.send(viewGatewayError(content, new Date()));
      await outbox.whenRoom();
    }),
    maxLength: deps.limits.maxQueuedMessages,
    onFull: () => {
      socket.pause();
    },
    onRoom: () => {
      socket.resume();
    },
  });
  const ended = Promise.withResolvers<undefined>();
  const heartbeat = createHeartbeat(socket);

  const stopReceiving = receiveFrames(socket, now, inbox);
  answerTooBig(socket, now, outbox);
  const stopWatching = followRights(deps.watch, now, (code, reason) => {
    stopReceiving();
    inbox.clear();
    closeWithin(socket, { code, reason, timeoutMs: deps.limits.closeTimeoutMs });
  });
  socket.on('error', (error) => {
    deps.logger.info('socket failed', { conversationId: admitted.conversationId, error });
  });
  socket.on('close', () => {
    stopWatching();
    eventSubscription.close();
    void Promise.all([admitted.lease.release(), inbox.whenEmpty()]).then(() => {
      ended.resolve(undefined);
    });
  });

  return {
    beat: heartbeat.beat,
    close: close.bind(null, socket),
    terminate: () => {
      socket.terminate();
    },
    ended: ended.promise,
  };
}

/** What a connection may do by now, and the language of its last message. */
interface Rights extends Omit<Admitted, 'role' | 'isApproved'> {
  role: Role;
  isApproved: boolean;
  language: Language;
}

/** Source: contract, websocket §1.1: not with this token; not now. */
const NOT_ALLOWED = 1008;
const TRY_LATER = 1013;

/** @param drop closes, and forgets what came over the socket and has not been sent on */
function followRights(
  watch: ConnectionDeps['watch'],
  now: Rights,
  drop: (code: number, reason: string) => void,
): () => void {
  return watch.add({
    credential: now.credential,
    onEnded: (reason) => {
      drop(NOT_ALLOWED, reason);
    },
    onUser: ({ role, awaitingApprovalSince }) => {
      now.isApproved = awaitingApprovalSince === null;
      if (role === now.role) {
        return;
      }
      now.role = role;
      void now.lease.keep(LIMITS[role].wsMaxConnections).then((isKept) => {
        if (!isKept) {
          drop(TRY_LATER, 'too many concurrent connections');
        }
      });
    },
  });
}

/** Ends it, too, where the client does not answer the close. */
function closeWithin(
  socket: WebSocket,
  { code, reason, timeoutMs }: { code: number; reason: string; timeoutMs: number },
): void {
  close(socket, code, reason);
  const deadline = setTimeout(() => {
    socket.terminate();
  }, timeoutMs);
  socket.once('close', () => {
    clearTimeout(deadline);
  });
}

function close(socket: WebSocket, code: number, reason: string): void {
  socket.resume(); // a paused socket would never see the answer to its close
  socket.close(code, reason);
}

function answerTooBig(socket: ChatSocket, now: Rights, outbox: Outbox): void {
  socket.onTooBig = () => {
    const text = textOfTooBig(LIMITS[now.role].wsMaxMessageBytes, now.language);
    outbox.send(viewGatewayError(text, new Date(), TOO_BIG));
  };
}

/**
 * What a client has sent before it answers our close is taken, too: it could not know of that.
 *
 * @returns to be called when nothing more of it is to be taken
 */
function receiveFrames(socket: WebSocket, now: Rights, inbox: Inbox): () => void {
  let isRefused = false;
  socket.on('message', (data) => {
    const frame = bytesOf(data);
    if (isRefused) {
      return;
    }
    if (frame.byteLength > LIMITS[now.role].wsMaxMessageBytes) {
      isRefused = true;
      now.language = languageOfFrame(frame.toString('utf8'), now.language);
      close(socket, TOO_BIG, 'message too big');
      return;
    }
    inbox.push({ text: frame.toString('utf8'), receivedAt: new Date() });
  });
  return () => {
    isRefused = true;
  };
}

/** @returns what to do with each frame in its turn */
function createTurnTaker(
  now: Rights,
  deps: ConnectionDeps,
  refuse: (content: string) => Promise<void>,
): (incoming: Incoming) => Promise<void> {
  const { userId, conversationId } = now;

  async function secondsToWait(): Promise<number> {
    try {
      const token = await deps.takeToken?.(userId, now.role);
      return token?.allowed === false ? Math.max(1, Math.ceil(token.retryAfterSeconds)) : 0;
    } catch (error) {
      deps.logger.warn('role limiter failed', { userId, error });
      return 0;
    }
  }

  return async ({ text, receivedAt }) => {
    // before the frame is read: what does not parse costs us, too
    const seconds = await secondsToWait();
    if (seconds > 0) {
      await refuse(textOfWait(seconds, languageOfFrame(text, now.language)));
      return;
    }
    const frame = parseClientFrame(text);
    if (frame.kind === 'refused') {
      await refuse(textOfProblem(frame.problem, languageOfFrame(text, now.language)));
      return;
    }
    if (frame.kind === 'keep-alive') {
      return;
    }
    const language = languageOf(frame.content, now.language);
    now.language = language;
    if (!now.isApproved) {
      await refuse(textOfProblem('awaiting-approval', language));
      return;
    }
    const messageId = randomUUID();
    const { content } = frame;
    const { role } = now;
    const draft = { messageId, conversationId, userId, role, content, receivedAt };
    await inLogScope({ ...traceOfUuid(messageId), userId, conversationId }, async () => {
      const isAccepted = await response(deps, draft);
      if (!isAccepted) {
        await refuse(textOfProblem('not-accepted', language));
      }
    });
  };
}

/** The words of JSON are no English, but Hangul is Korean. */
function languageOfFrame(text: string, before: Language): Language {
  return languageOf(text, before) === 'ko' ? 'ko' : before;
}

async function response(
  { sendMessage, limits, logger, tracing }: ConnectionDeps,
  draft: Parameters<typeof sendUntilAccepted>[1],
): Promise<boolean> {
  try {
    await tracing.inSpan({ name: 'chat message', kind: 'server' }, async () => {
      await sendUntilAccepted(sendMessage, draft, limits.sendTimeoutMs);
      logger.info('message accepted');
    });
    return true;
  } catch (error) {
    logger.error('message not accepted', { error });
    return false;
  }
}

function createHeartbeat(socket: WebSocket) {
  let isAwaitingPong = false;
  socket.on('pong', () => {
    isAwaitingPong = false;
  });
  return {
    beat: () => {
      // a paused one, too: its pong is not read, but who says that there is one
      if (isAwaitingPong) {
        socket.terminate();
        return;
      }
      isAwaitingPong = true;
      socket.ping();
    },
  };
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) {
    return data;
  }
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
