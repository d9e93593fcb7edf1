import { forkNameOf } from '../../../domain/design/templates.js';

test.each([
  ['T', 'T (fork)'],
  ['T (fork)', 'T (fork) (fork)'],
  ['x'.repeat(248), `${'x'.repeat(248)} (fork)`],
  ['x'.repeat(255), `${'x'.repeat(248)} (fork)`],
  [`${'x'.repeat(247)}🙂🙂`, `${'x'.repeat(247)}🙂 (fork)`],
])('the fork of %s is named %s', (name, fork) => {
  expect(forkNameOf(name)).toBe(fork);
});
