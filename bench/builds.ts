/** Which built products a program measures: the present one, and others that were built elsewhere. */
import { resolve } from 'node:path';
import { withoutTrailingSlashes } from '../domain/text/trailing-slashes.js';

export interface Build {
  readonly name: string;
  /** The directory of its built files. */
  readonly dist: string;
}

export const PRESENT: Build = { name: 'this', dist: resolve(import.meta.dirname, '../dist') };

/** @param checkouts of other releases, each with its `dist/` */
export function readBuilds(checkouts: readonly string[]): readonly Build[] {
  const others = checkouts.map((path) => ({
    name: withoutTrailingSlashes(path).split('/').at(-1) ?? path,
    dist: resolve(path, 'dist'),
  }));
  return [...others, PRESENT];
}
