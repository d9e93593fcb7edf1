import { Registry } from 'prom-client';
import { watchLive } from '../../telemetry/live-metrics.js';

async function pageWith(counts: Parameters<typeof watchLive>[1]): Promise<string> {
  const registry = new Registry();
  watchLive(registry, counts);
  return registry.metrics();
}

test('the page reads the present values', async () => {
  const page = await pageWith({
    countRuns: () => Promise.resolve({ pending: 1, running: 4 }),
    countDiscussions: () => Promise.resolve(7),
    countCircuits: () => Promise.resolve([{ provider: 'openai', open: 2, halfOpen: 1 }]),
    readServerKeyDay: () => Promise.resolve([{ provider: 'openai', totalCost: '1.250000000000' }]),
  });
  expect(page).toContain('pipelines_active{status="pending"} 1');
  expect(page).toContain('pipelines_active{status="running"} 4');
  expect(page).toContain('discussions_active 7');
  expect(page).toContain('llm_circuits{provider="openai",state="open"} 2');
  expect(page).toContain('llm_circuits{provider="openai",state="half-open"} 1');
  expect(page).toContain('llm_server_key_day_dollars{provider="openai"} 1.25');
});

test('what cannot be known now is NaN, and the page does not wait for it', async () => {
  const page = await pageWith({
    countRuns: () => Promise.reject(new Error('postgres is away')),
    countDiscussions: () => new Promise(() => undefined),
    countCircuits: () => Promise.reject(new Error('redis is away')),
    readServerKeyDay: () => Promise.reject(new Error('postgres is away')),
  });
  expect(page).toContain('pipelines_active{status="running"} Nan');
  expect(page).toContain('discussions_active Nan');
  expect(page).not.toContain('llm_circuits{');
  expect(page).not.toContain('llm_server_key_day_dollars{');
});
