/** An outside tool tests the built product: every answer is as its description says. */
import { judgeApi } from '../../scripts/schemathesis.js';
import { register } from '../support/person.js';
import { startVendorProduct, type VendorProduct } from '../support/vendor-product.js';

let fixture: VendorProduct;
beforeAll(async () => {
  fixture = await startVendorProduct({
    env: { PIPELINE_TIMEOUT_SECONDS: '10', EVENT_STREAM_SECONDS: '2' },
  });
});
afterAll(() => fixture.close());

/** Enough for every operation, and for chains, on a busy machine, too. */
const MAX_SECONDS = { 'coverage,fuzzing': 15, stateful: 30 };
/** The same cases in every run; another seed tests others. */
const SEED = process.env['SCHEMATHESIS_SEED'] ?? '1';
const INSTALL_MS = 180_000;
const LIMIT_MS = 3 * MAX_SECONDS.stateful * 1_000 + INSTALL_MS;

/** @returns what it reports. @throws the report, where anything is wrong */
async function judge(phases: keyof typeof MAX_SECONDS): Promise<string> {
  const { product } = fixture;
  const person = await register(product.url);
  await product.db
    .updateTable('users')
    .set({ role: 'admin' }) // may call every route
    .where('id', '=', person.userId)
    .execute();
  const { exitCode, report } = await judgeApi({
    url: product.url,
    token: person.token,
    maxSeconds: MAX_SECONDS[phases],
    more: ['--phases', phases, '--seed', SEED],
  });
  if (exitCode !== 0) {
    throw new Error(report);
  }
  return report;
}

test(
  'no answer to a single request is a server error, undocumented or unlike its schema',
  async () => {
    expect(await judge('coverage,fuzzing')).toMatch(/Tested: +[1-9]/);
  },
  LIMIT_MS,
);

test(
  'nor are those to chains of requests, each made of the answer before',
  async () => {
    expect(await judge('stateful')).toMatch(/API Links: +[1-9]/);
  },
  LIMIT_MS,
);
