/** Settings of Node itself for a built process. */
import { resolve } from 'node:path';

/** Compiled code is kept, since so many processes load the same modules. */
const COMPILED = resolve(process.env['AGENTFORGE_HOME'] ?? '.agentforge', 'compiled');

/**
 * Has the process report its coverage when it ends, where scripts/coverage.ts asks for that; kept
 * code would blur it.
 */
export function nodeSettings(): Readonly<Record<string, string>> {
  const directory = process.env['PROCESS_COVERAGE'];
  return directory === undefined
    ? { NODE_COMPILE_CACHE: COMPILED }
    : { NODE_V8_COVERAGE: directory };
}
