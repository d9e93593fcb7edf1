/** What a page sends, within its limit: counted as it comes, and again as it unfolds. */
import type { IncomingMessage } from 'node:http';
import { pipeline, type Readable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { CrawlFailed } from './crawl-failed.js';

/** Node has it from 22.15 on. */
const HAS_ZSTD = Reflect.has(zlib, 'createZstdDecompress');

/** What `readBody` can unfold. */
export const ACCEPTED_ENCODINGS = `gzip, deflate, br${HAS_ZSTD ? ', zstd' : ''}`;

export interface BodyLimit {
  readonly maxBytes: number;
  /** Whether more than that is cut off; else it is refused. */
  readonly isCut: boolean;
}

/** @throws CrawlFailed `too-large`, `unreadable`, `connection-failed` */
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
  for await (const chunk of bytesOf(await unfolded(response))) {
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

/** More layers than any server puts on; each one may multiply what comes. */
const MAX_LAYERS = 2;

/** The last coding that is named was put on last. */
async function unfolded(response: IncomingMessage): Promise<Readable> {
  const named = (response.headers['content-encoding'] ?? '').toLowerCase().split(',');
  const layers = named.map((coding) => coding.trim()).filter(isCoding);
  if (layers.length > MAX_LAYERS) {
    throw new CrawlFailed('unreadable', 'the page is packed too many times over');
  }
  let stream: Readable = response;
  for (const coding of layers.toReversed()) {
    stream = pipeline(stream, await decoderOf(coding, stream), () => undefined); // the reader receives its error
  }
  return stream;
}

const CODINGS = ['gzip', 'x-gzip', 'deflate', 'br', 'zstd', 'compress', 'x-compress'] as const;
type Coding = (typeof CODINGS)[number];

/** Others, as `utf-8` and `none`, pack nothing: browsers pass over them. */
function isCoding(name: string): name is Coding {
  return CODINGS.some((coding) => coding === name);
}

async function decoderOf(coding: Coding, stream: Readable): Promise<Transform> {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip();
    case 'deflate':
      return hasZlibHeader(await firstBytesOf(stream))
        ? zlib.createInflate()
        : zlib.createInflateRaw();
    case 'br':
      return zlib.createBrotliDecompress();
    case 'zstd':
      if (HAS_ZSTD) {
        return zlib.createZstdDecompress();
      }
      break;
    case 'compress':
    case 'x-compress':
      break;
  }
  throw new CrawlFailed('unreadable', `the page is packed with ${coding}, which is not read`);
}

/** Source: RFC 1950 §2.2. Many servers send what they call deflate without it. */
function hasZlibHeader([first = 0, second = 0]: Uint8Array): boolean {
  return (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
}

/** They stay in the stream. */
async function firstBytesOf(stream: Readable): Promise<Uint8Array> {
  for (;;) {
    const chunk: unknown = stream.read();
    if (chunk instanceof Uint8Array) {
      stream.unshift(chunk);
      return chunk;
    }
    if (stream.readableEnded || stream.destroyed) {
      return new Uint8Array();
    }
    await new Promise<void>((resolve) => {
      const go = (): void => {
        ['readable', 'end', 'close'].forEach((event) => stream.off(event, go));
        resolve();
      };
      ['readable', 'end', 'close'].forEach((event) => stream.once(event, go));
    });
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
    throw isWronglyPacked(cause)
      ? new CrawlFailed('unreadable', 'the page is not packed as it says', { cause })
      : new CrawlFailed('connection-failed', 'the page broke off', { cause });
  }
}

/** `Z_BUF_ERROR` says that the rest is missing. */
function isWronglyPacked(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code !== 'Z_BUF_ERROR' && /^(?:Z_|ERR_?_?BROTLI|BROTLI|ZSTD_|ERR_ZSTD|ERR__)/i.test(code);
}

function tooLarge({ maxBytes }: BodyLimit): CrawlFailed {
  return new CrawlFailed('too-large', `the page is larger than ${maxBytes} bytes`);
}
