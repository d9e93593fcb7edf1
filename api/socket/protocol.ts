import { z } from 'zod';
import { timestampOf, type ClientEvent } from '../../domain/events.js';
import type { Language } from '../../domain/text/languages.js';

/** Source: contract, websocket §2. */
export type ClientFrame =
  | { readonly kind: 'message'; readonly content: string }
  /** Keeps the connection alive for its sender, and says nothing. */
  | { readonly kind: 'keep-alive' }
  | { readonly kind: 'refused'; readonly problem: 'invalid-format' | 'processing' };

const MessageFrame = z.object({ content: z.string().default('') });

/**
 * What libraries send on their own to keep a connection open. The contract ignores `type`, and takes what
 * has no `content` for an empty message: as such, each of these would be a turn that is paid.
 */
const KEEP_ALIVES: readonly unknown[] = ['ping', 'pong', 'heartbeat', 'keepalive', 'keep-alive'];

/** Unknown fields are ignored, and a missing `content` is an empty message. */
export function parseClientFrame(text: string): ClientFrame {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return { kind: 'refused', problem: 'invalid-format' };
  }
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) {
    return { kind: 'refused', problem: 'processing' };
  }
  if (!('content' in frame) && 'type' in frame && KEEP_ALIVES.includes(frame.type)) {
    return { kind: 'keep-alive' };
  }
  const message = MessageFrame.safeParse(frame);
  return message.success
    ? { kind: 'message', content: message.data.content }
    : { kind: 'refused', problem: 'invalid-format' };
}

/** A stored event goes out exactly as it is stored. */
export function viewEvent(event: ClientEvent): string {
  return JSON.stringify(event);
}

/**
 * An `error` of the gateway: not stored, so without `seq` and `conversation_id`.
 *
 * @param code of the close that follows, if one does
 */
export function viewGatewayError(content: string, now: Date, code?: number): string {
  return JSON.stringify({ type: 'error', content, timestamp: timestampOf(now), code });
}

export type GatewayProblem = 'invalid-format' | 'processing' | 'not-accepted' | 'awaiting-approval';

const GATEWAY_TEXTS: Readonly<Record<GatewayProblem, Readonly<Record<Language, string>>>> = {
  'invalid-format': {
    en: 'Invalid message format.',
    ko: '메시지 형식이 올바르지 않아요.',
  },
  processing: {
    en: 'An error occurred while processing the message.',
    ko: '메시지를 처리하는 중 오류가 발생했어요.',
  },
  'awaiting-approval': {
    en: 'Your account awaits the approval of an administrator; until then it can start nothing.',
    ko: '관리자가 계정을 승인하면 시작할 수 있어요. 승인을 기다려 주세요.',
  },
  'not-accepted': {
    en: 'The message could not be taken right now. Please send it again in a moment.',
    ko: '지금은 메시지를 접수하지 못했어요. 잠시 후 다시 보내 주세요.',
  },
};

export function textOfProblem(problem: GatewayProblem, language: Language): string {
  return GATEWAY_TEXTS[problem][language];
}

export function textOfTooBig(maxBytes: number, language: Language): string {
  const limit = maxBytes.toLocaleString('en-US');
  return language === 'ko'
    ? `메시지가 한도(${limit}바이트)보다 길어서 받지 못했어요. 줄여서 다시 보내 주세요.`
    : `The message was not taken: it is longer than ${limit} bytes. Please send a shorter one.`;
}

export function textOfWait(seconds: number, language: Language): string {
  return language === 'ko'
    ? `메시지를 너무 자주 보냈어요. ${seconds}초 후에 다시 보내 주세요.`
    : `Too many messages. Try again in ${seconds} seconds.`;
}
