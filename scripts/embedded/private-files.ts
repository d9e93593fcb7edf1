/**
 * What lies in the state directory is its owner's alone, and a symbolic link there leads nowhere:
 * nothing is read or written through one.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
  type Stats,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

export const PRIVATE_DIRECTORY = 0o700;
export const PRIVATE_FILE = 0o600;
const OF_OTHERS = 0o077;
const WRITABLE_BY_OTHERS = 0o022;

/** Replaces the file, which is never followed where it is a link. */
export function writePrivateFile(file: string, text: string): void {
  rmSync(file, { force: true });
  writeFileSync(file, text, { mode: PRIVATE_FILE, flag: 'wx' });
}

/** @throws Error if the file is not ours alone to write, or not there */
export function readOwnFile(file: string): string {
  const handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const stats = fstatSync(handle);
    if (!stats.isFile() || !isOurs(stats) || (stats.mode & WRITABLE_BY_OTHERS) !== 0) {
      throw new Error(`${file} is not ours alone`);
    }
    return readFileSync(handle, 'utf8');
  } finally {
    closeSync(handle);
  }
}

/** @returns a descriptor to append with. @throws Error with the cure where the log is a link */
export function openPrivateLog(file: string): number {
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW } = constants;
  try {
    const handle = openSync(file, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, PRIVATE_FILE);
    fchmodSync(handle, PRIVATE_FILE);
    return handle;
  } catch (cause) {
    throw new Error(`${file} cannot be written: remove it if it is a link.`, { cause });
  }
}

/** The path of a file whose directory may have been reached through links. */
export function realPathOf(file: string): string {
  return join(realpathSync(dirname(file)), basename(file));
}

/**
 * Takes the rights of others from a directory of ours and from all in it that is ours. Links, and
 * what belongs to another user, are left alone.
 */
export function closeToOthers(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined || stats.isSymbolicLink() || !isOurs(stats)) {
    return;
  }
  if ((stats.mode & OF_OTHERS) !== 0 && (stats.isDirectory() || stats.isFile())) {
    chmodSync(path, stats.mode & 0o7777 & ~OF_OTHERS);
  }
  if (stats.isDirectory()) {
    for (const name of readdirSync(path)) {
      closeToOthers(join(path, name));
    }
  }
}

export function isOurs(stats: Pick<Stats, 'uid'>): boolean {
  return process.getuid === undefined || stats.uid === process.getuid();
}
