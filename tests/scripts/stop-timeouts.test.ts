import { STOP_TIMEOUTS_MS } from '../../scripts/embedded/stop-timeouts.js';

test('what the parts of a stop may take together leaves time for killing all of them', () => {
  const all = Object.values<number>(STOP_TIMEOUTS_MS).reduce((sum, each) => sum + each);
  expect(all).toBeLessThan(18_000);
});
