import { closeSync, openSync, readSync } from 'node:fs';
import { rotateLog, sizeOf } from '../embedded/logs.js';

const POLL_MS = 500;
const MAX_READ_BYTES = 1024 * 1024;

/**
 * Shows the errors that a process writes to its log, and keeps the log's size bounded.
 *
 * @returns ends it
 */
export function echoErrors(name: string, file: string, say: (line: string) => void): () => void {
  rotateLog(file);
  let position = sizeOf(file);
  const timer = setInterval(() => {
    const size = sizeOf(file);
    position = size < position ? 0 : position; // rotated
    if (size > position) {
      const text = readPart(file, position, Math.min(size - position, MAX_READ_BYTES));
      const whole = text.slice(0, text.lastIndexOf('\n') + 1);
      position += Buffer.byteLength(whole === '' ? text : whole);
      errorsIn(whole).forEach((error) => {
        say(`[${name}] ${error}`);
      });
    }
    rotateLog(file);
  }, POLL_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}

/** JSON lines of level error, and all that is no JSON line: a crash prints plain text. */
export function errorsIn(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s*at /.test(line))
    .filter((line) => !line.startsWith('{') || line.includes('"level":"error"'));
}

function readPart(file: string, position: number, length: number): string {
  const buffer = Buffer.alloc(length);
  const handle = openSync(file, 'r');
  try {
    return buffer.toString('utf8', 0, readSync(handle, buffer, 0, length, position));
  } finally {
    closeSync(handle);
  }
}
