/** Each entry's hash covers the entry before it, so that none can be changed, moved or left out. */
import { z } from 'zod';
import { canonicalJson, sha256 } from './canonical.js';

export interface Entry {
  readonly kind: string;
  readonly data: unknown;
}

export const chainedSchema = z.strictObject({
  seq: z.int().min(0),
  kind: z.string(),
  data: z.unknown(),
  /** Of this entry together with the hash before it. */
  hash: z.string(),
});
export type Chained = z.infer<typeof chainedSchema>;

export interface ChainedText extends Chained {
  /** Canonical JSON of the entry. */
  readonly text: string;
}

/**
 * Each entry's data, the bulk of a bundle, is made canonical once: its hash and its text are put
 * together around it, with their keys in canonical order. `findBreak` hashes whole entries instead.
 *
 * @param root what the first entry is chained to
 */
export function chain(entries: readonly Entry[], root: string): readonly ChainedText[] {
  let previous = root;
  return entries.map(({ kind, data }, seq) => {
    const dataText = canonicalJson(data);
    const kindText = canonicalJson(kind);
    const hash = sha256(
      `{"data":${dataText},"kind":${kindText},"previous":${canonicalJson(previous)},"seq":${seq}}`,
    );
    const text = `{"data":${dataText},"hash":"${hash}","kind":${kindText},"seq":${seq}}`;
    previous = hash;
    return { seq, kind, data, hash, text };
  });
}

/** What the chain ends with: it stands for all entries. */
export function headOf(entries: readonly Chained[], root: string): string {
  return entries.at(-1)?.hash ?? root;
}

/** @returns the place of the first entry that is not what was chained; null: all are */
export function findBreak(entries: readonly Chained[], root: string): number | null {
  let previous = root;
  for (const [place, { seq, kind, data, hash }] of entries.entries()) {
    if (seq !== place || hash !== hashOf({ seq, kind, data }, previous)) {
      return place;
    }
    previous = hash;
  }
  return null;
}

function hashOf(entry: Omit<Chained, 'hash'>, previous: string): string {
  return sha256(canonicalJson({ ...entry, previous }));
}
