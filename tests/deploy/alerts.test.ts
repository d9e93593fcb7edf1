/** Each alert fires when it should and only then, and leads to a page that says what to do. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { ALERTS_FILE, readAlerts } from '../support/alerts.js';
import { describeWith } from '../support/needed-tool.js';
import { PROMTOOL } from '../support/prometheus.js';
import { createTestDb, type TestDb } from '../support/servers.js';

const runFile = promisify(execFile);

interface Case {
  /** Series as promtool writes them, one value a minute: `5x9` is ten times a five. */
  readonly series: Readonly<Record<string, string>>;
  /** A minute at which all is well, and one at which the alert is on. */
  readonly quietAt: number;
  readonly firesAt: number;
}

const API = 'job="agentforge-api"';
const WORKER = 'job="agentforge-worker"';

/** Ten good minutes, then a histogram of which all new samples lie between two bounds. */
function slowFrom(name: string, labels: string, [fast, slow]: readonly [string, string]) {
  return {
    [`${name}_bucket{${labels},le="${fast}"}`]: '0+60x10 600x30',
    [`${name}_bucket{${labels},le="${slow}"}`]: '0+60x40',
    [`${name}_bucket{${labels},le="+Inf"}`]: '0+60x40',
  };
}

const CASES: Readonly<Record<string, Case>> = {
  AgentForgeApiDown: {
    series: {
      [`up{${API},instance="a"}`]: '1x9 0x20',
      [`up{${API},instance="b"}`]: '0x9 1x5 0x20', // one of two is enough
    },
    quietAt: 13,
    firesAt: 18,
  },
  AgentForgeWorkersDown: {
    series: { [`up{${WORKER},instance="a"}`]: '1x9 _x20' },
    quietAt: 9,
    firesAt: 17,
  },
  AgentForgeTemporalDown: {
    series: { 'up{job="temporal",instance="a"}': '1x9 0x20' },
    quietAt: 9,
    firesAt: 12,
  },
  AgentForgeCollectorDown: {
    series: { 'up{job="agentforge-collector",instance="a"}': '1x9 0x20' },
    quietAt: 12,
    firesAt: 16,
  },
  AgentForgeStoreAway: {
    series: {
      [`pipelines_active{${WORKER},instance="a",status="running"}`]: `3x9${' NaN'.repeat(20)}`,
      [`pipelines_active{${WORKER},instance="a",status="pending"}`]: `0x9${' NaN'.repeat(20)}`,
    },
    quietAt: 9,
    firesAt: 12,
  },
  AgentForgeInstanceDown: {
    series: {
      [`up{${API},instance="a"}`]: '1x40',
      [`up{${API},instance="b"}`]: '1x9 0x30',
    },
    quietAt: 15,
    firesAt: 25,
  },
  AgentForgeProcessRestarts: {
    series: {
      [`process_start_time_seconds{${WORKER},instance="a"}`]: '100x9 700x4 960x20',
    },
    quietAt: 12,
    firesAt: 16,
  },
  AgentForgeApiSlow: {
    series: {
      ...slowFrom('http_request_duration_seconds', `${API},endpoint="/api/v1/stats"`, ['0.1', '5']),
      // a caller who starts a run waits for its end: that is no slowness
      ...slowFrom('http_request_duration_seconds', `${API},endpoint="/api/v1/pipelines/execute"`, [
        '0.05',
        '10',
      ]),
    },
    quietAt: 10,
    firesAt: 30,
  },
  AgentForgeLoopHeld: {
    series: {
      [`agentforge_loop_held_total{${API},loop="main"}`]: '0x3 1x6 2x30', // of which one was short
      [`agentforge_loop_held_seconds_count{${API},loop="main"}`]: '0x3 1x6 2x30',
      [`agentforge_loop_held_seconds_bucket{${API},loop="main",le="5"}`]: '0x3 1x40',
    },
    quietAt: 9,
    firesAt: 14,
  },
  'AgentForgeLoopHeld (a workflow)': {
    series: {
      [`agentforge_loop_held_total{${WORKER},loop="workflow"}`]: '0x9 1 2 3 4 5x20',
      [`agentforge_loop_held_seconds_count{${WORKER},loop="workflow"}`]: '0x9 1 2 3 4 5x20',
      [`agentforge_loop_held_seconds_bucket{${WORKER},loop="workflow",le="5"}`]: '0x9 1 2 3 4 5x20',
    },
    quietAt: 9,
    firesAt: 15,
  },
  AgentForgeWorkWaits: {
    series: slowFrom('activity_queue_seconds', `${WORKER},activity="runAgent"`, ['0.1', '30']),
    quietAt: 10,
    firesAt: 25,
  },
  AgentForgeModelSlow: {
    series: slowFrom(
      'llm_request_duration_seconds',
      `${WORKER},provider="openai",model="gpt-4o-mini"`,
      ['5', '60'],
    ),
    quietAt: 10,
    firesAt: 35,
  },
  AgentForgeTemporalSlow: {
    series: slowFrom('persistence_latency', 'job="temporal",operation="UpdateShard"', [
      '0.01',
      '2',
    ]),
    quietAt: 10,
    firesAt: 30,
  },
  AgentForgeApiFails: {
    series: {
      [`http_requests_total{${API},status="200"}`]: '0+60x40',
      [`http_requests_total{${API},status="404"}`]: '0+60x40',
      [`http_requests_total{${API},status="503"}`]: '0x9 0+20x30',
    },
    quietAt: 9,
    firesAt: 25,
  },
  AgentForgeStrayErrors: {
    series: { [`agentforge_stray_errors_total{${API},instance="a"}`]: '0x9 1x30' },
    quietAt: 9,
    firesAt: 14,
  },
  AgentForgeRunsFail: {
    series: {
      [`pipeline_executions_total{${WORKER},status="completed"}`]: '0+1x60',
      [`pipeline_executions_total{${WORKER},status="failed"}`]: '0x9 0+1x50',
    },
    quietAt: 9,
    firesAt: 40,
  },
  AgentForgeCodeBreaksWorkflows: {
    series: {
      'temporal_workflow_task_execution_failed_total{job="agentforge-sdk",failure_reason="WorkflowError"}':
        '0+1x40',
      'temporal_workflow_task_execution_failed_total{job="agentforge-sdk",failure_reason="NonDeterminismError"}':
        '_x10 1x20',
    },
    quietAt: 9,
    firesAt: 14,
  },
  AgentForgeInternalErrors: {
    series: {
      [`internal_errors_total{${WORKER},where="turn"}`]: '_x10 1x20',
      [`activity_failures_total{${WORKER},activity="runAgent"}`]: '0+1x40',
    },
    quietAt: 9,
    firesAt: 14,
  },
  AgentForgeInputsRejected: {
    series: {
      [`temporal_inputs_rejected_total{${WORKER},instance="a",kind="signal",reason="unsealed"}`]:
        '_x10 1x20',
      [`activity_failures_total{${WORKER},activity="runAgent"}`]: '0+1x40',
    },
    quietAt: 9,
    firesAt: 14,
  },
  AgentForgeVendorFails: {
    series: {
      [`llm_requests_total{${WORKER},provider="openai",model="m"}`]: '0+10x9 90x30',
      [`llm_errors_total{${WORKER},provider="openai",code="model-unavailable"}`]: '0x9 0+10x30',
      [`llm_requests_total{${WORKER},provider="google",model="m"}`]: '0+10x40',
    },
    quietAt: 9,
    firesAt: 25,
  },
  AgentForgeCircuitOpen: {
    series: {
      [`llm_circuits{${WORKER},instance="a",provider="openai",state="open"}`]: '0x9 1x30',
      [`llm_circuits{${WORKER},instance="b",provider="openai",state="open"}`]: '0x9 1x30',
    },
    quietAt: 15,
    firesAt: 25,
  },
  AgentForgeRulesAnswer: {
    series: {
      [`discussion_rule_fallbacks_total{${WORKER},purpose="designs",reason="over-budget"}`]:
        '0+60x60',
      [`discussion_rule_fallbacks_total{${WORKER},purpose="designs",reason="model-unavailable"}`]:
        '0x9 0+60x50',
    },
    quietAt: 9,
    firesAt: 40,
  },
  AgentForgeSpendsMuch: {
    series: {
      [`llm_cost_dollars_total{${WORKER},provider="openai",model="m"}`]: '0+0.1x60 6+5x30',
    },
    quietAt: 60,
    firesAt: 80,
  },
  AgentForgeSpendsMoreThanUsual: {
    series: {
      [`llm_cost_dollars_total{${WORKER},provider="openai",model="m"}`]: '0+0.02x1560 31.2+0.4x90',
    },
    quietAt: 1_560,
    firesAt: 1_620,
  },
  AgentForgeBudgetsRefuse: {
    series: { [`llm_budget_refusals_total{${WORKER}}`]: '0x60 0+2x60' },
    quietAt: 60,
    firesAt: 90,
  },
};

const alerts = readAlerts();

/** In the form of promtool's own tests; JSON is YAML. */
function fileOf(alert: string, { series, quietAt, firesAt }: Case): string {
  const count = `count(ALERTS{alertname="${alert}", alertstate="firing"})`;
  return JSON.stringify({
    rule_files: [resolve(ALERTS_FILE)],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        promql_expr_test: [
          { expr: count, eval_time: `${quietAt}m`, exp_samples: [] },
          { expr: count, eval_time: `${firesAt}m`, exp_samples: [{ labels: '{}', value: 1 }] },
        ],
      },
    ],
  });
}

describeWith(PROMTOOL, 'the alert rules', (promtool) => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'alerts-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('are what Prometheus takes', async () => {
    await runFile(promtool, ['check', 'rules', ALERTS_FILE]);
    const config = ['check', 'config', 'deploy/prometheus/prometheus.yml'];
    await runFile(promtool, config);
  });

  test.each([...alerts.map(({ alert }) => alert), 'AgentForgeLoopHeld (a workflow)'])(
    '%s fires when it should, and not before',
    async (title) => {
      const example = CASES[title];
      const [alert = ''] = title.split(' ');
      if (example === undefined) {
        throw new Error(`${alert} has no test`);
      }
      const file = join(folder, `${alert}.json`);
      writeFileSync(file, fileOf(alert, example));
      await runFile(promtool, ['test', 'rules', file]).catch((error: unknown) => {
        throw new Error(JSON.stringify(error, null, 1).replaceAll('\\n', '\n'));
      });
    },
  );
});

const SECTIONS = ['What it means', 'What to look at', 'What to do'];

test.each(alerts)('$alert leads to a page that says what to do', ({ alert, annotations }) => {
  const page = readFileSync(annotations.runbook, 'utf8');
  expect(page).toMatch(new RegExp(`^# ${alert}\n`));
  expect([...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual(SECTIONS);
});

test('every page belongs to an alert', () => {
  const pages = readdirSync('docs/runbooks').filter((file) => file !== 'README.md');
  const linked = alerts.map(({ annotations }) => annotations.runbook.replace('docs/runbooks/', ''));
  expect(pages.sort()).toEqual(linked.sort());
  const index = readFileSync('docs/runbooks/README.md', 'utf8');
  for (const page of pages) {
    expect(index).toContain(`](${page})`);
  }
});

describe('the questions that the pages ask the database', () => {
  const asked = readdirSync('docs/runbooks').flatMap((file) => {
    const page = readFileSync(join('docs/runbooks', file), 'utf8');
    return [...page.matchAll(/`(select [^`]* from [^`]*)`/g)].map(([, query]) => [file, query]);
  });
  let testDb: TestDb;
  beforeAll(async () => {
    testDb = await createTestDb();
  });
  afterAll(() => testDb.drop());

  test.each(asked)('%s: %s', async (_, query = '') => {
    await sql.raw(query).execute(testDb.db);
  });
});
