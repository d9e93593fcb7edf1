/** The product with everything that it measures, on a Temporal server of its own. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findFreePort, LOCAL_HOST } from '../../scripts/embedded/ports.js';
import { sendSignal } from '../../scripts/embedded/process.js';
import { findTool, TEMPORAL_TOOL } from '../../scripts/embedded/python-tools.js';
import { startTemporal } from '../../scripts/embedded/temporal.js';
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
  const server = await startTemporal({
    home,
    program: await findTool(TEMPORAL_TOOL, { toolsDir: TOOLS, say: () => undefined }),
    port: temporal,
    uiPort: null,
    metricsPort: metrics,
    synchronous: 'OFF',
  });
  const killServer = (): void => {
    sendSignal(-server.pid, 'SIGKILL');
  };
  process.once('exit', killServer); // it must not outlive a test run that is broken off
  const stage = await startVendorProduct({
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
  await stage.product.startCollector();
  return {
    ...stage,
    pages: {
      'agentforge-api': new URL(stage.product.url).host,
      'agentforge-worker': `${LOCAL_HOST}:${worker}`,
      'agentforge-sdk': `${LOCAL_HOST}:${sdk}`,
      'agentforge-collector': `${LOCAL_HOST}:${collector}`,
      temporal: `${LOCAL_HOST}:${metrics}`,
    },
    async close() {
      await stage.close();
      process.off('exit', killServer);
      await server.stop();
      rmSync(home, { recursive: true });
    },
  };
}
