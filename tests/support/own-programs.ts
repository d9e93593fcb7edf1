/** A PATH of programs made for a test, and a folder for what is downloaded or built. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface OwnPrograms {
  /** To be the PATH, or its beginning. */
  readonly bin: string;
  readonly toolsDir: string;
  /** What was printed to the user. */
  readonly said: string[];
  readonly say: (line: string) => void;
  /** A program that is this shell script. */
  put(name: string, script: string): void;
  remove(): void;
}

export function makeOwnPrograms(): OwnPrograms {
  const directory = mkdtempSync(join(tmpdir(), 'tools-test-'));
  const bin = join(directory, 'bin');
  const said: string[] = [];
  mkdirSync(bin);
  return {
    bin,
    toolsDir: join(directory, 'tools'),
    said,
    say: (line) => void said.push(line),
    put(name, script) {
      const file = join(bin, name);
      writeFileSync(file, `#!/bin/sh\n${script}\n`);
      chmodSync(file, 0o755);
    },
    remove: () => {
      rmSync(directory, { recursive: true });
    },
  };
}
