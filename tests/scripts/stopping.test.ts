import { STOPPING } from '../../scripts/embedded/stopping.js';

test('what the parts of a stop may take together leaves time for killing all of them', () => {
  const all = Object.values(STOPPING).reduce((sum, { stopTimeoutMs }) => sum + stopTimeoutMs, 0);
  expect(all).toBeLessThan(18_000);
});
