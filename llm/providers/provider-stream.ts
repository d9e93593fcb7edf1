/** Reads a provider's HTTP answer: one JSON document, or server-sent events of JSON. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import type { RemoteProvider } from '../../domain/agents/models.js';
import type { ModelCall, ProviderReply, TakeText } from '../model.js';
import { toReply, toUsage, type ProviderAnswer } from './provider-answer.js';
import { answeredError, modelErrorOf, unusableReply, withUsage } from './vendor-errors.js';

/** What one JSON document of an answer says; each vendor's file has its own. */
interface AnswerEvent {
  readonly text: string;
  /** Names how the answer ended: only counts and the end mark may follow. */
  readonly isLast: boolean;
  /** A failure that stands inside of the document. */
  readonly error?: unknown;
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
  vendor: RemoteProvider,
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
  vendor: RemoteProvider,
  call: ModelCall,
  { read, answer, isEnded }: { read: ReadAnswer; answer: ProviderAnswer; isEnded: boolean },
): ProviderReply {
  const failure = read.error ?? (isEnded ? null : unusableReply(vendor));
  if (failure !== null) {
    throw withUsage(
      failure,
      toUsage(answer.usage, { hasText: answer.text !== '', isWhole: false }),
    );
  }
  return toReply(vendor, call, answer);
}

async function feedFrom(
  vendor: RemoteProvider,
  response: Response,
  reader: Reader<AnswerEvent>,
): Promise<void> {
  const body: ReadableStreamDefaultReader<Uint8Array> | undefined = response.body?.getReader();
  if (body === undefined) {
    return;
  }
  const decoder = new TextDecoder();
  let bytes = 0;
  let end: Promise<undefined> | null = null;
  let read: Awaited<ReturnType<typeof body.read>> | undefined = await body.read();
  while (read?.value !== undefined) {
    bytes += read.value.length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw unusableReply(vendor);
    }
    reader.feed(decoder.decode(read.value, { stream: true }));
    if (reader.isOver()) {
      break;
    }
    end ??= reader.hasEnded() ? sleep(END_MS, undefined, { ref: false }) : null;
    read = await (end === null ? body.read() : Promise.race([body.read(), end]));
  }
  drain(body);
}

/** How long counts and the end mark may take after an answer has named how it ended. */
const END_MS = 2_000;

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
  /** Whether the answer has named how it ended. */
  hasEnded(): boolean;
  fail(error: Error): void;
  end(): ReadAnswer<Event>;
}

function tellText(onDelta: TakeText | undefined, { text }: AnswerEvent): void {
  if (text !== '') {
    onDelta?.(text);
  }
}

const END_MARK = /^\[?DONE\]?$/i;

function createReader<Event extends AnswerEvent>(
  vendor: RemoteProvider,
  { eventOf, onDelta }: ReadOptions<Event>,
): Reader<Event> {
  const events: Event[] = [];
  const pieces: string[] = [];
  let characters = 0; // of the pieces
  let isStream: boolean | null = null;
  let isDone = false;
  let hasEnded = false;
  let error: Error | null = null;

  function takeDocument(document: unknown): void {
    if (events.length === MAX_EVENTS) {
      error ??= unusableReply(vendor);
      return;
    }
    const event = eventOf(document);
    error ??= answeredError(vendor, document) ?? answeredError(vendor, { error: event.error });
    events.push(event);
    hasEnded ||= event.isLast;
    tellText(error === null ? onDelta : undefined, event);
  }

  /** @param isLine of a text of several lines: some servers forget the empty lines between events */
  function take(data: string, isLine = false): void {
    const text = data.trim();
    isDone ||= END_MARK.test(text);
    if (isDone || error !== null || !isDocument(text)) {
      return;
    }
    const documents = documentsIn(text);
    if (documents !== null) {
      documents.forEach(takeDocument);
    } else if (!isLine && text.includes('\n')) {
      text.split('\n').forEach((line) => {
        take(line, true);
      });
    } else if (!hasEnded) {
      error = unusableReply(vendor);
    }
  }

  /** An event named `error`, or a line `error: …`, may hold the bare error. */
  function takeError(data: string): void {
    const [document = data] = documentsIn(data) ?? [];
    error ??= answeredError(vendor, document) ?? answeredError(vendor, { error: document });
    take(data);
  }

  const parser = createParser({
    onEvent: ({ data, event }) => {
      (event === 'error' ? takeError : take)(data);
    },
    onError: ({ field, value }) => {
      if (field === 'error') {
        takeError(value ?? '');
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
    hasEnded: () => hasEnded,
    fail(reason) {
      error ??= hasEnded ? null : reason; // nothing but counts is lost
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

/** Words between the events, as `ping`, say nothing; a document that is cut does. */
function isDocument(text: string): boolean {
  return text.startsWith('{') || text.startsWith('[');
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
