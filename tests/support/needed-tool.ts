/** Programs that a few tests need and that not every machine has. */
import { delimiter } from 'node:path';
import { findOnPath } from '../../scripts/embedded/python-tools.js';

export interface NeededTool {
  /** null: this machine has none */
  readonly program: string | null;
  /** What to do about it, in one sentence. */
  readonly cure: string;
}

/** On PATH, or in one of the folders given. */
export function findProgram(name: string, folders: readonly string[] = []): string | null {
  return findOnPath(name, [process.env['PATH'] ?? '', ...folders].join(delimiter));
}

/**
 * Tests that need a tool. Without it they fail with the cure where everything must have been
 * tested (CI), and are named as skipped elsewhere.
 */
export function describeWith(
  { program, cure }: NeededTool,
  title: string,
  tests: (program: string) => void,
): void {
  if (program !== null) {
    describe(title, () => {
      tests(program);
    });
  } else if (process.env['CI'] === 'true') {
    test(title, () => {
      throw new Error(cure);
    });
  } else {
    test.skip(`${title}: ${cure}`, () => undefined);
  }
}
