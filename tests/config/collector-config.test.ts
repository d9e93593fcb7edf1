import { loadCollectorConfig } from '../../config/collector-config.js';
import { ConfigError, loadConfig } from '../../config/config.js';

const ENV = { REDIS_URL: 'redis://redis:6379/0' };

test('the collector needs Redis, and of what is secret its own alone', () => {
  expect(loadCollectorConfig(ENV)).toEqual({
    redisUrl: 'redis://redis:6379/0',
    logLevel: 'info',
    host: '127.0.0.1',
    secret: null,
    port: 8_001,
    allowed: [],
    delayMs: 2_000,
    crawlTimeoutMs: 30_000,
    maxBodyBytes: 5 * 1_024 * 1_024,
    watchdog: { heldMs: 5_000, exitMs: 60_000 },
  });
  expect(() => loadCollectorConfig({})).toThrow(ConfigError);
  expect(() => loadCollectorConfig({})).toThrow('REDIS_URL');
});

test.each([
  ['COLLECTOR_ALLOW_ADDRESSES', 'http://10.0.0.1'],
  ['COLLECTOR_DELAY_SECONDS', '60'],
  ['COLLECTOR_TIMEOUT_SECONDS', '31'],
  ['COLLECTOR_MAX_BYTES', '10'],
  ['COLLECTOR_PORT', '70000'],
])('%s may not be %s', (name, value) => {
  expect(() => loadCollectorConfig({ ...ENV, [name]: value })).toThrow(name);
});

test('the worker allows what its collector allows', () => {
  const env = {
    ...ENV,
    DATABASE_URL: 'postgresql://db/agentforge',
    TEMPORAL_ADDRESS: 'temporal:7233',
    DEBUG: 'true',
  };
  expect(loadConfig(env).collectorAllowed).toEqual([]);
  const allowing = { ...env, COLLECTOR_ALLOW_ADDRESSES: '10.0.0.0/8:8080' };
  expect(loadConfig(allowing).collectorAllowed).toEqual([
    { host: { bytes: [10, 0, 0, 0], bits: 8 }, port: 8_080 },
  ]);
  const mistaken = { ...env, COLLECTOR_ALLOW_ADDRESSES: 'a b' };
  expect(() => loadConfig(mistaken)).toThrow('COLLECTOR_ALLOW_ADDRESSES');
});
