import {
  closeSync,
  constants,
  copyFileSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs';

const MAX_LOG_BYTES = 10 * 1024 * 1024;

/** The end of a log, for a message about what went wrong. */
export function lastLines(file: string, count: number): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
  } catch {
    return '(no log)';
  }
}

/**
 * Keeps a log and one older part of it, each at most 10 MiB. Copies and truncates, because the
 * writer has the file open for appending.
 */
export function rotateLog(file: string, maxBytes = MAX_LOG_BYTES): void {
  if (sizeOf(file) > maxBytes) {
    rmSync(`${file}.1`, { force: true });
    copyFileSync(file, `${file}.1`, constants.COPYFILE_EXCL);
    const handle = openSync(file, constants.O_WRONLY | constants.O_NOFOLLOW);
    ftruncateSync(handle);
    closeSync(handle);
  }
}

const POLL_MS = 5_000;

/**
 * Keeps the logs of servers small while they run.
 *
 * @returns ends it
 */
export function boundLogs(
  files: readonly string[],
  { maxBytes = MAX_LOG_BYTES, everyMs = POLL_MS } = {},
): () => void {
  const look = (): void => {
    files.forEach((file) => {
      rotateLog(file, maxBytes);
    });
  };
  look();
  const timer = setInterval(look, everyMs).unref();
  return () => {
    clearInterval(timer);
  };
}

/** 0: there is none, or it is a link, which is no log of ours. */
export function sizeOf(file: string): number {
  const stats = lstatSync(file, { throwIfNoEntry: false });
  return stats?.isFile() === true ? stats.size : 0;
}
