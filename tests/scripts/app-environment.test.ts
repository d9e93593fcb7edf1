import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentFor, environmentOf } from '../../scripts/start/app-environment.js';
import { appsOf, collectorUrl, temporalUiUrl } from '../../scripts/start/app-processes.js';
import { settingsOf } from '../../scripts/start/settings.js';

const home = mkdtempSync(join(tmpdir(), 'agentforge-environment-'));
afterAll(() => {
  rmSync(home, { recursive: true });
});

const EMBEDDED = {
  databaseUrl: 'postgresql://here/agentforge',
  redisUrl: 'redis://here/0',
  temporalAddress: 'here:7233',
  temporalUiUrl: 'http://127.1.2.3:20000',
};

function told(env: Record<string, string>) {
  const settings = settingsOf({ AGENTFORGE_HOME: home, ...env });
  return { settings, env: environmentOf(settings, EMBEDDED) };
}

test('the worker asks the collector that is started here', () => {
  const { settings, env } = told({ COLLECTOR_PORT: '8101' });
  expect(appsOf(settings)).toEqual(['collector', 'worker', 'api']);
  expect(env['DATA_COLLECTOR_URL']).toBe('http://127.0.0.1:8101');
  expect(env['COLLECTOR_SECRET']).toMatch(/^[0-9a-f]{64}$/);
  expect(environmentFor('collector', env)['COLLECTOR_SECRET']).toBe(env['COLLECTOR_SECRET']);
  expect(collectorUrl(told({ COLLECTOR_HOST: '0.0.0.0' }).settings)).toBe('http://127.0.0.1:8001');
  expect(collectorUrl(told({ COLLECTOR_HOST: '::1' }).settings)).toBe('http://[::1]:8001');
});

test('with a collector elsewhere none is started here', () => {
  const { settings, env } = told({ DATA_COLLECTOR_URL: 'http://collector.example' });
  expect(appsOf(settings)).toEqual(['worker', 'api']);
  expect(env['DATA_COLLECTOR_URL']).toBe('http://collector.example');
  expect(env['COLLECTOR_SECRET']).toBe(''); // ours is nothing to a stranger's
  expect(collectorUrl(settings)).toBeNull();
});

test('the collector is told what it needs, and no secret but its own', () => {
  const { env } = told({
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
    REDIS_URL: 'redis://here/0',
  });
  expect(environmentFor('worker', env)).toBe(env);
});

test('the API shows the Temporal Web UI that is started here', () => {
  const { settings, env } = told({ TEMPORAL_UI_PORT: '8234' });
  expect(env).toMatchObject({
    TEMPORAL_UI_PORT: '8234',
    TEMPORAL_UI_UPSTREAM: 'http://127.1.2.3:20000',
  });
  expect(temporalUiUrl(settings)).toBe('http://127.0.0.1:8234');
  expect(told({ TEMPORAL_UI_ORIGINS: 'http://ui' }).env['TEMPORAL_UI_ORIGINS']).toBe('http://ui');
  const elsewhere = environmentOf(settings, { ...EMBEDDED, temporalUiUrl: null });
  expect(elsewhere['TEMPORAL_UI_UPSTREAM']).toBe('');
});
