/** The real data collector in this process; the test alone resolves names. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApp } from '../../collector/app.js';
import { composeCollector, type Replacements } from '../../collector/composition-root.js';
import { CrawlFailed } from '../../collector/crawl-failed.js';
import type { Reader } from '../../collector/reader.js';
import { readTask } from '../../collector/reading.js';
import { loadCollectorConfig } from '../../config/collector-config.js';
import { silentLogger } from '../../telemetry/logger.js';
import { testServers } from './servers.js';
import { until } from './until.js';

export interface Answer {
  readonly status: number;
  readonly body: any;
  readonly headers: Headers;
}

export interface CollectorService {
  readonly baseUrl: string;
  ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer>;
  /** Creates, checks and collects. @returns the last answer, and the id */
  collect(url: string, sourceType?: string): Promise<Answer & { readonly id: string }>;
  /** As a process that is stopped: what is under way is given up. */
  stop(): void;
  close(): Promise<void>;
}

export interface ServiceOptions extends Replacements {
  readonly env?: Readonly<Record<string, string>>;
}

/** Reads in this process, so that no build is needed. */
const reader: Reader = {
  async readPage(task) {
    const page = await readTask({ kind: 'page', ...task });
    if ('unreadable' in page) {
      throw new CrawlFailed('unreadable', page.unreadable);
    }
    if (!('text' in page)) {
      throw new Error('no page');
    }
    return page;
  },
  async decideRobots(task) {
    const verdict = await readTask({ kind: 'robots', ...task });
    if (!('isAllowed' in verdict)) {
      throw new Error('no verdict');
    }
    return verdict;
  },
};

/** Names under `.pages.example` are this machine; no others exist. */
const resolvePages = (name: string): Promise<readonly string[]> =>
  Promise.resolve(name.endsWith('.pages.example') ? ['127.0.0.1'] : []);

/** A name of its own, new to every collector. */
export function newHost(): string {
  return `${randomUUID()}.pages.example`;
}

export async function startCollectorService({
  env = {},
  ...replaced
}: ServiceOptions = {}): Promise<CollectorService> {
  const config = loadCollectorConfig({
    REDIS_URL: testServers().collectorRedisUrl,
    COLLECTOR_ALLOW_ADDRESSES: '127.0.0.1',
    COLLECTOR_DELAY_SECONDS: '0',
    ...env,
  });
  const stopping = new AbortController();
  const parts = composeCollector(
    config,
    { logger: silentLogger, stopping: stopping.signal },
    { resolve: resolvePages, reader, ...replaced },
  );
  const handle = createApp(parts.app).callback();
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ask: CollectorService['ask'] = async (method, path, body) => {
    const secret = env['COLLECTOR_SECRET'];
    const response = await fetch(`${baseUrl}${path}`, {
      method,
      redirect: 'manual',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: {
        'content-type': 'application/json',
        ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
      },
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return {
      status: response.status,
      body: isJson ? JSON.parse(text) : text,
      headers: response.headers,
    };
  };
  await until('the collector is ready', async () => (await ask('GET', '/readyz')).status === 200);
  return {
    baseUrl,
    ask,
    async collect(url, sourceType = 'web') {
      const created = await ask('POST', '/api/v1/collections', { url, source_type: sourceType });
      if (created.status !== 201) {
        return { ...created, id: '' };
      }
      const { id } = created.body;
      await ask('GET', `/api/v1/collections/${id}/compliance`);
      return { ...(await ask('POST', `/api/v1/collections/${id}/collect`)), id };
    },
    stop: () => {
      stopping.abort();
    },
    async close() {
      stopping.abort();
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      });
      parts.close();
    },
  };
}
