import { createMetrics } from '../../telemetry/metrics.js';
import { createModelMetrics } from '../../telemetry/model-metrics.js';
import { createWorkerMetrics } from '../../telemetry/worker-metrics.js';

const RUN = [1, 5, 10, 30, 60, 120, 300];
const HTTP = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const LLM = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Source: contract, http §2. */
const CONTRACT: readonly (readonly [string, string, readonly string[], readonly number[]])[] = [
  ['http_requests_total', 'counter', ['method', 'endpoint', 'status'], []],
  ['http_request_duration_seconds', 'histogram', ['method', 'endpoint'], HTTP],
  ['llm_requests_total', 'counter', ['provider', 'model', 'complexity'], []],
  ['llm_tokens_total', 'counter', ['provider', 'model', 'type'], []],
  ['llm_cost_dollars_total', 'counter', ['provider', 'model'], []],
  ['llm_request_duration_seconds', 'histogram', ['provider', 'model'], LLM],
  ['pipeline_executions_total', 'counter', ['status'], []],
  ['pipeline_duration_seconds', 'histogram', [], RUN],
  ['websocket_connections_active', 'gauge', [], []],
];

const metrics = createMetrics();
const { registry } = metrics;
metrics.httpRequests.inc({ method: 'GET', endpoint: '/', status: '200' });
metrics.httpDuration.observe({ method: 'GET', endpoint: '/' }, 1);
metrics.websocketConnections.inc();
createModelMetrics(registry).answered({
  provider: 'openai',
  model: 'gpt-4o',
  complexity: 'standard',
  usage: { promptTokens: 1, completionTokens: 2 },
  costUsd: 0.5,
  seconds: 1,
});
createWorkerMetrics(registry).runEnded({ status: 'completed', durationSeconds: 2 });

test.each(CONTRACT)('%s is a %s with the labels %j', async (name, kind, labels, buckets) => {
  const page = await registry.getSingleMetricAsString(name);
  expect(page).toContain(`# TYPE ${name} ${kind}\n`);
  const samples = [...page.matchAll(/^\w+(?:\{(.*)\})? /gm)].map(([, inside = '']) =>
    [...inside.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => ({
      label,
      value,
    })),
  );
  const names = new Set(samples.flat().map(({ label }) => label));
  names.delete('le');
  expect([...names].sort()).toEqual([...labels].sort());
  const bounds = samples.flat().filter(({ label, value }) => label === 'le' && value !== '+Inf');
  expect(bounds.map(({ value }) => Number(value))).toEqual(buckets);
});
