import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { acceptsConnections, LOCAL_HOST } from './ports.js';
import { startServer, type ServerProcess } from './process.js';
import { STOPPING } from './stopping.js';

export interface RedisOptions {
  readonly home: string;
  readonly program: string;
  readonly port: number;
  /** How many numbered databases there are. */
  readonly databases: number;
}

/** Nothing is kept on disk: everything in Redis can be rebuilt. */
export async function startRedis(options: RedisOptions): Promise<ServerProcess> {
  const directory = join(options.home, 'redis');
  mkdirSync(directory, { recursive: true });
  return startServer({
    name: 'Redis',
    command: options.program,
    args: [
      ...['--port', String(options.port), '--bind', LOCAL_HOST],
      ...['--databases', String(options.databases)],
      ...['--save', '', '--appendonly', 'no', '--dir', directory],
    ],
    pidFile: join(options.home, 'redis.pid'),
    logFile: join(options.home, 'logs', 'redis.log'),
    isReady: () => acceptsConnections(options.port),
    ...STOPPING.redis,
  });
}
