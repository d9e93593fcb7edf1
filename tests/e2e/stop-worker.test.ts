/** A worker that gets SIGTERM ends before its supervisor would kill it. */
import { register } from '../support/person.js';
import { until } from '../support/until.js';
import {
  completions,
  registerKeys,
  startVendorProduct,
  type VendorProduct,
} from '../support/vendor-product.js';

/** A call may last twice as long, and so would a worker that waited for it. */
const CALL_MS = 60_000;

let fixture: VendorProduct;
beforeAll(async () => {
  fixture = await startVendorProduct();
});
afterAll(() => fixture.close());

test('a call in flight is cut and its money recorded, and another worker makes it again', async () => {
  const { product, vendors } = fixture;
  const person = await register(product.url);
  await registerKeys(person, ['openai']);
  vendors.setBehaviour({ kind: 'hang' });
  const agents = [{ name: 'a', role: 'analyzer', llm_model: 'gpt-4o', description: 'does a' }];
  const design = { name: 'Hangs', description: 'at first', agents };
  const run = person.ask('POST', '/pipelines/execute', { design });
  const calls = () => completions(vendors, person.userId);
  await until('the call hangs', () => calls().length === 1);

  const [worker] = product.workers;
  const askedAt = Date.now();
  expect(await worker?.stop()).toBe(0);
  expect(Date.now() - askedAt).toBeLessThan(CALL_MS);
  expect(calls()).toMatchObject([{ aborted: true }]);
  const { state } = await product.db
    .selectFrom('costLedger')
    .select('state')
    .where('userId', '=', person.userId)
    .executeTakeFirstOrThrow();
  expect(state).toBe('unknown');

  vendors.setBehaviour();
  await product.startWorker();
  expect(await run).toMatchObject({ status: 200, body: { status: 'completed' } });
});
