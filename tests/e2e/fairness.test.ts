/** The order of runs when every activity slot of the workers is in use. */
import { temporal as protocol } from '@temporalio/proto';
import type { Role } from '../../domain/account/permissions.js';
import type { TemporalClient } from '../../temporal/connection.js';
import { enter } from '../support/newcomers.js';
import { temporalOf } from '../support/temporal.js';
import { until } from '../support/until.js';
import { completions, startVendorProduct, type VendorProduct } from '../support/vendor-product.js';

let fixture: VendorProduct;
let temporal: TemporalClient;
beforeAll(async () => {
  fixture = await startVendorProduct({
    env: {
      SIMULATED_MODELS: 'false',
      DEFAULT_LLM_PROVIDER: 'openai',
      OPENAI_API_KEY: 'sk-stand-in',
      WORKER_MAX_ACTIVITIES: '1',
    },
  });
  temporal = await temporalOf(fixture.product);
});
afterAll(async () => {
  await temporal.close();
  await fixture.close();
});

const called = () =>
  completions(fixture.vendors).map(({ prompt }) => /does (\w+)/.exec(prompt)?.[1]);

/** A run of someone new: an agent, and then as many of the same name at once. */
async function order(role: Role, name: string, width: number): Promise<void> {
  const person = await enter(fixture.product, role);
  const agent = { role: 'analyzer', llm_model: 'gpt-4o-mini', description: `does ${name}` };
  const names = Array.from({ length: width }, (_, index) => `${name} ${index}`);
  const design = {
    name,
    description: 'Something to do',
    agents: [name, ...names].map((it) => ({ ...agent, name: it })),
    edges: names.map((target) => ({ source: name, target })),
  };
  const later = { prefer: 'respond-async' };
  const { status } = await person.ask('POST', '/pipelines/execute', { design }, later);
  expect(status).toBe(202);
}

/** The run that is worked on does not wait any more. */
async function untilWaiting(agents: number): Promise<void> {
  const { workflowService, options } = temporal.client;
  await until(`${agents} agents wait`, async () => {
    const { stats } = await workflowService.describeTaskQueue({
      namespace: options.namespace,
      taskQueue: { name: fixture.product.env['TEMPORAL_TASK_QUEUE'] ?? '' },
      taskQueueType: protocol.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
      reportStats: true,
    });
    return Number(stats?.approximateBacklogCount) === agents;
  });
}

test('a higher tier goes first, and within a tier no user queues behind another one’s crowd', async () => {
  const hold = Promise.withResolvers<null>();
  fixture.vendors.setBehaviour(() =>
    called().filter((name) => name === 'crowd').length === 2
      ? { kind: 'answer', hold: hold.promise }
      : undefined,
  );
  await order('free', 'crowd', 19);
  await until('one of them is worked on', () => called().length === 2);
  await order('free', 'fellow', 0);
  await order('pro', 'payer', 0);
  await untilWaiting(20);
  hold.resolve(null);
  await until('all are served', () => called().length >= 22);
  const next = called().slice(2);
  expect(next[0]).toBe('payer');
  expect(next.indexOf('fellow')).toBeLessThanOrEqual(2);
});
