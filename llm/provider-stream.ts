/** Reads a provider's HTTP answer: one JSON document, or server-sent events of JSON. */
import { createParser } from 'eventsource-parser';
import type { Vendor } from '../domain/models.js';
import type { ModelCall, ProviderReply, TakeText } from './model.js';
import { toReply, toUsage, type ProviderAnswer } from './provider-answer.js';
import { answeredError, modelErrorOf, unusableReply, withUsage } from './vendor-errors.js';

/** What one JSON document of an answer says; each vendor's file has its own. */
interface AnswerEvent {
  readonly text: string;
}

export interface ReadAnswer<Event extends AnswerEvent = AnswerEvent> {
  /** In their order; a single one where no stream was sent. */
  readonly events: readonly Event[];
  readonly isStream: boolean;
  /** The stream's own end mark (`[DONE]`) was seen. */
  readonly isDone: boolean;
  /** Why there is no more: the vendor's own error, the network's, or text that is no JSON. */
  readonly error: Error | null;
}

/** Far more than the longest reply (16,384 tokens) takes, each token in an event of its own. */
const MAX_ANSWER_BYTES = 33_554_432;
/** More than the longest reply and its thoughts have tokens. */
const MAX_EVENTS = 100_000;
/** Of one document: the longest reply in one piece, each of its characters escaped. */
const MAX_DOCUMENT_CHARACTERS = 2_097_152;

/**
 * A server that was asked for a stream may answer with one JSON document instead, so the first
 * character decides: no server-sent event begins with a bracket.
 *
 * @param options `eventOf` reads each document as it comes, once; its text is emitted
 */
export async function readAnswer<Event extends AnswerEvent>(
  vendor: Vendor,
  response: Response,
  options: ReadOptions<Event>,
): Promise<ReadAnswer<Event>> {
  const reader = createReader(vendor, options);
  try {
    await feedFrom(vendor, response, reader);
  } catch (error) {
    reader.fail(modelErrorOf(vendor, error));
  }
  return reader.end();
}

interface ReadOptions<Event> {
  readonly eventOf: (document: unknown) => Event;
  readonly onDelta?: TakeText | undefined;
}

/**
 * @param isEnded false for a stream that stopped in the middle
 * @throws ModelCallError for an answer that is none, with the usage where it was stated before
 */
export function toReplyIfEnded(
  vendor: Vendor,
  call: ModelCall,
  { read, answer, isEnded }: { read: ReadAnswer; answer: ProviderAnswer; isEnded: boolean },
): ProviderReply {
  const failure = read.error ?? (isEnded ? null : unusableReply(vendor));
  if (failure !== null) {
    throw withUsage(failure, toUsage(answer.usage, true)); // only what was stated in so many words
  }
  return toReply(vendor, call, answer);
}

async function feedFrom(
  vendor: Vendor,
  response: Response,
  reader: Reader<AnswerEvent>,
): Promise<void> {
  const body: ReadableStreamDefaultReader<Uint8Array> | undefined = response.body?.getReader();
  const decoder = new TextDecoder();
  let bytes = 0;
  let read = await body?.read();
  while (read?.value !== undefined) {
    bytes += read.value.length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw unusableReply(vendor);
    }
    reader.feed(decoder.decode(read.value, { stream: true }));
    if (reader.isOver()) {
      break;
    }
    read = await body?.read();
  }
  if (body !== undefined) {
    drain(body);
  }
}

/** How long a server may take to end an answer that is complete, so that its connection is kept. */
const DRAIN_MS = 1_000;

function drain(body: ReadableStreamDefaultReader<Uint8Array>): void {
  const cancel = () => {
    body.cancel().catch(() => undefined);
  };
  const timer = setTimeout(cancel, DRAIN_MS).unref();
  const rest = async () => {
    let read = await body.read();
    while (!read.done) {
      read = await body.read();
    }
  };
  rest()
    .catch(() => undefined)
    .finally(() => {
      clearTimeout(timer);
    });
}

interface Reader<Event extends AnswerEvent> {
  feed(text: string): void;
  /** Whether what follows counts no more. */
  isOver(): boolean;
  fail(error: Error): void;
  end(): ReadAnswer<Event>;
}

function tellText(onDelta: TakeText | undefined, { text }: AnswerEvent): void {
  if (text !== '') {
    onDelta?.(text);
  }
}

const END_MARK = '[DONE]';

function createReader<Event extends AnswerEvent>(
  vendor: Vendor,
  { eventOf, onDelta }: ReadOptions<Event>,
): Reader<Event> {
  const events: Event[] = [];
  const pieces: string[] = [];
  let characters = 0; // of the pieces
  let isStream: boolean | null = null;
  let isDone = false;
  let error: Error | null = null;

  function take(text: string): void {
    const found = documentsIn(text);
    if (found === null || events.length + found.length > MAX_EVENTS) {
      error ??= unusableReply(vendor);
      return;
    }
    for (const document of found) {
      error ??= answeredError(vendor, document);
      const event = eventOf(document);
      events.push(event);
      tellText(error === null ? onDelta : undefined, event);
    }
  }

  const parser = createParser({
    onEvent: ({ data }) => {
      const text = data.trim();
      isDone ||= text === END_MARK;
      if (!isDone && error === null && text !== '') {
        take(text);
      }
    },
  });

  return {
    feed(text) {
      isStream ??= isEventStream(text);
      if (isStream === true) {
        parser.feed(text);
        return;
      }
      pieces.push(text);
      characters += text.length;
      if (characters > MAX_DOCUMENT_CHARACTERS) {
        error ??= unusableReply(vendor);
      }
    },
    isOver: () => isDone || error !== null,
    fail(reason) {
      error ??= reason;
    },
    end() {
      if (isStream === true) {
        parser.feed('\n\n'); // some servers end the last event with one line break
      } else if (error === null) {
        take(pieces.join(''));
      }
      return { events, isStream: isStream === true, isDone, error };
    },
  };
}

/** @returns null as long as nothing was said */
function isEventStream(text: string): boolean | null {
  const [first] = text.trimStart();
  return first === undefined ? null : !['{', '[', '<'].includes(first);
}

/**
 * What one event or a whole answer holds: Google sends a list where events were asked for in vain, and
 * null says nothing.
 *
 * @returns null for what is no JSON, or longer than any can be
 */
function documentsIn(text: string): readonly unknown[] | null {
  const parsed = text.length > MAX_DOCUMENT_CHARACTERS ? undefined : parse(text);
  if (parsed === undefined) {
    return null;
  }
  const documents: readonly unknown[] = Array.isArray(parsed) ? parsed : [parsed];
  return documents.filter((each) => each !== null);
}

/** @returns undefined for what is no JSON */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
