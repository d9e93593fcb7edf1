/** What a PostgreSQL that was killed leaves in the way of the next one. */
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { sendSignal, startTimeOf } from './process.js';
import { waitUntil } from './wait.js';

/** Sessions of a killed server end by themselves, as soon as they look up from their work. */
const ORPHANS_TIMEOUT_MS = 5_000;

/** To be called only once our own server has surely ended; a stranger's is left to complain. */
export async function clearAfterKill(
  dataDir: string,
  timeoutMs = ORPHANS_TIMEOUT_MS,
): Promise<void> {
  const lock = join(dataDir, 'postmaster.pid');
  if (!existsSync(lock)) {
    return;
  }
  const [first = '', ...others] = readFileSync(lock, 'utf8').split('\n');
  if (isServing(Number(first))) {
    return;
  }
  await endOrphans(realpathSync(dataDir), timeoutMs);
  writeFileSync(lock, [process.pid, ...others].join('\n'));
}

/**
 * PostgreSQL itself believes any pid that is taken: by another program, which in a restarted
 * container is likely, or by a dead server that is not collected yet. The pid of its own
 * parent it does not believe. It goes on to check that the old server's memory is unused.
 */
function isServing(pid: number): boolean {
  return startTimeOf(pid) !== null && isPostgres(pid);
}

async function endOrphans(dataDir: string, timeoutMs: number): Promise<void> {
  const areGone = () => Promise.resolve(processesIn(dataDir).length === 0);
  if (!(await waitUntil(areGone, { timeoutMs }))) {
    processesIn(dataDir).forEach((pid) => {
      sendSignal(pid, 'SIGKILL');
    });
    await waitUntil(areGone, { timeoutMs: ORPHANS_TIMEOUT_MS });
  }
}

/**
 * PostgreSQL works in its data directory; a person's shell may be there, too, and is left alone.
 * Nothing is found where there is no /proc.
 */
function processesIn(dataDir: string): readonly number[] {
  return readEntries('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && workingDirectoryOf(pid) === dataDir && isPostgres(pid));
}

function isPostgres(pid: number): boolean {
  const comm = `/proc/${pid}/comm`;
  return !existsSync(comm) || readFileSync(comm, 'utf8').startsWith('postgres');
}

function readEntries(directory: string): readonly string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function workingDirectoryOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null; // it has ended, or it is another user's
  }
}
