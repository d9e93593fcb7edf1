import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { config as readDotenv } from 'dotenv';
import { z } from 'zod';

const port = z.coerce.number().int().min(1).max(65_535);
const address = z.string().trim().optional();

export const StartEnvironment = z.object({
  AGENTFORGE_HOME: z
    .string()
    .min(1)
    .default('.agentforge')
    .describe(
      'State directory: databases, secrets, logs, downloaded programs. As root, PostgreSQL runs as an unprivileged user; where that user cannot enter the checkout, its data is in /var/lib/agentforge.',
    ),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: port.default(8000),
  WORKER_METRICS_PORT: port.default(9464),
  COLLECTOR_HOST: z.string().min(1).default('127.0.0.1'),
  COLLECTOR_PORT: port.default(8001),
  DATA_COLLECTOR_URL: address,
  TEMPORAL_PORT: port.default(7233).describe('Port of the embedded Temporal.'),
  TEMPORAL_UI_PORT: port.default(8233),
  TEMPORAL_SQLITE_SYNCHRONOUS: z
    .enum(['FULL', 'NORMAL', 'OFF'])
    .default('NORMAL')
    .describe(
      'How the embedded Temporal writes. `NORMAL` survives any crash of a process, `FULL` also a power cut, and is slower.',
    ),
  POSTGRES_PORT: port.default(5433).describe('Port of the embedded PostgreSQL.'),
  REDIS_PORT: port.default(6380).describe('Port of the embedded Redis.'),
  DATABASE_URL: address,
  REDIS_URL: address,
  COLLECTOR_REDIS_URL: address
    .describe(
      'Redis under the collector’s own user, where `REDIS_URL` names a Redis of yours (deploy/redis/users.acl). Unset: `REDIS_URL`.',
    )
    .meta({ example: 'redis://collector:password@localhost:6379/0' }),
  TEMPORAL_ADDRESS: address,
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
});

export interface StartSettings extends z.infer<typeof StartEnvironment> {
  /** Absolute path of the state directory. */
  readonly home: string;
  /** The environment, completed from `.env`, for the processes we start. */
  readonly env: NodeJS.ProcessEnv;
}

/** The checkout; this file is built to `dist/scripts/start/`. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Reads `.env` (never overriding what is set) and the environment. @throws Error naming variables */
export function readSettings(): StartSettings {
  readDotenv({ path: resolve(ROOT, '.env'), quiet: true });
  return settingsOf(process.env);
}

export function settingsOf(env: NodeJS.ProcessEnv): StartSettings {
  const present = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''),
  );
  const parsed = StartEnvironment.safeParse(present);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join('.')}: ${issue.message}`,
    );
    throw new Error(`Correct these environment variables: ${problems.join('; ')}`);
  }
  return { ...parsed.data, home: resolve(ROOT, parsed.data.AGENTFORGE_HOME), env: present };
}
