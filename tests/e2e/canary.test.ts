/**
 * Secrets are where they have to be and nowhere else: after a story full of failures none of them
 * is found in logs, tables, Redis, Temporal's store, metrics, traces or answers to users.
 */
import { randomBytes } from 'node:crypto';
import { VENDORS } from '../../domain/agents/models.js';
import type { TemporalClient } from '../../temporal/connection.js';
import { createTokens } from '../../api/auth/tokens.js';
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.js';
import { register, type Person } from '../support/person.js';
import { startProcess } from '../support/product.js';
import { testServers } from '../support/servers.js';
import {
  dumpDatabase,
  dumpRedis,
  dumpTemporal,
  spellingsOf,
  type StoredWorkflows,
} from '../support/stored-everywhere.js';
import { connectTestTemporal } from '../support/temporal.js';
import { until } from '../support/until.js';
import { startVendorProduct, validateKeys, type VendorProduct } from '../support/vendor-product.js';

/** Without any shape that a mask could know. */
const canary = (): string => `Canary${randomBytes(18).toString('hex')}`;

const SECRETS: Record<string, string> = {
  secretKey: canary(),
  encryptionKey: randomBytes(32).toString('base64'),
  previousEncryptionKey: randomBytes(32).toString('base64'),
  auditSigningKey: randomBytes(32).toString('base64'),
  password: canary(),
  newPassword: canary(),
  wrongPassword: canary(),
  unstorablePassword: 'canary'.padEnd(40, randomBytes(8).toString('hex')), // no capital: 422
  invalidToken: canary(),
  invalidApiKey: canary(),
  refusedKey: `invalid${canary()}`,
  databasePassword: canary(),
  redisPassword: canary(),
  temporalApiKey: canary(),
  ...Object.fromEntries(VENDORS.map((vendor) => [`own key of ${vendor}`, canary()])),
  ...Object.fromEntries(VENDORS.map((vendor) => [`server key of ${vendor}`, canary()])),
};

let fixture: VendorProduct;
let receiver: OtlpReceiver;
let temporal: TemporalClient;
/** Every answer to a user after a failure. */
const answers: string[] = [];
let person: Person;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  fixture = await startVendorProduct({
    env: {
      SECRET_KEY: secret('secretKey'),
      ENCRYPTION_KEY: secret('encryptionKey'),
      ENCRYPTION_KEY_PREVIOUS: secret('previousEncryptionKey'),
      AUDIT_SIGNING_KEY: secret('auditSigningKey'),
      OPENAI_API_KEY: secret('server key of openai'),
      ANTHROPIC_API_KEY: secret('server key of anthropic'),
      GOOGLE_API_KEY: secret('server key of google'),
      LOG_LEVEL: 'debug',
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true',
    },
  });
  temporal = await connectTestTemporal([randomBytes(32)]); // opens nothing
  SECRETS['databasePasswordInUse'] = new URL(fixture.product.env['DATABASE_URL'] ?? '').password;
  await playStory();
});
afterAll(async () => {
  await temporal.close();
  await fixture.close();
  await receiver.close();
});

function secret(name: string): string {
  return SECRETS[name] ?? '';
}

interface CallOptions {
  readonly at?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function call(path: string, init: CallOptions = {}): Promise<any> {
  const response = await fetch(`${init.at ?? fixture.product.url}/api/v1${path}`, {
    method: init.body === undefined ? 'GET' : 'POST',
    ...init,
    headers: { 'content-type': 'application/json', ...init.headers },
  });
  const text = await response.text();
  if (!response.ok) {
    answers.push(text, JSON.stringify(Object.fromEntries(response.headers.entries())));
  }
  return text === '' ? null : JSON.parse(text);
}

const post = (path: string, body: unknown, init: CallOptions = {}) =>
  call(path, { ...init, body: JSON.stringify(body) });

async function playStory(): Promise<void> {
  await signInAndFail();
  await useKeys();
  await Promise.all([runWithFailures(), meetOutages()]);
  await state();
}

async function signInAndFail(): Promise<void> {
  const email = 'somebody@example.com';
  const account = { email, password: secret('password'), display_name: 'Somebody' };
  const pair = await post('/auth/register', account);
  await post('/auth/register', account); // 409
  await post('/auth/register', { ...account, password: secret('unstorablePassword') });
  await post('/auth/login', { email, password: secret('wrongPassword') });
  await post('/auth/login', { email, password: [secret('wrongPassword')] });
  await call('/auth/login', { body: `{"email": "${email}", "password": "${secret('password')}"` });
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  await call('/auth/me', bearer(secret('invalidToken')));
  await call(`/auth/me?token=${secret('invalidToken')}`);
  await call('/auth/me', { headers: { 'x-api-key': secret('invalidApiKey') } });
  await post('/auth/refresh', { refresh_token: secret('invalidToken') });
  const settings = { secretKey: secret('secretKey'), algorithm: 'HS256' as const };
  const tokens = createTokens({ ...settings, accessMinutes: -5, refreshDays: 1 });
  const owner = { id: 'no-user', role: 'free' as const, email, displayName: 'No User' };
  SECRETS['oldToken'] = await tokens.issueAccess(owner);
  await call('/auth/me', bearer(secret('oldToken')));
  const fresh = await post('/auth/refresh', { refresh_token: pair.refresh_token });
  await post('/auth/refresh', { refresh_token: pair.refresh_token }); // used twice: 401
  const again = await post('/auth/login', { email, password: secret('password') });
  const profile = { current_password: secret('password'), new_password: secret('newPassword') };
  await post('/auth/me', profile, { method: 'PUT', ...bearer(again.access_token) });
  SECRETS['accessToken'] = again.access_token;
  SECRETS['refreshToken'] = fresh.refresh_token;
}

async function useKeys(): Promise<void> {
  person = await register(fixture.product.url);
  SECRETS['tokenOfChats'] = person.token;
  const mine = { headers: { authorization: `Bearer ${person.token}` } };
  const made = await post('/api-keys', { name: 'for scripts' }, mine);
  SECRETS['apiKey'] = made.key;
  await call('/auth/me', { headers: { 'x-api-key': made.key } });
  for (const provider of VENDORS) {
    await post('/llm-keys', { provider, api_key: secret('refusedKey') }, mine);
    await post('/llm-keys', { provider, api_key: secret(`own key of ${provider}`) }, mine);
  }
  await post('/llm-keys', { provider: 'unknown', api_key: secret('own key of openai') }, mine);
}

function run(who: Person, more: object = {}) {
  const agent = { role: 'analyzer', llm_model: 'gpt-4o-mini', retry_count: 1, ...more };
  const agents = [{ name: 'one', description: 'does one', ...agent }];
  return who.ask('POST', '/pipelines/execute', {
    design: { name: 'A design', description: 'Something to do', agents },
  });
}

/** The stand-in quotes key and prompt in each of its errors. */
async function runWithFailures(): Promise<void> {
  const guest = await register(fixture.product.url); // the server's keys pay
  await fixture.product.db.updateTable('users').set({ role: 'admin' }).execute(); // no quotas
  for (const who of [person, guest]) {
    for (const status of [400, 401, 429, 500]) {
      fixture.vendors.setBehaviour({ kind: 'status', status });
      answers.push(JSON.stringify((await run(who)).body));
      fixture.vendors.setBehaviour();
      await validateKeys(who);
    }
    for (const kind of ['garbage', 'cut'] as const) {
      fixture.vendors.setBehaviour({ kind });
      answers.push(JSON.stringify((await run(who)).body));
    }
    fixture.vendors.setBehaviour();
    answers.push(JSON.stringify((await run(who)).body));
  }
}

async function state(): Promise<void> {
  const chat = await person.chat(await person.startConversation());
  fixture.vendors.setBehaviour({ kind: 'status', status: 401 }); // the rules answer
  await chat.say('help me');
  fixture.vendors.setBehaviour();
  await validateKeys(person);
  await chat.say('Compare three podcast apps and write a report');
  fixture.vendors.setBehaviour({ kind: 'status', status: 500 });
  await chat.say('ok, take option 1');
  fixture.vendors.setBehaviour();
  await chat.say('run it again');
  answers.push(JSON.stringify(chat.events));
  await chat.close();
  const refused = await person.chat('nonsense', `token=${secret('invalidToken')}&events=basic`);
  await until('it is refused', () => refused.closed);
  answers.push(JSON.stringify([refused.closed, refused.events]));
}

/** Processes whose stores are away or refuse them; then with a table that is gone. */
async function meetOutages(): Promise<void> {
  const { product } = fixture;
  const right = new URL(product.env['DATABASE_URL'] ?? '');
  const wrong = new URL(right);
  wrong.password = secret('databasePassword');
  const nowhere = `postgresql://somebody:${secret('databasePassword')}@127.0.0.1:9/none`;
  await Promise.all([wrong.href, nowhere].map(meetOutage));
  const badSettings = startProcess('api/main.js', {
    ...product.env,
    DATABASE_URL: `nonsense ${secret('databasePassword')}`,
    ENCRYPTION_KEY: `short ${secret('encryptionKey')}`,
  });
  await badSettings.ended();
  answers.push(...badSettings.lines);
}

async function meetOutage(databaseUrl: string): Promise<void> {
  const { product } = fixture;
  const env = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: `redis://somebody:${secret('redisPassword')}@127.0.0.1:9`,
    TEMPORAL_ADDRESS: '127.0.0.1:9',
    TEMPORAL_API_KEY: secret('temporalApiKey'),
  };
  const worker = startProcess('worker/main.js', { ...product.env, ...env });
  const { url } = await product.startApi(env);
  const mine = { at: url, headers: { authorization: `Bearer ${person.token}` } };
  await Promise.all([
    call('/auth/me', mine),
    post('/auth/login', { email: 'a@example.com', password: secret('password') }, mine),
    post('/llm-keys', { provider: 'openai', api_key: secret('own key of openai') }, mine),
    fetch(`${url}/readyz`),
    until('it complains', () => worker.lines.some((line) => /unavailable|failed/.test(line))),
  ]);
  await worker.stop();
  answers.push(...worker.lines);
}

/** The names of the secrets in a text, also in other spellings and beyond a shown prefix. */
function secretsIn(text: string): string[] {
  return Object.entries(SECRETS).flatMap(([name, value]) => {
    const tail = value.slice(-24); // beyond the 12 characters that are shown of a key
    const needles = [...spellingsOf(value), tail, ...rawKeyOf(name, value)];
    return needles.some((needle) => text.includes(needle)) ? [name] : [];
  });
}

function rawKeyOf(name: string, value: string): string[] {
  const bytes = Buffer.from(value, 'base64');
  return /encryptionKey/i.test(name) ? [bytes.toString('hex'), bytes.toString('latin1')] : [];
}

test('the story was full of failures', () => {
  const all = answers.join('\n');
  expect(answers.length).toBeGreaterThan(40);
  for (const words of ['Invalid email or password', 'Invalid API key', 'refused the API key']) {
    expect(all).toContain(words);
  }
  expect(fixture.vendors.calls.filter(({ status }) => status !== 200).length).toBeGreaterThan(20);
  const keys = fixture.vendors.calls.map(({ key }) => key);
  for (const vendor of VENDORS) {
    expect(keys).toContain(secret(`own key of ${vendor}`));
  }
  expect(keys).toContain(secret('server key of openai'));
});

test('no secret is in the answers to users', () => {
  expect(secretsIn(answers.join('\n'))).toEqual([]);
});

test('no secret is in the log, not even at its lowest level', () => {
  const { apis, workers } = fixture.product;
  const lines = [...apis, ...workers].flatMap((part) => part.lines).join('\n');
  expect(lines).toContain(person.userId);
  expect(lines).toContain('"stack"');
  expect(secretsIn(lines)).toEqual([]);
});

test('no secret is in any table', async () => {
  const text = await dumpDatabase(fixture.product.db);
  expect(text).toContain('somebody@example.com');
  expect(text).toMatch(/user_llm_keys .*\\\\x[0-9a-f]{40}/);
  expect(secretsIn(text)).toEqual([]);
});

test('no secret is in Redis', async () => {
  const text = await dumpRedis(testServers().observerRedisUrl);
  expect(text).toContain(person.userId);
  expect(secretsIn(text)).toEqual([]);
});

test('no secret is in Temporal: histories, results, failures, headers, attributes', async () => {
  const { env, db } = fixture.product;
  const runs = await db.selectFrom('pipelineExecutions').select('id').execute();
  let stored: StoredWorkflows = { ids: [], text: '' };
  await until('all runs are listed', async () => {
    stored = await dumpTemporal(temporal.client, env['TEMPORAL_TASK_QUEUE'] ?? '');
    return runs.every(({ id }) => stored.ids.includes(`pipeline-${id}`));
  });
  expect(stored.ids.filter((id) => id.startsWith('discussion-'))).not.toEqual([]);
  expect(stored.ids.some((id) => !/^(discussion|pipeline)-/.test(id))).toBe(true); // key checks
  expect(stored.text).toContain(person.userId); // as a search attribute
  expect(stored.text).toContain('binary/encrypted');
  expect(stored.text).not.toContain('podcast'); // texts are sealed
  expect(secretsIn(stored.text)).toEqual([]);
});

test('no secret is in the metrics', async () => {
  const { apis, workers } = fixture.product;
  const ports = await Promise.all(workers.map((worker) => worker.sees('worker ready')));
  const addresses = [
    ...apis.map(({ url }) => url),
    ...ports.map(({ metricsPort }) => `http://127.0.0.1:${String(metricsPort)}`),
  ];
  for (const address of addresses) {
    const page = await (await fetch(`${address}/metrics`)).text();
    expect(page).toContain('# TYPE');
    expect(secretsIn(page)).toEqual([]);
  }
});

test('no secret is in the traces, even if these hold prompts and answers', async () => {
  const seen = () => receiver.bodies.join('\n');
  await until('they tell of the runs', () => seen().includes('gen_ai.output.messages'));
  for (const failure of ['model-key-refused', 'model-unavailable', 'SignalWithStartWorkflow']) {
    expect(seen()).toContain(failure);
  }
  expect(secretsIn(seen())).toEqual([]);
});

test('a secret would have been found', () => {
  const value = secret('password');
  for (const spelling of spellingsOf(value)) {
    expect(secretsIn(`… ${spelling} …`)).toContain('password');
  }
  expect(secretsIn(`key ${secret('own key of openai').slice(14)}`)).toEqual(['own key of openai']);
  expect(secretsIn(`prefix ${secret('own key of openai').slice(0, 12)}`)).toEqual([]);
});
