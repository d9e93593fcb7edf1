/** Prometheus and its promtool: those of this machine, else Debian's package, unpacked once. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findFreePort } from '../../scripts/embedded/ports.js';
import { findProgram, type NeededTool } from './needed-tool.js';
import { until } from './until.js';

const UNPACKED = resolve(process.env['AGENTFORGE_HOME'] ?? '.agentforge', 'tools', 'prometheus');
const UNPACKS_WITHIN_MS = 180_000;
const POLL_MS = 200;
const CURE = 'Install Prometheus: apt-get install -y --no-install-recommends prometheus';

export const PROMETHEUS: NeededTool = { program: find('prometheus'), cure: CURE };
export const PROMTOOL: NeededTool = { program: find('promtool'), cure: CURE };

function find(name: string): string | null {
  const found = findProgram(name, [join(UNPACKED, 'usr/bin')]);
  return found ?? (unpackOnce() ? join(UNPACKED, 'usr/bin', name) : null);
}

/** Asked for two programs by each of two test files, which may be loaded at the same time. */
function unpackOnce(): boolean {
  const lock = `${UNPACKED}.lock`;
  mkdirSync(resolve(UNPACKED, '..'), { recursive: true });
  const deadline = Date.now() + UNPACKS_WITHIN_MS;
  while (!existsSync(UNPACKED) && Date.now() < deadline) {
    if (isTaken(lock)) {
      waitForMs(POLL_MS);
    } else {
      try {
        return unpack();
      } finally {
        rmSync(lock, { recursive: true, force: true });
      }
    }
  }
  return existsSync(UNPACKED);
}

/** Takes the lock if it can be had; one that is too old was left by a process that was killed. */
function isTaken(lock: string): boolean {
  try {
    mkdirSync(lock);
    return false;
  } catch {
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (Date.now() - since > UNPACKS_WITHIN_MS) {
      rmSync(lock, { recursive: true, force: true });
    }
    return true;
  }
}

function waitForMs(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms); // tests are declared in time
}

/** Needs no installation, but Debian's package lists, which only root can fetch. */
function unpack(): boolean {
  const draft = mkdtempSync(`${UNPACKED}.`);
  const run = (command: string, ...words: string[]): void => {
    execFileSync(command, words, { cwd: draft, stdio: 'ignore', timeout: UNPACKS_WITHIN_MS });
  };
  const download = (): void => {
    run('apt-get', 'download', 'prometheus');
  };
  try {
    try {
      download();
    } catch {
      run('apt-get', 'update');
      download();
    }
    const [deb = ''] = readdirSync(draft).filter((file) => file.endsWith('.deb'));
    run('dpkg', '-x', deb, 'unpacked');
    renameSync(join(draft, 'unpacked'), UNPACKED);
    return true;
  } catch {
    return false; // no Debian, no network, or not root
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface RunningPrometheus {
  /** The answer to a query now. @throws where the query is wrong */
  query(expression: string): Promise<readonly Sample[]>;
  /** Any other question, e.g. `/api/v1/rules`. */
  ask(path: string): Promise<any>;
  stop(): Promise<void>;
}

/** @param config the content of its configuration file, which may be JSON */
export async function startPrometheus(program: string, config: string): Promise<RunningPrometheus> {
  const home = mkdtempSync(join(tmpdir(), 'prometheus-'));
  writeFileSync(join(home, 'prometheus.yml'), config);
  const port = await findFreePort();
  const child = spawn(
    program,
    [
      `--config.file=${join(home, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(home, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'exit');
  const ask = async (path: string): Promise<any> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    const body: any = await response.json();
    if (body.status !== 'success') {
      throw new Error(`${path}: ${JSON.stringify(body)}`);
    }
    return body.data;
  };
  await until('Prometheus is ready', () => isReady(child, port)).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`${String(error)}\n${said}`);
  });
  return {
    ask,
    async query(expression) {
      const { result } = await ask(`/api/v1/query?query=${encodeURIComponent(expression)}`);
      return result.map(({ metric, value }: any) => ({ metric, value: Number(value[1]) }));
    },
    async stop() {
      child.kill('SIGTERM');
      await ended;
      rmSync(home, { recursive: true });
    },
  };
}

async function isReady(child: ChildProcess, port: number): Promise<boolean> {
  if (child.exitCode !== null) {
    throw new Error('Prometheus ended');
  }
  return fetch(`http://127.0.0.1:${port}/-/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
}
