/** One text for one document: what is hashed and signed here is canonical JSON. Source: RFC 8785. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** @throws TypeError for what JSON cannot say, Error for a lone surrogate */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) {
    throw new TypeError('there is no JSON for this value');
  }
  return text;
}

/** Of a text's UTF-8 or of bytes; 64 hexadecimal digits. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/**
 * The same document without what canonical JSON refuses: records may hold halves of surrogate
 * pairs, which users and models now and then send.
 */
export function wellFormed(value: unknown): unknown {
  const text = JSON.stringify(value);
  if (!HALF_PAIR.test(text)) {
    return JSON.parse(text);
  }
  return JSON.parse(text, (_key, part: unknown) => {
    if (typeof part === 'string') {
      return part.toWellFormed();
    }
    return isRecord(part) && !Object.keys(part).every((key) => key.isWellFormed())
      ? Object.fromEntries(Object.entries(part).map(([key, of]) => [key.toWellFormed(), of]))
      : part;
  });
}

/** Only a half without its other half is written so. Source: ECMA-262, `QuoteJSONString`. */
const HALF_PAIR = /\\ud[89a-f]/;

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
