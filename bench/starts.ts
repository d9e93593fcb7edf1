/** Starts and stops of the whole product, as `npm start` does them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findFreePort } from '../scripts/embedded/ports.js';
import { waitUntil } from '../scripts/embedded/wait.js';
import { answersOk } from '../scripts/start/app-processes.js';
import type { Build } from './builds.js';

export interface StartTimes {
  /** Until the API is ready. */
  readonly startMs: number;
  /** From SIGTERM until nothing of it runs. */
  readonly stopMs: number;
}

const PORTS = [
  'PORT',
  'WORKER_METRICS_PORT',
  'COLLECTOR_PORT',
  'TEMPORAL_PORT',
  'TEMPORAL_UI_PORT',
  'POSTGRES_PORT',
  'REDIS_PORT',
];
const START_TIMEOUT_MS = 900_000;
const TOOLS = resolve(import.meta.dirname, '../.agentforge/tools');

/** With a database that is there already and programs that are downloaded: its second start. */
export async function measureWarmStart({ dist }: Build): Promise<StartTimes> {
  const home = mkdtempSync(join(tmpdir(), 'agentforge-bench-start-'));
  try {
    mkdirSync(join(home, 'state'), { mode: 0o700 });
    symlinkSync(TOOLS, join(home, 'state/tools'));
    const start = (): Promise<StartTimes> =>
      measureStart({
        command: process.execPath,
        args: [join(dist, 'scripts/start.js')],
        cwd: home,
        env: { PATH: process.env['PATH'], AGENTFORGE_HOME: join(home, 'state') },
      });
    await start();
    return await start();
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

export interface StartCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Hears what it says, line by line, and when. */
  readonly onLine?: (line: string, ms: number) => void;
}

/** @throws if it ends before it is ready, with what it has said */
export async function measureStart({
  onLine,
  command,
  args,
  cwd,
  env,
}: StartCommand): Promise<StartTimes> {
  const ports = await Promise.all(
    PORTS.map(async (name) => [name, String(await findFreePort())] as const),
  );
  const own: Readonly<Record<string, string>> = Object.fromEntries(ports);
  const beganAt = performance.now();
  const child = spawn(command, args, {
    cwd,
    env: { ...env, ...own },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => {
    child.kill('SIGTERM');
  };
  process.once('exit', kill);
  const ended = once(child, 'exit');
  const said = listen(child, (line) => onLine?.(line, performance.now() - beganAt));
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const url = `http://127.0.0.1:${own['PORT'] ?? ''}/readyz`;
  const isUp = await waitUntil(async () => hasEnded() || (await answersOk(url)), {
    timeoutMs: START_TIMEOUT_MS,
  });
  const startMs = performance.now() - beganAt;
  const failed = !isUp || hasEnded();
  const stoppedAt = performance.now();
  if (!hasEnded()) {
    child.kill('SIGTERM');
    await ended;
  }
  process.off('exit', kill);
  if (failed) {
    throw new Error(`it did not start:\n${said.slice(-20).join('\n')}`);
  }
  return { startMs, stopMs: performance.now() - stoppedAt };
}

function listen({ stdout, stderr }: ChildProcess, onLine: (line: string) => void): string[] {
  const said: string[] = [];
  for (const stream of [stdout, stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      for (const line of chunk.split('\n').filter(Boolean)) {
        said.push(line);
        onLine(line);
      }
    });
  }
  return said;
}
