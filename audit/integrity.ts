/** Whether a bundle is, byte for byte, what was signed. Needs nothing but the file. */
import { z } from 'zod';
import { BUNDLE_FORMAT, bundleSchema, signedPartOf, type Bundle } from './bundle.js';
import { canonicalJson } from './canonical.js';
import { findBreak } from './chain.js';
import { contentsSchema, type ContentEntry } from './contents.js';
import { isSignedBy } from './signing.js';

export type Integrity =
  | {
      readonly kind: 'intact';
      readonly contents: readonly ContentEntry[];
      readonly keyId: string;
      readonly head: string;
    }
  | { readonly kind: 'broken'; readonly problem: string };

/** Checks form, chain and signature, in this order; reports the first problem. */
export function checkIntegrity(file: Uint8Array): Integrity {
  const read = readDocument(file);
  if ('problem' in read) {
    return { kind: 'broken', problem: read.problem };
  }
  const { bundle } = read;
  const place = findBreak(bundle.entries, BUNDLE_FORMAT);
  if (place !== null) {
    return { kind: 'broken', problem: `${nameOf(bundle, place)} is not what was archived` };
  }
  const part = signedPartOf(bundle);
  if (!isSignedBy(part, bundle.signature)) {
    return { kind: 'broken', problem: 'signature: it is not of these entries, or not of its key' };
  }
  const contents = z.array(contentsSchema).safeParse(bundle.entries);
  if (!contents.success) {
    return { kind: 'broken', problem: `entries${problemOf(contents.error)}` };
  }
  const { key_id: keyId } = bundle.signature;
  return { kind: 'intact', contents: contents.data, keyId, head: part.head };
}

function readDocument(file: Uint8Array): { bundle: Bundle } | { problem: string } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(file);
    const document: unknown = JSON.parse(text);
    const difference = firstDifference(text, canonicalJson(document));
    if (difference !== null) {
      const at = Buffer.byteLength(text.slice(0, difference));
      return { problem: `byte ${at}: the file is not canonical JSON (RFC 8785) from here on` };
    }
    const parsed = bundleSchema.safeParse(document);
    return parsed.success ? { bundle: parsed.data } : { problem: problemOf(parsed.error) };
  } catch (error) {
    return { problem: `the file is no JSON: ${String(error)}` };
  }
}

function firstDifference(text: string, canonical: string): number | null {
  if (text === canonical) {
    return null;
  }
  let at = 0;
  while (text[at] === canonical[at]) {
    at += 1;
  }
  return at;
}

function problemOf(error: z.ZodError): string {
  const [issue] = error.issues;
  return `${issue?.path.map((step) => `[${String(step)}]`).join('') ?? ''}: ${issue?.message ?? ''}`;
}

/** As `entry 7 (node "writer"), bytes 1234 to 5678`. */
function nameOf({ entries }: Bundle, place: number): string {
  const start =
    Buffer.byteLength('{"entries":[') +
    entries.slice(0, place).reduce((sum, entry) => sum + sizeOf(entry) + ','.length, 0);
  const entry = entries[place];
  const end = start + (entry === undefined ? 0 : sizeOf(entry)) - 1;
  return `entry ${place} (${entry?.kind ?? ''}), bytes ${start} to ${end}:`;
}

function sizeOf(entry: unknown): number {
  return Buffer.byteLength(canonicalJson(entry));
}
