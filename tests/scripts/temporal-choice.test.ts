import { TEMPORAL_VARIABLE, chosenTemporal } from '../../scripts/embedded/temporal-choice.js';

test('tests and measurements run against the dev server by default', () => {
  expect(chosenTemporal({})).toBe('dev');
  expect(chosenTemporal({ [TEMPORAL_VARIABLE]: '' })).toBe('dev');
  expect(chosenTemporal({ [TEMPORAL_VARIABLE]: 'dev' })).toBe('dev');
});

test('they run against the real server when it is asked for', () => {
  expect(chosenTemporal({ [TEMPORAL_VARIABLE]: 'server' })).toBe('server');
});

test('another value is refused with the values that there are', () => {
  expect(() => chosenTemporal({ [TEMPORAL_VARIABLE]: 'cloud' })).toThrow(
    "AGENTFORGE_TEST_TEMPORAL is 'cloud': set it to dev or server.",
  );
});
