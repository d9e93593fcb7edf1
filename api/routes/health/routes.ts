/** What operators and their machines ask: alive, ready, how much. */
import { z } from 'zod';
import { DomainError } from '../../../domain/errors.js';
import type { AppDeps } from '../../deps.js';
import { DOCS_POLICY, viewDocs } from '../../http/docs/page.js';
import { isFromThisMachine, readMetricsPage } from '../../http/metrics-page.js';
import { pageSchema, textSchema } from '../../http/openapi.js';
import { stateOf } from '../../http/readiness.js';
import { defineRoute, type Route } from '../../http/route.js';
import { error } from '../../http/error-views.js';
import { healthSchema, notReadySchema, readySchema } from './views.js';

export type HealthDeps = Pick<AppDeps, 'checks' | 'metrics' | 'config' | 'logger'>;

/** The version that clients rely on; it is the same for all releases. Source: contract, http §2. */
const API_VERSION = '0.2.0';

/** Asked all the time by machines: neither measured nor worth a line each. */
export const QUIET_PATHS = ['/metrics', '/health', '/api/v1/health', '/readyz'];

export function createHealthRoutes(deps: HealthDeps): readonly Route[] {
  return [
    healthRoute({ atRoot: true }),
    healthRoute({ atRoot: false }),
    readyRoute(deps),
    metricsRoute(deps),
  ];
}

const OPEN = { method: 'GET', tag: 'operation', auth: 'none', atRoot: true } as const;

function healthRoute({ atRoot }: { atRoot: boolean }): Route {
  return defineRoute(
    {
      ...OPEN,
      atRoot,
      path: '/health',
      summary: 'Whether the process is alive',
      responses: { 200: { description: 'It is', schema: healthSchema } },
    },
    () => ({
      status: 200,
      body: {
        status: 'healthy' as const,
        version: API_VERSION,
        timestamp: new Date().toISOString(),
      },
    }),
  );
}

function readyRoute({ checks }: HealthDeps): Route {
  return defineRoute(
    {
      ...OPEN,
      path: '/readyz',
      summary: 'Whether the process can serve requests',
      responses: {
        200: { description: 'All parts are up', schema: readySchema },
        503: { description: 'Names the parts that are down', schema: notReadySchema },
      },
    },
    async () => {
      const [postgres, redis, temporal] = await Promise.all([
        stateOf(checks.postgres),
        stateOf(checks.redis),
        stateOf(checks.temporal),
      ]);
      const parts = { postgres, redis, temporal };
      const down = Object.entries(parts).flatMap(([name, state]) =>
        state === 'down' ? [name] : [],
      );
      return down.length === 0
        ? { status: 200, body: { status: 'ready' as const, parts } }
        : { status: 503, body: { detail: `Not ready, down: ${down.join(', ')}`, parts } };
    },
  );
}

function metricsRoute({ metrics, config, logger }: HealthDeps): Route {
  const { workerMetricsUrl } = config;
  return defineRoute(
    {
      ...OPEN,
      path: '/metrics',
      summary: 'Prometheus metrics, with the worker’s where it is known',
      responses: {
        200: { description: 'Text exposition', schema: textSchema },
        403: error('Only for this machine; others read METRICS_PORT'),
      },
    },
    async ({ clientIp, header }) => {
      if (!isFromThisMachine(clientIp, header)) {
        const why = 'Metrics are answered to this machine only: let Prometheus read METRICS_PORT';
        throw new DomainError('not-permitted', why);
      }
      const { type, text } = await readMetricsPage({ metrics, workerMetricsUrl, logger });
      return { status: 200, body: text, headers: { 'Content-Type': type } };
    },
  );
}

const documentSchema = z.record(z.string(), z.unknown());

/** The API's description; `describe` is called once, when all routes are known. */
export function createDescriptionRoutes(
  describe: () => Readonly<Record<string, unknown>>,
): readonly Route[] {
  let document: Record<string, unknown> | null = null;
  const read = () => (document ??= { ...describe() });
  return [documentRoute(read), docsRoute(read)];
}

function documentRoute(read: () => Record<string, unknown>): Route {
  return defineRoute(
    {
      ...OPEN,
      path: '/openapi.json',
      summary: 'This description',
      responses: { 200: { description: 'OpenAPI 3.1', schema: documentSchema } },
    },
    () => ({ status: 200, body: read() }),
  );
}

function docsRoute(read: () => Record<string, unknown>): Route {
  let page: string | null = null;
  return defineRoute(
    {
      ...OPEN,
      path: '/docs',
      summary: 'This description as a page to read',
      responses: { 200: { description: 'A page without scripts', schema: pageSchema } },
    },
    () => {
      page ??= viewDocs(read());
      const headers = {
        'Content-Type': 'text/html; charset=utf-8',
        'Content-Security-Policy': DOCS_POLICY,
      };
      return { status: 200, body: page, headers };
    },
  );
}
