/** Reads a provider's HTTP answer: one JSON document, or server-sent events of JSON. */
import { createParser } from 'eventsource-parser';
import type { Vendor } from '../domain/models.js';
import type { ModelCall, ProviderReply, TakeText } from './model.js';
import { toReply, toUsage, type ProviderAnswer } from './provider-answer.js';
import { answeredError, modelErrorOf, unusableReply, withUsage } from './vendor-errors.js';

export interface ReadAnswer {
  /** JSON documents in their order; a single one where no stream was sent. */
  readonly documents: readonly unknown[];
  readonly isStream: boolean;
  /** The stream's own end mark (`[DONE]`) was seen. */
  readonly isDone: boolean;
  /** Why there is no more: the vendor's own error, the network's, or text that is no JSON. */
  readonly error: Error | null;
}

/** Far more than the longest reply (16,384 tokens) takes, each token in an event of its own. */
const MAX_ANSWER_BYTES = 33_554_432;

/**
 * A server that was asked for a stream may answer with one JSON document instead, so the first
 * character decides: no server-sent event begins with a bracket.
 *
 * @param onDocument called with each document as it comes
 */
export async function readAnswer(
  vendor: Vendor,
  response: Response,
  onDocument: (document: unknown) => void,
): Promise<ReadAnswer> {
  const reader = createReader(vendor, onDocument);
  try {
    await feedFrom(vendor, response, reader);
  } catch (error) {
    reader.fail(modelErrorOf(vendor, error));
  }
  return reader.end();
}

/** Passes on the text of one document, where it has some. */
export function tellText(onDelta: TakeText | undefined, text: string): void {
  if (text !== '') {
    onDelta?.(text);
  }
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

async function feedFrom(vendor: Vendor, response: Response, reader: Reader): Promise<void> {
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

interface Reader {
  feed(text: string): void;
  /** Whether what follows counts no more. */
  isOver(): boolean;
  fail(error: Error): void;
  end(): ReadAnswer;
}

const END_MARK = '[DONE]';

function createReader(vendor: Vendor, onDocument: (document: unknown) => void): Reader {
  const documents: unknown[] = [];
  const pieces: string[] = [];
  let isStream: boolean | null = null;
  let isDone = false;
  let error: Error | null = null;

  function take(text: string): void {
    const parsed = parse(text);
    if (parsed === undefined) {
      error ??= unusableReply(vendor);
      return;
    }
    // Google sends a list where events were asked for in vain; null says nothing
    const found = (Array.isArray(parsed) ? parsed : [parsed]).filter((each) => each !== null);
    for (const document of found) {
      documents.push(document);
      error ??= answeredError(vendor, document);
      if (error === null) {
        onDocument(document);
      }
    }
  }

  const events = createParser({
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
        events.feed(text);
      } else {
        pieces.push(text);
      }
    },
    isOver: () => isDone || error !== null,
    fail(reason) {
      error ??= reason;
    },
    end() {
      if (isStream === true) {
        events.feed('\n\n'); // some servers end the last event with one line break
      } else if (error === null) {
        take(pieces.join(''));
      }
      return { documents, isStream: isStream === true, isDone, error };
    },
  };
}

/** @returns null as long as nothing was said */
function isEventStream(text: string): boolean | null {
  const [first] = text.trimStart();
  return first === undefined ? null : !['{', '[', '<'].includes(first);
}

/** @returns undefined for what is no JSON */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
