/** What a page sends, within its limit: counted as it comes, and again as it unfolds. */
import type { IncomingMessage } from 'node:http';
import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import { CrawlFailed } from './crawl-failed.js';

/** What `readBody` can unfold. */
export const ACCEPTED_ENCODINGS = 'gzip, br';

export interface BodyLimit {
  readonly maxBytes: number;
  /** Whether more than that is cut off; else it is refused. */
  readonly isCut: boolean;
}

/** @throws CrawlFailed `too-large`, `unreadable` */
export async function readBody(
  response: IncomingMessage,
  limit: BodyLimit,
): Promise<Uint8Array<ArrayBuffer>> {
  const declared = Number(response.headers['content-length'] ?? 0);
  if (declared > limit.maxBytes && !limit.isCut) {
    throw tooLarge(limit);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytesOf(unfolded(response))) {
    size += chunk.byteLength;
    chunks.push(chunk);
    if (size > limit.maxBytes) {
      if (!limit.isCut) {
        throw tooLarge(limit);
      }
      break;
    }
  }
  return new Uint8Array(Buffer.concat(chunks).subarray(0, limit.maxBytes));
}

function unfolded(response: IncomingMessage): Readable {
  const encoding = (response.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const transform = decoderOf(encoding);
  return transform === null ? response : pipeline(response, transform, () => undefined); // its error reaches whoever reads
}

function decoderOf(encoding: string) {
  switch (encoding) {
    case '':
    case 'identity':
      return null;
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'br':
      return createBrotliDecompress();
    default:
      throw new CrawlFailed('unreadable', 'the page is packed in a way that nobody asked for');
  }
}

async function* bytesOf(stream: Readable): AsyncIterable<Uint8Array> {
  const chunks: AsyncIterable<unknown> = stream;
  try {
    for await (const chunk of chunks) {
      if (chunk instanceof Uint8Array) {
        yield chunk;
      }
    }
  } catch (cause) {
    throw new CrawlFailed('connection-failed', 'the page broke off', { cause });
  }
}

function tooLarge({ maxBytes }: BodyLimit): CrawlFailed {
  return new CrawlFailed('too-large', `the page is larger than ${maxBytes} bytes`);
}
