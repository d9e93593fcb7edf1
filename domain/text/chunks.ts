/** Long texts in pieces that overlap. Lengths count code points, so that none is ever cut. */

/** Source: contract, pipeline §3.3. */
export const CHUNK_CHARACTERS = 1_000;
export const CHUNK_OVERLAP = 200;

/** Each piece begins with the last 200 characters of the one before. */
export function chunksOf(text: string): readonly string[] {
  const characters = Array.from(text);
  const step = CHUNK_CHARACTERS - CHUNK_OVERLAP;
  const count = Math.max(1, Math.ceil((characters.length - CHUNK_OVERLAP) / step));
  return characters.length === 0
    ? []
    : Array.from({ length: count }, (_, index) =>
        characters.slice(index * step, index * step + CHUNK_CHARACTERS).join(''),
      );
}

/** Puts pieces together again; those that do not overlap stay apart, a line each. */
export function joinChunks(chunks: readonly string[]): string {
  return chunks
    .map((chunk, at) => {
      const before = at === 0 ? '' : (chunks[at - 1] ?? '');
      const overlap = Array.from(before).slice(-CHUNK_OVERLAP).join('');
      const isContinued =
        Array.from(before).length === CHUNK_CHARACTERS && chunk.startsWith(overlap);
      return isContinued ? chunk.slice(overlap.length) : `${at === 0 ? '' : '\n'}${chunk}`;
    })
    .join('');
}
