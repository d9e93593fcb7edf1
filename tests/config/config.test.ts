/** Source: contract, security §9 and §10, decisions 13 and 16. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, loadApiConfig, loadConfig, loadWorkerConfig } from '../../config/config.js';

const KEY = randomBytes(32);
const AUDIT_KEY = randomBytes(32);
const SECRET = randomBytes(32).toString('hex');
const ENV = {
  DATABASE_URL: 'postgresql+asyncpg://user:password@db:5432/agentforge',
  REDIS_URL: 'redis://redis:6379/0',
  TEMPORAL_ADDRESS: 'temporal:7233',
  SECRET_KEY: SECRET,
  ENCRYPTION_KEY: KEY.toString('base64'),
  AUDIT_SIGNING_KEY: AUDIT_KEY.toString('base64'),
};

test('what is not set has the seed’s default', () => {
  expect(loadConfig(ENV)).toMatchObject({
    debug: false,
    port: 8_000,
    corsOrigins: ['http://localhost:3000'],
    trustedProxyCount: 0,
    passwordCost: 12,
    authRateLimit: 5,
    authRateWindowSeconds: 900,
    rateLimits: { free: 10, pro: 60, admin: -1 },
    jwt: { algorithm: 'HS256', accessMinutes: 30, refreshDays: 7 },
    models: {
      serverKeys: {},
      defaultProvider: 'anthropic',
      defaultModel: 'claude-sonnet-5',
      simulated: false,
    },
    collectorUrl: 'http://data-collector:8001',
    databasePoolSize: 15,
    pipelineTimeoutMs: 300_000,
  });
});

const SETTINGS: readonly (readonly [string, string, object])[] = [
  ['DATABASE_URL', 'postgresql://elsewhere/x', { databaseUrl: 'postgresql://elsewhere/x' }],
  ['REDIS_URL', 'redis://elsewhere', { redisUrl: 'redis://elsewhere' }],
  ['SECRET_KEY', SECRET, { secretKey: SECRET }],
  ['DEBUG', 'true', { debug: true }],
  ['TEMPORAL_UI_ORIGINS', 'http://ui:8233', { temporalUiOrigins: ['http://ui:8233'] }],
  [
    'TEMPORAL_UI_UPSTREAM',
    'http://temporal-ui:8080',
    {
      temporalUi: { upstream: 'http://temporal-ui:8080', port: 8_233 },
      temporalUiOrigins: ['http://127.0.0.1:8233', 'http://localhost:8233', 'http://[::1]:8233'],
    },
  ],
  ['REGISTRATION', 'approval', { registration: 'approval' }],
  ['TRUSTED_PROXY_COUNT', '2', { trustedProxyCount: 2 }],
  [
    'ALLOWED_HOSTS',
    'a.example.com, b.example.com',
    { allowedHosts: ['a.example.com', 'b.example.com'] },
  ],
  ['PASSWORD_COST', '14', { passwordCost: 14 }],
  ['AUTH_RATE_LIMIT', '1000', { authRateLimit: 1_000 }],
  ['AUTH_RATE_WINDOW_SECONDS', '60', { authRateWindowSeconds: 60 }],
  ['RATE_LIMIT_FREE', '120', { rateLimits: { free: 120, pro: 60, admin: -1 } }],
  ['RATE_LIMIT_PRO', '-1', { rateLimits: { free: 10, pro: -1, admin: -1 } }],
  ['JWT_ALGORITHM', 'HS512', { jwt: { algorithm: 'HS512' } }],
  ['JWT_ACCESS_TOKEN_EXPIRE_MINUTES', '5', { jwt: { accessMinutes: 5 } }],
  ['JWT_REFRESH_TOKEN_EXPIRE_DAYS', '1', { jwt: { refreshDays: 1 } }],
  ['OPENAI_API_KEY', 'one', { models: { serverKeys: { openai: 'one' } } }],
  ['ANTHROPIC_API_KEY', 'two', { models: { serverKeys: { anthropic: 'two' } } }],
  ['GOOGLE_API_KEY', 'three', { models: { serverKeys: { google: 'three' } } }],
  ['DEFAULT_LLM_PROVIDER', 'google', { models: { defaultProvider: 'google' } }],
  ['DEFAULT_LLM_MODEL', 'gpt-4o', { models: { defaultModel: 'gpt-4o' } }],
  ['DATA_COLLECTOR_URL', 'http://localhost:8001', { collectorUrl: 'http://localhost:8001' }],
  ['DB_POOL_SIZE', '1', { databasePoolSize: 11 }],
  ['DB_MAX_OVERFLOW', '0', { databasePoolSize: 5 }],
];

test.each(SETTINGS)('§9 %s may be %s', (name, value, expected) => {
  expect(loadConfig({ ...ENV, [name]: value })).toMatchObject(expected);
});

test('§9 DAILY_COST_LIMIT is not read: the limits of the role rule', () => {
  expect(loadConfig({ ...ENV, DAILY_COST_LIMIT: '10.0' })).toEqual(loadConfig(ENV));
});

test('§9 .env is read, and never overrides what is set', () => {
  const folder = mkdtempSync(join(tmpdir(), 'agentforge-env-'));
  const before = process.cwd();
  const set = { ...ENV, PORT: '9001' };
  writeFileSync(join(folder, '.env'), 'PORT=9002\nAUTH_RATE_LIMIT=77\n');
  const environment = process.env;
  try {
    process.chdir(folder);
    process.env = { ...set };
    expect(loadConfig()).toMatchObject({ port: 9_001, authRateLimit: 77 });
  } finally {
    process.env = environment;
    process.chdir(before);
    rmSync(folder, { recursive: true });
  }
});

test('an empty variable is one that is not set', () => {
  const { port, models } = loadConfig({ ...ENV, PORT: '', OPENAI_API_KEY: ' ' });
  expect([port, models.serverKeys]).toEqual([8_000, {}]);
});

test.each(['DATABASE_URL', 'REDIS_URL', 'TEMPORAL_ADDRESS'])(
  'without %s a built process refuses to start',
  (name) => {
    expect(() => loadConfig({ ...ENV, [name]: undefined })).toThrow(ConfigError);
    expect(() => loadConfig({ ...ENV, [name]: undefined })).toThrow(name);
  },
);

test.each([
  ['["http://localhost:3000","https://app.example"]', 2],
  ['http://localhost:3000, https://app.example', 2],
  ['http://localhost:3000', 1],
])('CORS_ORIGINS may be %s', (text, count) => {
  const { corsOrigins } = loadConfig({ ...ENV, CORS_ORIGINS: text });
  expect(corsOrigins).toEqual(['http://localhost:3000', 'https://app.example'].slice(0, count));
});

test.each(['*', 'http://ui:8233/', 'ui:8233', '["http://ui", "nonsense"]'])(
  'TEMPORAL_UI_ORIGINS may not be %s',
  (text) => {
    expect(() => loadConfig({ ...ENV, TEMPORAL_UI_ORIGINS: text })).toThrow('TEMPORAL_UI_ORIGINS');
  },
);

test.each(['temporal-ui:8080', 'http://ui/path', 'ftp://ui'])(
  'TEMPORAL_UI_UPSTREAM may not be %s',
  (text) => {
    expect(() => loadConfig({ ...ENV, TEMPORAL_UI_UPSTREAM: text })).toThrow(
      'TEMPORAL_UI_UPSTREAM',
    );
  },
);

test.each(['[http://localhost:3000]', '[1]'])('CORS_ORIGINS may not be %s', (text) => {
  expect(() => loadConfig({ ...ENV, CORS_ORIGINS: text })).toThrow('CORS_ORIGINS');
});

test.each([
  ['1', true],
  ['True', true],
  ['yes', true],
  ['on', true],
  ['0', false],
  ['false', false],
  ['anything else', false],
])('DEBUG=%s is %p', (text, debug) => {
  expect(loadConfig({ ...ENV, DEBUG: text }).debug).toBe(debug);
});

describe('SECRET_KEY', () => {
  test.each([
    ['is missing', undefined],
    ['is blank', '   '],
    ['has 31 bytes', 'x'.repeat(31)],
    ['is a well-known one', 'your-secret-key-change-me-in-production'],
  ])('that %s is refused, and in debug accepted', (_how, secret) => {
    const env = { ...ENV, SECRET_KEY: secret };
    expect(() => loadConfig(env)).toThrow('SECRET_KEY');
    expect(loadConfig({ ...env, DEBUG: 'true' }).secretKey).not.toBe('');
  });

  test('of 32 bytes will do', () => {
    expect(loadConfig({ ...ENV, SECRET_KEY: 'é'.repeat(16) }).secretKey).toBe('é'.repeat(16));
  });
});

describe('ENCRYPTION_KEY', () => {
  test.each([
    ['standard', KEY.toString('base64')],
    ['URL-safe', KEY.toString('base64url')],
    ['padded URL-safe', `${KEY.toString('base64url')}=`],
  ])('may be %s base64', (_form, text) => {
    expect(loadConfig({ ...ENV, ENCRYPTION_KEY: text }).encryptionKeys).toEqual([KEY]);
  });

  test.each([
    ['is missing', undefined],
    ['has 31 bytes', Buffer.alloc(31).toString('base64')],
    ['has 33 bytes', Buffer.alloc(33).toString('base64')],
    ['is no base64', `${KEY.toString('base64').slice(0, -2)}!!`],
  ])('that %s is refused at the start', (_how, text) => {
    expect(() => loadConfig({ ...ENV, ENCRYPTION_KEY: text })).toThrow('ENCRYPTION_KEY');
  });

  test('without one, debug has its own', () => {
    const { encryptionKeys } = loadConfig({ ...ENV, ENCRYPTION_KEY: undefined, DEBUG: '1' });
    expect(encryptionKeys).toHaveLength(1);
  });

  test('earlier ones open only, in their order', () => {
    const earlier = [randomBytes(32), randomBytes(32)];
    const text = earlier.map((key) => key.toString('base64')).join(', ');
    const { encryptionKeys } = loadConfig({ ...ENV, ENCRYPTION_KEY_PREVIOUS: text });
    expect(encryptionKeys).toEqual([KEY, ...earlier]);
  });
});

describe('AUDIT_SIGNING_KEY', () => {
  test.each([
    ['is missing', undefined],
    ['has 31 bytes', Buffer.alloc(31).toString('base64')],
  ])('that %s is refused at the start; debug has its own', (_how, text) => {
    const env = { ...ENV, AUDIT_SIGNING_KEY: text };
    expect(() => loadConfig(env)).toThrow('AUDIT_SIGNING_KEY');
    expect(loadConfig({ ...env, AUDIT_SIGNING_KEY: '', DEBUG: '1' }).audit.signingKey).toHaveLength(
      32,
    );
  });

  test('signs; earlier public keys are published still', () => {
    const earlier = [randomBytes(32), randomBytes(32)];
    const text = earlier.map((key) => key.toString('hex')).join(', ');
    const { audit } = loadConfig({ ...ENV, AUDIT_KEYS_PREVIOUS: text });
    expect(audit).toEqual({ signingKey: AUDIT_KEY, publicKey: null, previousKeys: earlier });
    expect(loadConfig(ENV).audit.previousKeys).toEqual([]);
  });
});

test('traces are off, and without texts, until somebody asks for them', () => {
  const off = { endpoint: null, serviceName: null, captureContent: false };
  expect(loadConfig(ENV).traces).toEqual(off);
  const asked = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://otel:4318',
    OTEL_SERVICE_NAME: 'ours',
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true',
  };
  const on = { endpoint: 'http://otel:4318', serviceName: 'ours', captureContent: true };
  expect(loadConfig({ ...ENV, ...asked }).traces).toEqual(on);
});

test.each([
  ['AUDIT_KEYS_PREVIOUS', 'abc'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'otel:4318'],
  ['PASSWORD_COST', '9'],
  ['AUTH_RATE_LIMIT', '-1'],
  ['RATE_LIMIT_FREE', '-2'],
  ['RATE_LIMIT_FREE', 'many'],
  ['PORT', '70000'],
  ['TRUSTED_PROXY_COUNT', 'one'],
  ['JWT_ALGORITHM', 'none'],
  ['JWT_ALGORITHM', 'RS256'],
  ['DEFAULT_LLM_PROVIDER', 'somebody'],
  ['PIPELINE_TIMEOUT_SECONDS', '0'],
  ['MODEL_CALLS_PER_KEY', '0'],
  ['EVENT_STREAM_SECONDS', '2147484'], // a timer would be over at once
  ['MODEL_CALL_TIMEOUT_SECONDS', '2147484'],
  ['PIPELINE_TIMEOUT_SECONDS', '2147484'],
  ['WS_LEASE_SECONDS', '2147484'],
  ['RETENTION_EVENTS_DAYS', '1e9'], // no date at all
  ['JWT_REFRESH_TOKEN_EXPIRE_DAYS', '1e9'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => loadConfig({ ...ENV, [name]: value })).toThrow(name);
});

test('the end-to-end limits of the existing front end can be set', () => {
  const { authRateLimit, rateLimits } = loadConfig({
    ...ENV,
    AUTH_RATE_LIMIT: '1000',
    RATE_LIMIT_FREE: '-1',
  });
  expect([authRateLimit, rateLimits.free]).toEqual([1_000, -1]);
});

test('the version of a worker is a name and a build, or nothing', () => {
  const named = { ...ENV, TEMPORAL_DEPLOYMENT_NAME: 'agentforge' };
  expect(loadConfig(ENV).temporal.workerVersion).toBeNull();
  expect(loadConfig({ ...named, TEMPORAL_WORKER_BUILD_ID: 'v1' }).temporal.workerVersion).toEqual({
    deploymentName: 'agentforge',
    buildId: 'v1',
  });
  expect(() => loadConfig(named)).toThrow('Set both TEMPORAL_DEPLOYMENT_NAME');
});

describe('what one process does not need', () => {
  const { SECRET_KEY: _key, ...WITHOUT_TOKENS } = ENV;
  const { AUDIT_SIGNING_KEY: _signing, ...WITHOUT_SIGNING } = ENV;

  test('the worker starts without the key of tokens, the API does not', () => {
    expect(loadWorkerConfig(WITHOUT_TOKENS)).not.toHaveProperty('secretKey');
    expect(() => loadApiConfig(WITHOUT_TOKENS)).toThrow('SECRET_KEY');
  });

  test('the API starts with the public half of the signing key, the worker does not', () => {
    const env = { ...WITHOUT_SIGNING, AUDIT_PUBLIC_KEY: 'ab'.repeat(32) };
    expect(loadApiConfig(env).audit).toEqual({
      signingKey: null,
      publicKey: Buffer.alloc(32, 0xab),
      previousKeys: [],
    });
    expect(() => loadApiConfig(WITHOUT_SIGNING)).toThrow('AUDIT_SIGNING_KEY');
    expect(() => loadWorkerConfig(env)).toThrow('AUDIT_SIGNING_KEY');
    expect(loadApiConfig(ENV).audit.signingKey).toEqual(AUDIT_KEY); // as in earlier releases
  });

  test('the API knows that workers have keys of vendors', () => {
    const hasKeys = (env: object) => loadApiConfig({ ...ENV, ...env }).models.hasServerKeys;
    expect(hasKeys({})).toBe(false);
    expect(hasKeys({ SERVER_MODEL_KEYS: 'openai,google,' })).toBe(true);
    expect(hasKeys({ OPENAI_API_KEY: 'sk-x' })).toBe(true);
    const both = { OPENAI_API_KEY: 'sk-x', SERVER_MODEL_KEYS: 'google,openai' };
    const { serverKeyVendors } = loadApiConfig({ ...ENV, ...both }).models;
    expect(serverKeyVendors).toEqual(['openai', 'google']);
    expect(() => hasKeys({ SERVER_MODEL_KEYS: 'sk-a-key' })).toThrow('SERVER_MODEL_KEYS');
  });

  test.each(['api', 'worker'] as const)('stays out of the environment of the %s', (app) => {
    const before = process.cwd();
    const folder = mkdtempSync(join(tmpdir(), 'env-'));
    const theirs = app === 'api' ? 'OPENAI_API_KEY' : 'SECRET_KEY';
    const lines = [`${theirs}=theirs`, 'POSTGRES_PASSWORD=x', 'OTEL_SERVICE_NAME=mine'];
    writeFileSync(join(folder, '.env'), lines.join('\n'));
    try {
      process.chdir(folder);
      expect(() => (app === 'api' ? loadApiConfig() : loadWorkerConfig())).toThrow('DATABASE_URL');
      expect(process.env[theirs]).toBeUndefined();
      expect(process.env['POSTGRES_PASSWORD']).toBeUndefined();
      expect(process.env['OTEL_SERVICE_NAME']).toBe('mine');
    } finally {
      process.chdir(before);
      delete process.env['OTEL_SERVICE_NAME'];
      rmSync(folder, { recursive: true });
    }
  });
});
