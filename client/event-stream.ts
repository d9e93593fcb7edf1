/** Server-sent events. Source: WHATWG HTML, "Server-sent events", as far as our API writes them. */
import type { ClientEvent } from '../domain/events.js';
import { parseEvent } from './events.js';

/** Ends with the body; ending the iteration earlier closes the connection. */
export async function* readEventStream(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<ClientEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let pieces: string[] = []; // of a block that has not ended
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      const piece = decoder.decode(value, { stream: true });
      const isEnd = `${pieces.at(-1)?.at(-1) ?? ''}${piece}`.includes(BLOCK_END);
      if (piece !== '') {
        pieces.push(piece);
      }
      if (isEnd) {
        const blocks = pieces.join('').split(BLOCK_END);
        pieces = [blocks.pop() ?? ''].filter((rest) => rest !== '');
        yield* blocks.flatMap(eventOf);
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined); // it may be lost already
  }
}

/** A block without data is a comment, or tells how long to wait. */
function eventOf(block: string): readonly ClientEvent[] {
  const data = block.split('\n').find((line) => line.startsWith(DATA));
  const event = data === undefined ? null : parseEvent(data.slice(DATA.length));
  return event === null ? [] : [event];
}
const DATA = 'data: ';
const BLOCK_END = '\n\n';
