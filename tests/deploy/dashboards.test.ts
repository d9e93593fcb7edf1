/** A real Prometheus reads the live product; every panel of every dashboard shows something. */
import { readFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { resolve, join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { parse } from 'yaml';
import { z } from 'zod';
import { ALERTS_FILE, readAlerts, readPanelQueries, type PanelQuery } from '../support/alerts.js';
import { describeWith } from '../support/needed-tool.js';
import { startPages, type Pages } from '../support/pages.js';
import { register, type Person } from '../support/person.js';
import { PROMETHEUS, startPrometheus, type RunningPrometheus } from '../support/prometheus.js';
import { until } from '../support/until.js';
import { registerKeys, startVendorProduct, type VendorProduct } from '../support/vendor-product.js';
import { findFreePort, LOCAL_HOST } from '../../scripts/embedded/ports.js';
import { sendSignal, type ServerProcess } from '../../scripts/embedded/process.js';
import { findTool, TEMPORAL_TOOL } from '../../scripts/embedded/python-tools.js';
import { chosenTemporal } from '../../scripts/embedded/temporal-choice.js';
import { findTemporalPrograms } from '../../scripts/embedded/temporal-programs.js';
import { startTemporalServer } from '../../scripts/embedded/temporal-server.js';
import { startTemporal } from '../../scripts/embedded/temporal.js';
import { DYNAMIC_CONFIG_FILE } from '../../scripts/embedded/temporary.js';
import { administer, testServers } from '../support/servers.js';

const ScrapeFile = z.looseObject({
  scrape_configs: z.array(
    z.looseObject({ job_name: z.string(), dns_sd_configs: z.array(z.unknown()) }),
  ),
});

/** The file of docker-compose.yml, with this machine's addresses and in more of a hurry. */
function configFor(pages: ObservedProduct['pages']): string {
  const file = ScrapeFile.parse(parse(readFileSync('deploy/prometheus/prometheus.yml', 'utf8')));
  const jobs = file.scrape_configs.map(({ dns_sd_configs: _, ...job }) => ({
    ...job,
    static_configs: [{ targets: [Object.entries(pages).find(([it]) => it === job.job_name)?.[1]] }],
  }));
  return JSON.stringify({
    ...file,
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [resolve(ALERTS_FILE)],
    scrape_configs: jobs,
  });
}

/** As Grafana fills it in, for samples that are a second apart. */
const filledIn = (expr: string): string => expr.replaceAll('$__rate_interval', '10s');

/** Appears when the first workflow task fails, and is not to. */
const UNSEEN = ['temporal_workflow_task_execution_failed_total'];

function metricsIn(expr: string): readonly string[] {
  const named = [...expr.matchAll(/\b([a-z][a-z0-9_]+)(?=[{[])/g)].map(([, name]) => name ?? '');
  return named.filter((name) => name !== 'ALERTS' && !UNSEEN.includes(name));
}

describeWith(PROMETHEUS, 'the dashboards', (program) => {
  let fixture: ObservedProduct;
  let prometheus: RunningPrometheus | undefined;
  let pages: Pages;
  beforeAll(async () => {
    pages = await startPages();
    pages.set('/reviews', { body: '<title>Reviews</title><p>The app is fast.' });
    fixture = await startObservedProduct({
      SIMULATED_MODELS: 'false',
      COLLECTOR_ALLOW_ADDRESSES: `127.0.0.1:${pages.port}`,
    });
    prometheus = await startPrometheus(program, configFor(fixture.pages));
  });
  afterAll(async () => {
    await prometheus?.stop();
    await fixture.close();
    await pages.close();
  });

  function running(): RunningPrometheus {
    if (prometheus === undefined) {
      throw new Error('Prometheus has not started');
    }
    return prometheus;
  }

  async function newcomer(): Promise<Person> {
    const person = await register(fixture.product.url);
    await registerKeys(person, ['openai', 'anthropic']);
    return person;
  }

  /** A run that collects, meets a vendor's errors and ends; a discussion that only rules can answer. */
  async function playScene(): Promise<void> {
    const [runner, talker] = await Promise.all([newcomer(), newcomer()]);
    let calls = 0;
    fixture.vendors.setBehaviour(({ key }) => {
      calls += key.includes(runner.userId) ? 1 : 0;
      const fails = key.includes(talker.userId) || calls <= 2;
      return fails ? { kind: 'status', status: 500 } : undefined;
    });
    const agents = [
      {
        name: 'finder',
        role: 'collector',
        description: `reads http://127.0.0.1:${pages.port}/reviews`,
      },
      { name: 'writer', role: 'reporter', description: 'writes', retry_count: 2 },
    ].map((agent) => ({ ...agent, llm_model: 'gpt-4o-mini' }));
    const design = { name: 'A design', description: 'Something to do', agents };
    const chat = await talker.chat(await talker.startConversation());
    const [{ body }] = await Promise.all([
      runner.ask('POST', '/pipelines/execute', { design }),
      chat.say('Compare three podcast apps and write a report'),
    ]);
    expect(body.status).toBe('completed');
    await chat.close();
  }

  async function showsNothing({ expr }: PanelQuery): Promise<boolean> {
    const samples = await running().query(filledIn(expr));
    return !samples.some(({ value }) => Number.isFinite(value));
  }

  test('show something in every panel, once things have happened', async () => {
    let empty = readPanelQueries();
    expect(empty.length).toBeGreaterThan(30);
    const seen = async (): Promise<boolean> => {
      await playScene();
      const now = await Promise.all(
        empty.map(async (it) => ((await showsNothing(it)) ? [it] : [])),
      );
      empty = now.flat();
      return empty.length === 0;
    };
    await until('every panel shows something', seen).catch((error: unknown) => {
      throw new Error(`${String(error)}; empty: ${JSON.stringify(empty, null, 1)}`);
    });
  });

  test('and the alerts ask only for what is measured', async () => {
    const known = Object.keys(await running().ask('/api/v1/metadata'));
    const asked = [...readPanelQueries(), ...readAlerts()].flatMap(({ expr }) => metricsIn(expr));
    const isKnown = (name: string): boolean =>
      known.includes(name) || known.includes(name.replace(/_(?:bucket|count|sum)$/, ''));
    expect(new Set(asked.filter((name) => name !== 'up' && !isKnown(name)))).toEqual(new Set());
  });

  test('every page is read, and a metric on two pages is counted once', async () => {
    const up = await running().query('up');
    expect(up.map(({ metric, value }) => [metric['job'], value]).sort()).toEqual(
      Object.keys(fixture.pages)
        .map((job) => [job, 1])
        .sort(),
    );
    const [{ value } = { value: 0 }] = await running().query(
      'count(count by (job) (llm_requests_total))',
    );
    expect(value).toBe(1);
  });

  test('all alert rules are evaluated, and none is on while all is well', async () => {
    const { groups } = await running().ask('/api/v1/rules');
    const rules = groups.flatMap((group: any) => group.rules);
    expect(rules).toHaveLength(readAlerts().length);
    expect(rules.filter((rule: any) => rule.health !== 'ok')).toEqual([]);
    const critical = rules.filter((rule: any) => rule.labels.severity === 'critical');
    expect(critical.filter((rule: any) => rule.state === 'firing')).toEqual([]);
  });
});

/** The jobs of deploy/prometheus/prometheus.yml. */
type Job =
  'agentforge-api' | 'agentforge-worker' | 'agentforge-sdk' | 'agentforge-collector' | 'temporal';

interface ObservedProduct extends VendorProduct {
  /** `host:port` of each page. */
  readonly pages: Readonly<Record<Job, string>>;
}

const TOOLS = resolve(process.env['AGENTFORGE_HOME'] ?? '.agentforge', 'tools');

async function startObservedProduct(
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
