/** The built product: any number of `api` and `worker` processes on a database of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import type { Db } from '../../db/connect.js';
import { createTestDb, testServers } from './servers.js';
import { nodeSettings } from './node-settings.js';
import { until } from './until.js';

type Env = Readonly<Record<string, string>>;

export interface ProductProcess {
  readonly child: ChildProcess;
  /** Every line that the process has printed. */
  readonly lines: readonly string[];
  /** @returns the exit code; null after a signal that it did not handle */
  ended(): Promise<number | null>;
  /** Waits for a log line by its event. */
  sees(event: string): Promise<Record<string, unknown>>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** SIGTERM, and waits for the end. @returns the exit code */
  stop(): Promise<number | null>;
}

export interface ApiProcess extends ProductProcess {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
}

export interface Product {
  readonly db: Db;
  readonly env: Env;
  readonly apis: readonly ApiProcess[];
  readonly workers: readonly ProductProcess[];
  readonly collectors: readonly ProductProcess[];
  /** Of the first API process. */
  readonly url: string;
  startApi(env?: Env): Promise<ApiProcess>;
  /** @param dist of another build */
  startWorker(env?: Env, dist?: string): Promise<ProductProcess>;
  /** At `COLLECTOR_PORT`; the workers ask it if `DATA_COLLECTOR_URL` says so. */
  startCollector(env?: Env): Promise<ProductProcess>;
  stop(): Promise<void>;
}

export interface ProductOptions {
  readonly apis?: number;
  readonly workers?: number;
  readonly env?: Env;
  /** Ports of proxies on 127.0.0.1 through which the processes reach a server instead. */
  readonly ports?: Partial<Record<'postgres' | 'redis' | 'temporal', number>>;
}

/** The present build. */
export const DIST = new URL('../../dist/', import.meta.url).pathname;

export async function startProduct(options: ProductOptions = {}): Promise<Product> {
  const { db, url: databaseUrl, drop } = await createTestDb();
  const servers = testServers();
  const { postgres, redis, temporal } = options.ports ?? {};
  const env: Env = {
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: through(databaseUrl, postgres),
    REDIS_URL: through(servers.redisUrl, redis),
    TEMPORAL_ADDRESS: temporal === undefined ? servers.temporalAddress : `127.0.0.1:${temporal}`,
    TEMPORAL_NAMESPACE: servers.temporalNamespace,
    TEMPORAL_TASK_QUEUE: `test-${randomUUID()}`,
    SECRET_KEY: randomBytes(32).toString('hex'),
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    AUDIT_SIGNING_KEY: randomBytes(32).toString('base64'),
    SIMULATED_MODELS: 'true',
    PASSWORD_COST: '10',
    AUTH_RATE_LIMIT: '1000',
    RATE_LIMIT_FREE: '10000',
    DATA_COLLECTOR_URL: 'http://127.0.0.1:9',
    PORT: '0',
    WORKER_METRICS_PORT: '0',
    ...options.env,
  };
  const apis: ApiProcess[] = [];
  const workers: ProductProcess[] = [];
  const collectors: ProductProcess[] = [];
  const product: Product = {
    db,
    env,
    apis,
    workers,
    collectors,
    get url() {
      return apis[0]?.url ?? '';
    },
    async startApi(more = {}) {
      const started = await startApi({ ...env, ...more });
      apis.push(started);
      return started;
    },
    async startWorker(more = {}, dist = DIST) {
      const started = startProcess('worker/main.js', { ...env, ...more }, dist);
      await started.sees('worker ready');
      workers.push(started);
      return started;
    },
    async startCollector(more = {}) {
      const own = through(servers.collectorRedisUrl, redis);
      const started = startProcess('collector/main.js', { ...env, REDIS_URL: own, ...more });
      await started.sees('collector ready');
      collectors.push(started);
      return started;
    },
    async stop() {
      await Promise.all([...apis, ...workers, ...collectors].map((part) => part.stop()));
      await drop();
    },
  };
  await Promise.all([
    ...times(options.apis ?? 1, () => product.startApi()),
    ...times(options.workers ?? 1, () => product.startWorker()),
  ]);
  return product;
}

function through(address: string, port: number | undefined): string {
  const url = new URL(address);
  url.port = String(port ?? url.port);
  return url.href;
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

async function startApi(env: Env): Promise<ApiProcess> {
  const started = startProcess('api/main.js', env);
  const { port } = await started.sees('api ready');
  return { ...started, url: `http://127.0.0.1:${String(port)}` };
}

type Entry = 'api/main.js' | 'worker/main.js' | 'collector/main.js';

/** Starts a built entry; its log lines are kept, for looking at and for waiting on. */
export function startProcess(entry: Entry, env: Env, dist = DIST): ProductProcess {
  const child = spawn(process.execPath, [`${dist}${entry}`], {
    env: { ...env, ...nodeSettings() },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => lines.push(line));
  }
  // not at its exit: its last lines come later
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    child,
    lines,
    ended: () => ended,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
    async sees(event) {
      const seen = () => {
        if (child.exitCode !== null) {
          throw new Error(`${entry} ended`);
        }
        return parsed(lines).find((line) => line['event'] === event);
      };
      return until(`"${event}" of ${entry}`, seen).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${lines.join('\n')}`);
      });
    },
  };
}

function parsed(lines: readonly string[]): Record<string, unknown>[] {
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}
