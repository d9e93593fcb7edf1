import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Passwords } from './passwords.js';
import { acceptsConnections, LOCAL_HOST } from './ports.js';
import { PRIVATE_DIRECTORY, writePrivateFile } from './private-files.js';
import { startServer, type ServerProcess } from './process.js';
import { serverEnvironment } from './server-environment.js';
import { STOPPING } from './stopping.js';

export interface RedisOptions {
  readonly home: string;
  readonly program: string;
  readonly port: number;
  /** How many numbered databases there are. */
  readonly databases: number;
  readonly passwords: Pick<Passwords, 'redis' | 'redisCollector'>;
  /** Further users, as lines of an ACL file. */
  readonly moreUsers: readonly string[];
}

type RedisUser = 'agentforge' | 'collector';

/** Nothing is kept on disk: everything in Redis can be rebuilt. */
export async function startRedis(options: RedisOptions): Promise<ServerProcess> {
  const directory = join(options.home, 'redis');
  mkdirSync(directory, { recursive: true, mode: PRIVATE_DIRECTORY });
  const settingsFile = join(directory, 'redis.conf');
  writePrivateFile(settingsFile, settingsOf(options, directory));
  return startServer({
    name: 'Redis',
    command: options.program,
    args: [settingsFile],
    env: serverEnvironment(),
    cwd: directory,
    pidFile: join(options.home, 'redis.pid'),
    logFile: join(options.home, 'logs', 'redis.log'),
    isReady: () => acceptsConnections(options.port),
    ...STOPPING.redis,
  });
}

export function redisAddress(user: RedisUser, port: number, passwords: Passwords): string {
  const password = user === 'collector' ? passwords.redisCollector : passwords.redis;
  return `redis://${user}:${password}@${LOCAL_HOST}:${port}/0`;
}

/** In a file of its own: arguments are shown to every user of the machine. */
function settingsOf(options: RedisOptions, directory: string): string {
  const { port, databases, passwords } = options;
  return [
    `port ${port}`,
    `bind ${LOCAL_HOST}`,
    `databases ${databases}`,
    'save ""',
    'appendonly no',
    `dir ${quoted(directory)}`,
    usersOf(passwords),
    ...options.moreUsers,
  ].join('\n');
}

/** Sources and their build lie at different depths of the checkout. */
const USERS_FILE = ['../..', '../../..']
  .map((root) => resolve(import.meta.dirname, root, 'deploy/redis/users.acl'))
  .find((file) => existsSync(file));

/** Who may do what in Redis: the same rules as in production, with the hashes of these passwords. */
function usersOf({ redis, redisCollector }: RedisOptions['passwords']): string {
  if (USERS_FILE === undefined) {
    throw new Error('deploy/redis/users.acl is missing: restore it from the release.');
  }
  return readFileSync(USERS_FILE, 'utf8')
    .replace('AGENTFORGE_PASSWORD_SHA256', sha256(redis))
    .replace('COLLECTOR_PASSWORD_SHA256', sha256(redisCollector));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Source: redis.conf: values with spaces stand in quotes, with escapes as in C. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
