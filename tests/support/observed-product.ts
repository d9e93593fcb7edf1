/** The product with everything that it measures, on a Temporal server of its own. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findFreePort, LOCAL_HOST } from '../../scripts/embedded/ports.js';
import { sendSignal, type ServerProcess } from '../../scripts/embedded/process.js';
import { findTool, TEMPORAL_TOOL } from '../../scripts/embedded/python-tools.js';
import { chosenTemporal } from '../../scripts/embedded/temporal-choice.js';
import { findTemporalPrograms } from '../../scripts/embedded/temporal-programs.js';
import { startTemporalServer } from '../../scripts/embedded/temporal-server.js';
import { startTemporal } from '../../scripts/embedded/temporal.js';
import { DYNAMIC_CONFIG_FILE } from '../../scripts/embedded/temporary.js';
import { administer, testServers } from './servers.js';
import { startVendorProduct, type VendorProduct } from './vendor-product.js';

/** The jobs of deploy/prometheus/prometheus.yml. */
export type Job =
  'agentforge-api' | 'agentforge-worker' | 'agentforge-sdk' | 'agentforge-collector' | 'temporal';

export interface ObservedProduct extends VendorProduct {
  /** `host:port` of each page. */
  readonly pages: Readonly<Record<Job, string>>;
}

const TOOLS = resolve(process.env['AGENTFORGE_HOME'] ?? '.agentforge', 'tools');

export async function startObservedProduct(
  env: Readonly<Record<string, string>> = {},
): Promise<ObservedProduct> {
  const [temporal, metrics, worker, sdk, collector] = (await Promise.all(
    Array.from({ length: 5 }, () => findFreePort()),
  )) as [number, number, number, number, number];
  const home = mkdtempSync(join(tmpdir(), 'observed-'));
  mkdirSync(join(home, 'logs'));
  const { server, dropDatabases } = await startObservedTemporal({
    home,
    port: temporal,
    metricsPort: metrics,
  });
  const killServer = (): void => {
    sendSignal(-server.pid, 'SIGKILL');
  };
  process.once('exit', killServer); // it must not outlive a test run that is broken off
  const fixture = await startVendorProduct({
    env: {
      TEMPORAL_ADDRESS: `${LOCAL_HOST}:${temporal}`,
      WORKER_METRICS_PORT: String(worker),
      WORKER_SDK_METRICS_PORT: String(sdk),
      WORKER_METRICS_URL: `http://${LOCAL_HOST}:${worker}/metrics`,
      COLLECTOR_PORT: String(collector),
      DATA_COLLECTOR_URL: `http://${LOCAL_HOST}:${collector}`,
      COLLECTOR_DELAY_SECONDS: '0',
      ...env,
    },
  });
  await fixture.product.startCollector();
  return {
    ...fixture,
    pages: {
      'agentforge-api': new URL(fixture.product.url).host,
      'agentforge-worker': `${LOCAL_HOST}:${worker}`,
      'agentforge-sdk': `${LOCAL_HOST}:${sdk}`,
      'agentforge-collector': `${LOCAL_HOST}:${collector}`,
      temporal: `${LOCAL_HOST}:${metrics}`,
    },
    async close() {
      await fixture.close();
      process.off('exit', killServer);
      await server.stop();
      await dropDatabases();
      rmSync(home, { recursive: true });
    },
  };
}

interface ObservedTemporal {
  readonly server: ServerProcess;
  dropDatabases(): Promise<void>;
}

/** Of the kind that the tests run against. */
async function startObservedTemporal(options: {
  readonly home: string;
  readonly port: number;
  readonly metricsPort: number;
}): Promise<ObservedTemporal> {
  const how = { toolsDir: TOOLS, say: () => undefined };
  if (chosenTemporal() === 'dev') {
    const program = await findTool(TEMPORAL_TOOL, how);
    const server = await startTemporal({ ...options, program, ui: null, synchronous: 'OFF' });
    return { server, dropDatabases: () => Promise.resolve() };
  }
  const databases = `observed_${randomUUID().replaceAll('-', '')}`;
  const server = await startTemporalServer({
    ...options,
    databases,
    programs: await findTemporalPrograms(how),
    databaseUrl: testServers().databaseUrl,
    dynamicConfigFile: DYNAMIC_CONFIG_FILE,
  });
  return {
    server,
    async dropDatabases() {
      await administer(`drop database ${databases} with (force)`);
      await administer(`drop database ${databases}_visibility with (force)`);
    },
  };
}
