/** Reads a request's body within its route's limit; nothing is parsed that is larger. */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createUnzip } from 'node:zlib';
import type { Context } from './state.js';

/** Becomes an answer of its status; see `errors.ts`. */
export class BodyRefused extends Error {
  override readonly name = 'BodyRefused';
  readonly status: 400 | 413 | 415;

  constructor(status: 400 | 413 | 415, why: string, options?: ErrorOptions) {
    super(why, options);
    this.status = status;
  }
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/** @throws BodyRefused: 413 at once where the declared length is over the limit, else where it is reached */
export async function readText(ctx: Context, maxBytes: number): Promise<string> {
  if (declaredBytes(ctx) > maxBytes) {
    throw tooLarge(maxBytes);
  }
  const { req } = ctx;
  const bytes = await readBytes(req, unpacked(req), maxBytes);
  try {
    return UTF_8.decode(bytes);
  } catch (cause) {
    throw new BodyRefused(400, 'the body is not UTF-8', { cause });
  }
}

/** 0: it does not say, or has none */
export function declaredBytes(ctx: Context): number {
  return Number(ctx.get('Content-Length')) || 0;
}

function tooLarge(maxBytes: number): BodyRefused {
  return new BodyRefused(413, `the body is larger than ${maxBytes} bytes`);
}

function unpacked(request: IncomingMessage): Readable {
  const encoding = request.headers['content-encoding']?.toLowerCase() ?? 'identity';
  switch (encoding) {
    case 'identity':
      return request;
    case 'gzip':
    case 'deflate':
      return request.pipe(createUnzip());
    case 'br':
      return request.pipe(createBrotliDecompress());
    default:
      throw new BodyRefused(415, 'the body is packed in a way that is not known');
  }
}

/** Counted as it comes and as it unfolds; what comes after the limit is not kept. */
async function readBytes(
  request: IncomingMessage,
  body: Readable,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  let packedSize = 0;
  const read = Promise.withResolvers<undefined>();
  const fail = (cause: Error): void => {
    read.reject(new BodyRefused(400, 'the body cannot be read', { cause }));
  };
  const onData = (chunk: Buffer): void => {
    size += chunk.length;
    chunks.push(chunk);
    if (size > maxBytes) {
      read.reject(tooLarge(maxBytes));
    }
  };
  /** What is packed may unfold to nothing, for ever. */
  const onPacked = (chunk: Buffer): void => {
    packedSize += chunk.length;
    if (packedSize > maxBytes) {
      read.reject(tooLarge(maxBytes));
    }
  };
  const onClose = (): void => {
    if (!request.complete) {
      fail(new Error('the connection was closed'));
    }
  };
  body.on('data', onData).once('error', fail).once('end', read.resolve);
  request.once('error', fail).once('close', onClose);
  if (body !== request) {
    request.on('data', onPacked);
  }
  try {
    await read.promise;
  } finally {
    body.off('data', onData).on('error', () => undefined);
    request
      .off('close', onClose)
      .off('data', onPacked)
      .on('error', () => undefined);
    if (body !== request) {
      request.unpipe();
      body.destroy();
    }
  }
  return Buffer.concat(chunks);
}
