/** The answer to the Web UI's "Call stack", with and without WORKER_CALL_STACKS. */
import { discussionWorkflowId } from '../../domain/ids.js';
import type { TemporalClient } from '../../temporal/connection.js';
import { register } from '../support/person.js';
import { startProduct, type Product } from '../support/product.js';
import { temporalOf } from '../support/temporal.js';

let product: Product;
let temporal: TemporalClient;
beforeAll(async () => {
  product = await startProduct();
  temporal = await temporalOf(product);
});
afterAll(async () => {
  await temporal.close();
  await product.stop();
});

/** As the SDK answers it, built in. */
const STACK_QUERY = '__stack_trace';

test('a discussion that waits shows where only if the worker takes call stacks', async () => {
  const person = await register(product.url);
  const id = await person.startConversation();
  const chat = await person.chat(id);
  expect(await chat.say('help me')).toMatchObject({ type: 'clarification' });
  const handle = temporal.client.workflow.getHandle(discussionWorkflowId(id));
  expect(await handle.query(STACK_QUERY)).toBe('');

  const [worker] = product.workers;
  await worker?.stop();
  const tracing = await product.startWorker({ WORKER_CALL_STACKS: 'true' });
  await tracing.sees('worker ready');
  expect(await handle.query(STACK_QUERY)).toContain('discussionWorkflow');
  expect(await chat.say('help me')).toMatchObject({ type: 'clarification' });

  const plainLines = worker?.lines.filter((line) => !line.startsWith('{'));
  expect(plainLines).toEqual([]);
});
