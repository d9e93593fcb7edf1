/** How the built processes start, refuse to start, and stop. */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { createSecretCipher } from '../../db/users/secret-cipher.js';
import { askRoot } from '../support/outage.js';
import { startProxyOf } from '../support/server-proxies.js';
import { register } from '../support/person.js';
import {
  startProcess,
  startProduct,
  type Product,
  type ProductProcess,
} from '../support/product.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { startStandInVendors, type StandInVendors } from '../support/vendors/server.js';

const STOPS_WITHIN_MS = 20_000;
const agent = (name: string) => ({
  name,
  role: 'analyzer',
  llm_model: 'gpt-4o-mini',
  description: `does ${name}`,
});
const ORDER = {
  design: { name: 'A design', description: 'Something', agents: [agent('one'), agent('two')] },
};

describe('settings that cannot work', () => {
  const GOOD = {
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: 'postgresql://127.0.0.1:9/none',
    REDIS_URL: 'redis://127.0.0.1:9',
    TEMPORAL_ADDRESS: '127.0.0.1:9',
    SECRET_KEY: 'a'.repeat(64),
    ENCRYPTION_KEY: Buffer.alloc(32, 1).toString('base64'),
    AUDIT_SIGNING_KEY: Buffer.alloc(32, 2).toString('base64'),
  };
  /** What else cannot work is in tests/config. */
  const STARTS = [
    { entry: 'api/main.js', name: 'PORT', change: { PORT: '70000' } },
    { entry: 'api/main.js', name: 'SECRET_KEY', change: { SECRET_KEY: 'short' } },
    { entry: 'worker/main.js', name: 'TEMPORAL_ADDRESS', change: { TEMPORAL_ADDRESS: '' } },
  ] as const;

  test('are refused by name, in one line without a stack, with exit code 1', async () => {
    const refused = STARTS.map(({ entry, name, change }) => {
      return { name, process: startProcess(entry, { ...GOOD, ...change }) };
    });
    for (const { name, process } of refused) {
      expect(await process.ended()).toBe(1);
      expect(process.lines).toHaveLength(1);
      expect(process.lines[0]).toContain(name);
      expect(process.lines[0]).not.toMatch(/stack|\bat .*:\d+/);
      expect(process.lines[0]).not.toContain(GOOD.SECRET_KEY);
    }
  });
});

describe('a process that stops', () => {
  let vendors: StandInVendors;
  let product: Product;
  beforeAll(async () => {
    vendors = await startStandInVendors();
    product = await startProduct({
      workers: 2,
      env: {
        SIMULATED_MODELS: 'false',
        DEFAULT_LLM_PROVIDER: 'openai',
        OPENAI_API_KEY: 'sk-stand-in',
        OPENAI_BASE_URL: vendors.openAiUrl,
      },
    });
  });
  beforeEach(() => {
    vendors.setBehaviour();
    vendors.clear();
  });
  afterAll(async () => {
    await product.stop();
    await vendors.close();
  });

  async function stops(part: ProductProcess): Promise<void> {
    const since = Date.now();
    expect(await part.stop()).toBe(0);
    expect(Date.now() - since).toBeLessThan(STOPS_WITHIN_MS);
  }

  test('an api closes its sockets with 1001 and answers waiting requests, although clients are slow', async () => {
    const api = await product.startApi();
    const person = await register(api.url);
    const chat = await person.chat(await person.startConversation());
    const hold = Promise.withResolvers<null>();
    vendors.setBehaviour({ kind: 'answer', hold: hold.promise });
    const blocking = person.ask('POST', '/pipelines/execute', ORDER);
    await vendors.until((calls) => calls.length === 1);
    const dawdler = await sendHalfARequest(api.url);
    await stops(api);
    const answer = await blocking;
    expect(answer).toMatchObject({ status: 202, body: { status: 'running', result: null } });
    expect(answer.headers.get('location')).toContain(answer.body.pipeline_id);
    expect(chat.closed).toEqual({ code: 1001, reason: expect.any(String) });
    dawdler.destroy();
    hold.resolve(null);
    const path = `/pipelines/${answer.body.pipeline_id}/status`;
    const elsewhere = person.at(product.url);
    await until('the run ends anyway', async () => {
      return (await elsewhere.ask('GET', path)).body.status === 'completed';
    });
  });

  test('a worker hands over what it cannot end; the run ends as if nothing had happened', async () => {
    const [first, second] = product.workers;
    const hold = Promise.withResolvers<null>();
    vendors.setBehaviour((call) =>
      call.number === 1 ? { kind: 'answer', hold: hold.promise } : { kind: 'answer' },
    );
    const person = await register(product.url);
    const blocking = person.ask('POST', '/pipelines/execute', ORDER);
    await vendors.until((calls) => calls.length === 1);
    if (first === undefined || second === undefined) {
      throw new Error('two workers were asked for');
    }
    await stops(first);
    const more = await product.startWorker(); // whichever of the two it was, one goes on
    await stops(second);
    const { body } = await blocking;
    expect(body.status).toBe('completed');
    expect(body.result.agent_results.map((it: any) => it.status)).toEqual(['success', 'success']);
    expect(more.child.exitCode).toBeNull();
    hold.resolve(null);
  });

  test.each(['api/main.js', 'worker/main.js'] as const)(
    '%s that lacks the key of what is stored says so and ends with 1',
    async (entry) => {
      const { ENCRYPTION_KEY = '' } = product.env;
      const env = { ...product.env, ENCRYPTION_KEY: randomBytes(32).toString('base64') };
      const refused = startProcess(entry, env);
      expect(await refused.ended()).toBe(1);
      const said = refused.lines.filter((line) => line.includes('"level":"error"'));
      expect(said).toHaveLength(1);
      expect(said[0]).toContain(
        createSecretCipher([Buffer.from(ENCRYPTION_KEY, 'base64')]).seals[0],
      );
      expect(said[0]).toContain('ENCRYPTION_KEY_PREVIOUS');
      expect(said[0]).not.toMatch(/stack|\bat .*:\d+/);
      expect(refused.lines.join('\n')).not.toContain(' ready"');
      const known = { ...env, ENCRYPTION_KEY, ENCRYPTION_KEY_PREVIOUS: env.ENCRYPTION_KEY };
      const started = startProcess(entry, known); // a key that is to come opens, too
      await started.sees(`${entry.slice(0, entry.indexOf('/'))} ready`);
      expect(await started.stop()).toBe(0);
    },
  );

  test('an API that lacks the key and starts while PostgreSQL is away ends when it is back', async () => {
    const proxy = await startProxyOf('postgres');
    await proxy.cut();
    const url = new URL(product.env['DATABASE_URL'] ?? '');
    url.port = String(proxy.port);
    const api = startProcess('api/main.js', {
      ...product.env,
      DATABASE_URL: url.href,
      ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    });
    await api.sees('api ready');
    await proxy.restore();
    expect(await api.ended()).toBe(1);
    expect(api.lines.join('\n')).toContain('ENCRYPTION_KEY_PREVIOUS');
    await proxy.close();
  });

  /** The servers are there, so that what has been opened would keep the process alive. */
  test.each([
    ['api/main.js', 'PORT', 'EADDRINUSE'],
    ['worker/main.js', 'WORKER_METRICS_PORT', 'EADDRINUSE'],
    ['worker/main.js', 'WORKER_SDK_METRICS_PORT', 'in use'],
    ['collector/main.js', 'COLLECTOR_PORT', 'COLLECTOR_PORT'],
  ] as const)('%s whose %s is taken says so and ends with 1', async (entry, variable, reason) => {
    const { port } = new URL(product.url);
    const refused = startProcess(entry, { ...product.env, [variable]: port });
    expect(await refused.ended()).toBe(1);
    expect(refused.lines.join('\n')).toContain(reason);
    expect(refused.lines.join('\n')).not.toContain(' ready"');
  });

  test.each([
    ['api/main.js', { TEMPORAL_TLS_CA: '/no/such/ca.pem' }],
    ['worker/main.js', { TEMPORAL_TLS_CA: '/no/such/ca.pem' }],
    ['api/main.js', { TEMPORAL_TLS_CERT: '/no/such/cert.pem', TEMPORAL_TLS_KEY: '/no/key.pem' }],
    ['worker/main.js', { TEMPORAL_TLS_CERT: '/no/such/cert.pem', TEMPORAL_TLS_KEY: '/no/key.pem' }],
    ['worker/main.js', { MODELS_FILE: '/no/such/models.json' }],
    ['api/main.js', { HOST: 'no.such.host.invalid' }],
    ['worker/main.js', { HOST: 'no.such.host.invalid' }],
    ['collector/main.js', { COLLECTOR_HOST: 'no.such.host.invalid' }],
  ] as const)('%s that cannot use %j ends with 1', async (entry, change) => {
    const refused = startProcess(entry, {
      ...{ ...product.env, TEMPORAL_TLS: 'true', COLLECTOR_PORT: '0' },
      ...change,
    });
    expect(await refused.ended()).toBe(1);
    expect(refused.lines.join('\n')).toContain(Object.values(change)[0]);
  });
});

/** A client that has begun a request and then says nothing more. */
async function sendHalfARequest(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(
    'POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{',
  );
  return socket;
}

describe('processes that are started before their servers', () => {
  const proxies: TcpProxy[] = [];
  let product: Product;
  beforeAll(async () => {
    for (const part of ['temporal', 'postgres', 'redis'] as const) {
      proxies.push(await startProxyOf(part));
    }
    const [temporal, postgres, redis] = proxies.map(({ port }) => port);
    await Promise.all(proxies.map((proxy) => proxy.cut()));
    product = await startProduct({
      apis: 1,
      workers: 0,
      ports: { temporal: temporal ?? 0, postgres: postgres ?? 0, redis: redis ?? 0 },
    });
  });
  afterAll(async () => {
    await product.stop();
    await Promise.all(proxies.map((proxy) => proxy.close()));
  });

  test('become ready when these are there', async () => {
    const api = product.url;
    expect((await askRoot(api, '/health')).status).toBe(200);
    expect(await askRoot(api, '/readyz')).toMatchObject({
      status: 503,
      body: { detail: 'Not ready, down: postgres, redis, temporal' },
    });
    const worker = startProcess('worker/main.js', product.env);
    const impatient = startProcess('worker/main.js', product.env);
    await worker.sees('postgres unavailable, trying again');
    await impatient.sees('postgres unavailable, trying again');
    expect(await impatient.stop()).toBe(0);
    await Promise.all(proxies.map((proxy) => proxy.restore()));
    await worker.sees('worker ready');
    await until('the api is ready', async () => (await askRoot(api, '/readyz')).status === 200);
    const person = await register(api);
    const chat = await person.chat(await person.startConversation());
    expect((await chat.say('help me')).type).toBe('clarification');
    expect(await worker.stop()).toBe(0);
  });
});
