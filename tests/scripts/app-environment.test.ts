import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COLLECTOR_SETTINGS, loadCollectorConfig } from '../../config/collector-config.js';
import { loadApiConfig, loadWorkerConfig, SETTINGS } from '../../config/config.js';
import { SECRETS } from '../../config/process-variables.js';
import { environmentFor, environmentOf } from '../../scripts/start/app-environment.js';
import { appsOf, collectorUrl, temporalUiUrl } from '../../scripts/start/app-processes.js';
import { settingsOf } from '../../scripts/start/settings.js';

const home = mkdtempSync(join(tmpdir(), 'agentforge-environment-'));
afterAll(() => {
  rmSync(home, { recursive: true });
});

const EMBEDDED = {
  databaseUrl: 'postgresql://here/agentforge',
  redisUrl: 'redis://agentforge:one@here/0',
  collectorRedisUrl: 'redis://collector:two@here/0',
  temporalAddress: 'here:7233',
  temporalUiUrl: 'http://127.1.2.3:20000',
};

function configured(
  env: Record<string, string>,
  embedded: Partial<Record<keyof typeof EMBEDDED, null>> = {},
) {
  const settings = settingsOf({ AGENTFORGE_HOME: home, ...env });
  return { settings, env: environmentOf(settings, { ...EMBEDDED, ...embedded }) };
}

test('the worker asks the collector that is started here', () => {
  const { settings, env } = configured({ COLLECTOR_PORT: '8101' });
  expect(appsOf(settings)).toEqual(['collector', 'worker', 'api']);
  expect(env['DATA_COLLECTOR_URL']).toBe('http://127.0.0.1:8101');
  expect(env['COLLECTOR_SECRET']).toMatch(/^[0-9a-f]{64}$/);
  expect(environmentFor('collector', env)['COLLECTOR_SECRET']).toBe(env['COLLECTOR_SECRET']);
  expect(collectorUrl(configured({ COLLECTOR_HOST: '0.0.0.0' }).settings)).toBe(
    'http://127.0.0.1:8001',
  );
  expect(collectorUrl(configured({ COLLECTOR_HOST: '::1' }).settings)).toBe('http://[::1]:8001');
});

test('with a collector elsewhere none is started here', () => {
  const { settings, env } = configured({ DATA_COLLECTOR_URL: 'http://collector.example' });
  expect(appsOf(settings)).toEqual(['worker', 'api']);
  expect(env['DATA_COLLECTOR_URL']).toBe('http://collector.example');
  expect(env['COLLECTOR_SECRET']).toBe(''); // ours means nothing to a collector elsewhere
  expect(collectorUrl(settings)).toBeNull();
});

test('the collector gets what it needs, and no secret but its own', () => {
  const { env } = configured({
    PATH: '/bin',
    OPENAI_API_KEY: 'sk-secret',
    LOG_LEVEL: 'debug',
    COLLECTOR_DELAY_SECONDS: '1',
    NODE_EXTRA_CA_CERTS: '/ca.pem',
  });
  expect(environmentFor('collector', env)).toEqual({
    COLLECTOR_SECRET: env['COLLECTOR_SECRET'],
    PATH: '/bin',
    LOG_LEVEL: 'debug',
    COLLECTOR_DELAY_SECONDS: '1',
    NODE_EXTRA_CA_CERTS: '/ca.pem',
    REDIS_URL: 'redis://collector:two@here/0',
  });
  const own = configured({ REDIS_URL: 'redis://elsewhere' }, { collectorRedisUrl: null }).env;
  expect(environmentFor('collector', own)['REDIS_URL']).toBe('redis://elsewhere');
});

const VENDOR_KEYS = { OPENAI_API_KEY: 'sk-1', ANTHROPIC_API_KEY: 'sk-2', GOOGLE_API_KEY: 'AIza' };
const FOREIGN = { AWS_SECRET_ACCESS_KEY: 'x', POSTGRES_PASSWORD: 'x', NPM_TOKEN: 'x' };

test('each process gets its own secrets, and nothing that it does not read', () => {
  const { env } = configured({
    ...VENDOR_KEYS,
    ...FOREIGN,
    PATH: '/bin',
    HTTPS_PROXY: 'http://proxy',
  });
  const secretsOf = (app: 'api' | 'worker' | 'collector') =>
    Object.keys(environmentFor(app, env)).filter((name) => name in SECRETS || name in FOREIGN);
  expect(secretsOf('api').sort()).toEqual([
    'DATABASE_URL',
    'ENCRYPTION_KEY',
    'REDIS_URL',
    'SECRET_KEY',
  ]);
  expect(secretsOf('worker').sort()).toEqual([
    ...['ANTHROPIC_API_KEY', 'AUDIT_SIGNING_KEY', 'COLLECTOR_SECRET', 'DATABASE_URL'],
    'ENCRYPTION_KEY',
    ...['GOOGLE_API_KEY', 'OPENAI_API_KEY', 'REDIS_URL'],
  ]);
  expect(secretsOf('collector').sort()).toEqual(['COLLECTOR_SECRET', 'REDIS_URL']);
  expect(environmentFor('worker', env)['HTTPS_PROXY']).toBe('http://proxy');
});

test('the API gets the public half of the signing key, and that there are keys of vendors', () => {
  const { env } = configured({});
  const api = environmentFor('api', env);
  expect(api['AUDIT_PUBLIC_KEY']).toMatch(/^[0-9a-f]{64}$/);
  expect(api['SERVER_MODEL_KEYS']).toBe('');
  expect(
    environmentFor('api', configured({ GOOGLE_API_KEY: 'AIza' }).env)['SERVER_MODEL_KEYS'],
  ).toBe('google');
});

test('what processes get is enough for their configuration', () => {
  const { env } = configured(VENDOR_KEYS);
  expect(loadApiConfig(environmentFor('api', env)).models).toMatchObject({
    serverKeys: {},
    hasServerKeys: true,
  });
  expect(loadWorkerConfig(environmentFor('worker', env)).models.hasServerKeys).toBe(true);
  expect(loadCollectorConfig(environmentFor('collector', env)).redisUrl).toContain('collector:');
});

test('a setting that looks like a secret is in the table of secrets, or known to be none', () => {
  const looks = [...SETTINGS, ...COLLECTOR_SETTINGS].filter((name) =>
    /KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL|DATABASE_URL|REDIS_URL/.test(name),
  );
  const none = [
    ...['AUDIT_PUBLIC_KEY', 'AUDIT_KEYS_PREVIOUS', 'SERVER_MODEL_KEYS', 'MODEL_CALLS_PER_KEY'],
    ...['PASSWORD_COST', 'JWT_ACCESS_TOKEN_EXPIRE_MINUTES', 'JWT_REFRESH_TOKEN_EXPIRE_DAYS'],
    'SERVER_KEYS_DAILY_USD',
  ];
  expect(looks.filter((name) => !(name in SECRETS) && !none.includes(name))).toEqual([]);
});

test('the API shows the Temporal Web UI that is started here', () => {
  const { settings, env } = configured({ TEMPORAL_UI_PORT: '8234' });
  expect(env).toMatchObject({
    TEMPORAL_UI_PORT: '8234',
    TEMPORAL_UI_UPSTREAM: 'http://127.1.2.3:20000',
  });
  expect(temporalUiUrl(settings)).toBe('http://127.0.0.1:8234');
  expect(configured({ TEMPORAL_UI_ORIGINS: 'http://ui' }).env['TEMPORAL_UI_ORIGINS']).toBe(
    'http://ui',
  );
  const elsewhere = environmentOf(settings, { ...EMBEDDED, temporalUiUrl: null });
  expect(elsewhere['TEMPORAL_UI_UPSTREAM']).toBe('');
});
