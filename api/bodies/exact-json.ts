/** JSON whose numbers stay as they were written, for documents that we only keep. */

declare global {
  // Source: ECMAScript 2026, "JSON.parse source text access"; Node 22 has it, TypeScript not yet.
  interface JSON {
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown;
    rawJSON(text: string): object;
    isRawJSON(value: unknown): boolean;
  }
}

/**
 * Reads JSON; a number that JavaScript would write differently (`1.0`, a long id) is carried as
 * its text, which `JSON.stringify` writes unchanged.
 *
 * @param text valid JSON, not nested so deeply that it ends the stack
 */
export function parseExactJson(text: string): unknown {
  return JSON.parse(text, (_, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source
      ? JSON.rawJSON(source)
      : value,
  );
}

/** Whether it is a JSON object; a number that is carried as its text is none. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value)
  );
}

/** How deep objects and lists are in each other, in valid JSON. */
export function nestingOf(text: string): number {
  let deepest = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') {
      at = closingQuote(text, at);
    } else if (char === '{' || char === '[') {
      depth += 1;
      deepest = Math.max(deepest, depth);
    } else if (char === '}' || char === ']') {
      depth -= 1;
    }
  }
  return deepest;
}

function closingQuote(text: string, opening: number): number {
  let at = opening + 1;
  while (text[at] !== '"') {
    at += text[at] === '\\' ? 2 : 1;
  }
  return at;
}

/** Bytes of a JSON text with everything beyond ASCII escaped: six per UTF-16 unit. */
export function asciiJsonBytes(text: string): number {
  let bytes = 0;
  for (let at = 0; at < text.length; at += 1) {
    bytes += text.charCodeAt(at) < 0x80 ? 1 : 6;
  }
  return bytes;
}
