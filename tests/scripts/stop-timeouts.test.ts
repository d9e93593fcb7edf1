import { STOP_TIMEOUTS_MS } from '../../scripts/embedded/stop-timeouts.js';

test('a stop takes less than 20 s, even if every part has to be killed', () => {
  const all = Object.values<number>(STOP_TIMEOUTS_MS).reduce((sum, each) => sum + each);
  expect(all).toBeLessThan(20_000);
});
