/** The workflows that this process was built with. */
import { readFile } from 'node:fs/promises';
import { codeVersionOf, type CodeVersion } from '../temporal/code-version.js';

/** `npm run build` makes it. */
export const BUNDLE_PATH = new URL('../workflow-bundle.js', import.meta.url).pathname;

export async function readCodeVersion(path: string = BUNDLE_PATH): Promise<CodeVersion> {
  return codeVersionOf(await readFile(path, 'utf8'));
}
