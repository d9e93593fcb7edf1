import { embeddedPorts } from '../../scripts/start/embedded-ports.js';
import { settingsOf } from '../../scripts/start/settings.js';

const OURS = { postgres: 5433, redis: 6380, temporal: 7233 };

test.each([
  ['nothing', OURS],
  ['DATABASE_URL', { ...OURS, postgres: undefined }],
  ['REDIS_URL', { ...OURS, redis: undefined }],
  ['TEMPORAL_ADDRESS', { ...OURS, temporal: undefined }],
])('with %s given, all other parts are started here', (name, ports) => {
  expect(embeddedPorts(settingsOf({ [name]: 'elsewhere' }))).toEqual(ports);
});

test('an address that is set to nothing is none', () => {
  const empty = { DATABASE_URL: '', REDIS_URL: ' ', TEMPORAL_ADDRESS: '' };
  expect(embeddedPorts(settingsOf(empty))).toEqual(OURS);
});
