/** A JSON document that we only keep: carried as text, so that nothing in it is read as a number. */
import { skipSpaceIn } from './json-scan.js';

export class JsonDocument {
  readonly #written: string;
  readonly #values: number;

  /**
   * @param written valid JSON
   * @param values in it, itself included
   */
  constructor(written: string, values: number) {
    this.#written = written;
    this.#values = values;
  }

  /** What its text has at least: a value takes two characters, the comma behind it included. */
  minLength(): number {
    return 2 * this.#values - 1;
  }

  isObject(): boolean {
    return this.#written.startsWith('{');
  }

  /** As `JSON.stringify` would write it, but with each number as it was written. */
  toText(): string {
    return compactJson(this.#written);
  }
}

/** Takes the space between a JSON text's tokens away, and escapes that need not be. */
export function compactJson(text: string): string {
  const pieces: string[] = [];
  let from = 0; // of what is kept as it is
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    const end = code === QUOTE ? stringEnd(text, at) : skipSpaceIn(text, at);
    const isKept = code === QUOTE ? !text.slice(at, end).includes('\\') : end === at;
    if (!isKept) {
      pieces.push(text.slice(from, at), code === QUOTE ? rewritten(text.slice(at, end)) : '');
      from = end;
    }
    at = Math.max(end, at + 1);
  }
  pieces.push(text.slice(from));
  return pieces.join('');
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function rewritten(string: string): string {
  return JSON.stringify(JSON.parse(string));
}

function stringEnd(text: string, opening: number): number {
  let at = opening + 1;
  for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(at)) {
    at += code === BACKSLASH ? 2 : 1;
  }
  return at + 1;
}

/** Bytes of a JSON text with everything beyond ASCII escaped: six per UTF-16 unit. */
export function asciiJsonBytes(text: string): number {
  let bytes = 0;
  for (let at = 0; at < text.length; at += 1) {
    bytes += text.charCodeAt(at) < 0x80 ? 1 : 6;
  }
  return bytes;
}
