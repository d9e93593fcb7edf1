import { settingsOf } from '../../scripts/start/settings.js';

test('what is unset or empty has its default', () => {
  const settings = settingsOf({ PORT: '', DATABASE_URL: ' ' });
  expect(settings).toMatchObject({ PORT: 8000, TEMPORAL_PORT: 7233, POSTGRES_PORT: 5433 });
  expect(settings.DATABASE_URL).toBeUndefined();
  expect(settings.home).toMatch(/\/\.agentforge$/);
});

test('a setting that cannot be used is named', () => {
  expect(() => settingsOf({ REDIS_PORT: 'none' })).toThrow('REDIS_PORT');
});
