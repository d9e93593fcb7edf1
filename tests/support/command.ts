/** Commands of operators, as built, with nothing in their environment but what a test gives. */
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { nodeSettings } from './node-settings.js';

export interface Ended {
  readonly code: number;
  readonly output: string;
}

const NO_ADDRESSES = { DATABASE_URL: '', REDIS_URL: '', TEMPORAL_ADDRESS: '' };

/**
 * @param script the built file's name under `dist/scripts`
 * @param typed its standard input
 */
export function runCommand(
  script: string,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  typed = '',
): Promise<Ended> {
  const everything = {
    PATH: process.env['PATH'],
    AGENTFORGE_HOME: join(tmpdir(), 'agentforge-none'),
    ...NO_ADDRESSES,
    ...nodeSettings(),
    ...env,
  };
  return new Promise((done) => {
    const child = execFile(
      process.execPath,
      [resolve('dist/scripts', script), ...words],
      { env: everything, cwd: tmpdir() },
      (error, out, err) => {
        done({ code: error === null ? 0 : Number(error.code), output: `${out}${err}` });
      },
    );
    child.stdin?.on('error', () => undefined); // it may end before it has read
    child.stdin?.end(typed);
  });
}
