import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { randomUUID } from 'node:crypto';
import { appendPage } from '../../telemetry/metrics.js';
import { startApiServer, type ApiServer } from '../support/api-server.js';

let api: ApiServer;
beforeAll(async () => {
  api = await startApiServer();
});
afterAll(() => api.close());

test.each(['/health', '/api/v1/health'])('%s says that the process is alive', async (path) => {
  const response = await api.request(path);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({
    status: 'healthy',
    version: '0.2.0',
    timestamp: expect.stringMatching(/Z$/),
  });
});

describe('/readyz', () => {
  test('is 200 while every part is up', async () => {
    const response = await api.request('/readyz');
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: 'ready' });
  });

  test('is 503 and names the part that is down or does not answer', async () => {
    const up = () => Promise.resolve();
    const unready = await startApiServer({
      deps: {
        checks: {
          postgres: up,
          redis: () => new Promise(() => undefined),
          temporal: () => Promise.reject(new Error('gone')),
        },
      },
    });
    const response = await unready.request('/readyz');
    const body = await response.json();
    await unready.close();
    expect(response.status).toBe(503);
    expect(body).toEqual({
      detail: 'Not ready, down: redis, temporal',
      parts: { postgres: 'up', redis: 'down', temporal: 'down' },
    });
  });
});

describe('/readyz, while the loop is held for longer than a part may take,', () => {
  const HELD_MS = 2_500;
  const hold = () => {
    for (const end = performance.now() + HELD_MS; performance.now() < end;) {
      // held
    }
  };
  const up = () => Promise.resolve();
  /** Answers at once, over the network. */
  const ask = async (url: string, signal?: AbortSignal) => {
    const answered = fetch(url, { signal: signal ?? null });
    setTimeout(hold, 50); // the question has left, the answer is not read yet
    await answered;
  };

  test.each([
    ['an answer that is there is read', () => undefined],
    ['a client’s deadline that has passed is no answer', () => AbortSignal.timeout(1_000)],
  ])('%s', async (_, limit) => {
    const part = createServer((_request, response) => {
      setTimeout(() => response.end(), 100);
    });
    await new Promise<void>((resolve) => part.listen(0, '127.0.0.1', resolve));
    const { port } = part.address() as AddressInfo;
    let asked = 0;
    const redis = async () => {
      asked += 1;
      const url = `http://127.0.0.1:${port}/`;
      await (asked === 1 ? ask(url, limit()) : fetch(url));
    };
    const server = await startApiServer({
      deps: { checks: { postgres: up, redis, temporal: up } },
    });
    const { status } = await server.request('/readyz');
    await server.close();
    part.closeAllConnections();
    await new Promise((resolve) => part.close(resolve));
    expect(status).toBe(200);
  });
});

describe('/metrics', () => {
  const page = async (server = api) => (await server.request('/metrics')).text();

  test('is a Prometheus text page', async () => {
    const response = await api.request('/metrics');
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toContain('# TYPE websocket_connections_active gauge');
  });

  test('labels requests by route, with any ids', async () => {
    const person = await api.register();
    for (const id of ['anything', '42', randomUUID()]) {
      await api.send('GET', `/pipelines/${id}x/status`, { token: person.token });
      await api.send('GET', `/nowhere/${id}`);
      await api.send('DELETE', `/conversations/${id}`);
    }
    const text = await page();
    const labels = [...text.matchAll(/^http_requests_total\{.*endpoint="([^"]*)"/gm)];
    const endpoints = new Set(labels.map((match) => match[1]));
    expect(endpoints).toContain('/api/v1/pipelines/{id}/status');
    expect(endpoints).toContain('/api/v1/conversations/{id}');
    expect(endpoints).toContain('unknown');
    expect([...endpoints].join()).not.toMatch(/anything|nowhere|42/);
    expect(text).toMatch(
      /http_requests_total\{method="GET",endpoint="\/api\/v1\/pipelines\/\{id\}\/status",status="404"\} 3/,
    );
    expect(text).toMatch(/http_request_duration_seconds_bucket\{le="0.025",.*conversations/);
  });

  test('leaves health and itself out', async () => {
    await api.request('/api/v1/health');
    expect(await page()).not.toMatch(/endpoint="[^"]*(health|metrics)/);
  });

  test('adds the worker’s page, and does without it when it is away', async () => {
    const worker = createServer((_request, response) => {
      response.end('# TYPE llm_requests_total counter\nllm_requests_total{provider="openai"} 7\n');
    });
    await new Promise<void>((resolve) => worker.listen(0, '127.0.0.1', resolve));
    const { port } = worker.address() as AddressInfo;
    const workerMetricsUrl = `http://127.0.0.1:${port}/metrics`;
    const both = await startApiServer({ config: { workerMetricsUrl } });
    expect(await page(both)).toContain('llm_requests_total{provider="openai"} 7');
    worker.closeAllConnections();
    await new Promise((resolve) => worker.close(resolve));
    expect(await page(both)).toContain('# TYPE http_requests_total counter');
    await both.close();
  });

  test('names a metric once, even if both processes have it', () => {
    const own = '# HELP up x\n# TYPE up gauge\nup 1\n';
    const other = '# TYPE up gauge\nup 2\n# HELP down x\n# TYPE down gauge\ndown 3\n\n';
    expect(appendPage(own, other)).toBe(`${own}# HELP down x\n# TYPE down gauge\ndown 3\n`);
    expect(appendPage(own, '')).toBe(own);
  });
});

describe('/openapi.json', () => {
  interface Operation {
    readonly responses: Record<string, { content?: Record<string, { schema: object }> }>;
    readonly requestBody?: { content: Record<string, { schema: object }> };
    readonly parameters?: { name: string; in: string; required: boolean; schema: object }[];
    readonly security: unknown[];
  }
  interface Document {
    readonly openapi: string;
    readonly paths: Record<string, Record<string, Operation>>;
    readonly components: { schemas: Record<string, object> };
  }
  const read = async () => (await (await api.request('/openapi.json')).json()) as Document;

  // before those that compile schemas: idle connections end while the event loop is held up
  test('asks for a user where it says so, and nowhere else', async () => {
    const { paths } = await read();
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, { security }] of Object.entries(operations)) {
        const route = `${method} ${path}`;
        const isRefused = async (headers: Record<string, string>) => {
          const { status } = await api.request(path.replace(/\{\w+\}/g, randomUUID()), {
            method: method.toUpperCase(),
            headers: { 'Content-Type': 'application/json', Origin: api.url, ...headers },
            ...(['post', 'put'].includes(method) ? { body: '{}' } : {}),
          });
          return [route, status === 401];
        };
        const asSaid = [route, security.length > 0];
        expect(await isRefused({})).toEqual(asSaid);
        expect(await isRefused({ 'X-API-Key': 'sk-wrong' })).toEqual(asSaid);
        expect(await isRefused({ Authorization: 'Bearer a.b.c' })).toEqual(asSaid);
      }
    }
  });

  test('lists every route with every status', async () => {
    const { openapi, paths } = await read();
    expect(openapi).toBe('3.1.0');
    const listed = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(
        ([method, { responses }]) =>
          `${method} ${path.replace('/api/v1', '')} ${Object.keys(responses).join(' ')}`,
      ),
    );
    expect(listed.sort()).toEqual(
      [
        'get /health 200 500',
        'get /health 200 500',
        'get /readyz 200 500 503',
        'get /metrics 200 403 500',
        'get /openapi.json 200 500',
        'get /docs 200 500',
        'post /auth/register 201 400 403 409 413 415 422 429 500 503',
        'post /auth/login 200 400 401 403 413 415 422 429 500 503',
        'post /auth/refresh 200 400 401 403 413 415 422 429 500 503',
        'post /auth/session 200 400 401 403 413 415 422 429 500 503',
        'post /auth/session/register 201 400 403 409 413 415 422 429 500 503',
        'post /auth/session/refresh 200 401 403 429 500 503',
        'delete /auth/session 204 403 500 503',
        'delete /auth/sessions 204 401 429 500 503',
        'get /auth/me 200 401 429 500 503',
        'put /auth/me 200 400 401 413 415 422 429 500 503',
        'delete /auth/me 202 204 400 401 413 415 422 429 500 503',
        'delete /auth/users/{user_id} 202 204 400 401 403 404 422 429 500 503',
        'put /auth/users/{user_id}/role 200 400 401 403 404 413 415 422 429 500 503',
        'get /auth/me/usage 200 401 429 500 503',
        'post /conversations 201 400 401 403 413 415 422 429 500 503',
        'get /conversations 200 401 429 500 503',
        'get /conversations/search 200 401 422 429 500 503',
        'get /conversations/{conversation_id}/messages 200 401 404 422 429 500 503',
        'get /conversations/{conversation_id} 200 401 404 422 429 500 503',
        'post /templates 201 400 401 413 415 422 429 500 503',
        'get /templates 200 401 429 500 503',
        'get /templates/shared 200 401 422 429 500 503',
        'get /templates/{template_id} 200 401 404 422 429 500 503',
        'put /templates/{template_id} 200 400 401 404 413 415 422 429 500 503',
        'delete /templates/{template_id} 204 401 404 422 429 500 503',
        'post /templates/{template_id}/fork 201 400 401 404 422 429 500 503',
        'get /pipelines 200 401 422 429 500 503',
        'post /pipelines/execute 200 202 400 401 403 404 409 413 415 422 429 500 503',
        'post /pipelines/execute-direct 200 202 400 401 403 404 409 413 415 422 429 500 503',
        'get /pipelines/{pipeline_id}/status 200 401 404 422 429 500 503',
        'get /pipelines/{pipeline_id}/result 200 202 401 404 422 429 500 503',
        'post /pipelines/{pipeline_id}/cancel 200 202 401 404 422 429 500 503',
        'post /pipelines/{pipeline_id}/pause 202 401 404 409 422 429 500 503',
        'post /pipelines/{pipeline_id}/resume 202 401 404 409 422 429 500 503',
        'get /pipelines/{pipeline_id}/audit 200 401 404 409 422 429 500 503',
        'get /conversations/{conversation_id}/audit 200 401 404 422 429 500 503',
        'get /conversations/{conversation_id}/audit/{run_id} 200 401 404 422 429 500 503',
        'get /audit/keys 200 500',
        'get /audit/tombstones/{head} 200 401 404 422 429 500 503',
        'get /pipelines/{pipeline_id}/events 200 204 401 404 422 429 500 503',
        'get /approvals 200 401 422 429 500 503',
        'get /pipelines/{pipeline_id}/approvals 200 401 404 422 429 500 503',
        'post /pipelines/{pipeline_id}/approvals/{node} 200 202 400 401 404 409 413 415 422 429 500 503',
        'post /pipelines/{pipeline_id}/rerun 200 202 400 401 403 404 409 413 415 422 429 500 503',
        'get /pipelines/{pipeline_id}/compare/{other} 200 401 404 422 429 500 503',
        'put /auth/users/{user_id}/budget 200 400 401 403 404 413 415 422 429 500 503',
        'post /api-keys 201 400 401 413 415 422 429 500 503',
        'get /api-keys 200 401 429 500 503',
        'delete /api-keys/{key_id} 204 401 404 422 429 500 503',
        'post /llm-keys 201 400 401 413 415 422 429 500 503',
        'get /llm-keys 200 401 429 500 503',
        'delete /llm-keys/{key_id} 204 401 404 422 429 500 503',
        'post /llm-keys/{key_id}/validate 200 401 404 422 429 500 503',
        'post /model-endpoints 201 400 401 403 409 413 415 422 429 500 503',
        'get /model-endpoints 200 401 429 500 503',
        'delete /model-endpoints/{endpoint_id} 204 401 404 422 429 500 503',
        'post /model-endpoints/{endpoint_id}/check 200 401 404 422 429 500 503',
        'get /stats/usage-history 200 401 422 429 500 503',
        'get /stats/pipeline-history 200 401 422 429 500 503',
        'get /stats/costs 200 401 422 429 500 503',
        'get /stats/summary 200 401 429 500 503',
        'post /codec/decode 200 400 401 403 413 415 422 429 500 503',
        'get /codec/sign-in 200 500',
        'get /setup 200 500',
        'get /admin/setup 200 401 403 429 500 503',
        'get /admin/users 200 401 403 422 429 500 503',
        'get /admin/runs 200 401 403 422 429 500 503',
        'get /admin/stuck 200 401 403 422 429 500 503',
        'get /admin/costs 200 401 403 422 429 500 503',
        'get /admin/actions 200 401 403 422 429 500 503',
        'post /admin/users/{user_id}/approve 200 401 403 404 409 422 429 500 503',
        'post /admin/users/{user_id}/disable 200 400 401 403 404 413 415 422 429 500 503',
        'post /admin/users/{user_id}/enable 200 401 403 404 422 429 500 503',
        'post /admin/runs/{run_id}/release 200 401 403 404 409 422 429 500 503',
        'post /codec/session 204 400 401 403 429 500 503',
        'delete /codec/session 204 500',
      ].sort(),
    );
  });

  test('holds valid schemas only, and every reference leads somewhere', async () => {
    const document = await read();
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ $id: 'api', components: document.components });
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
    const contents = operations.flatMap((operation) => [
      ...Object.values(operation.responses).map((response) => response.content),
      operation.requestBody?.content,
    ]);
    const schemas = contents.flatMap((content) =>
      Object.values(content ?? {}).map((entry) => entry.schema),
    );
    const parameters = operations.flatMap((operation) => operation.parameters ?? []);
    expect(schemas.length).toBeGreaterThan(50);
    for (const schema of [...schemas, ...parameters.map((parameter) => parameter.schema)]) {
      const text = JSON.stringify(schema).replaceAll('"#/components', '"api#/components');
      expect(() => ajv.compile(JSON.parse(text))).not.toThrow();
    }
    expect(document.components.schemas).toHaveProperty('PipelineStatus');
  });

  test('describes what a real answer looks like', async () => {
    const document = await read();
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const person = await api.register();
    const { body } = await api.send('GET', '/auth/me', { token: person.token });
    const isUser = ajv.compile(document.components.schemas['User'] ?? {});
    expect(isUser(body)).toBe(true);
    expect(isUser({ ...body, role: 'king' })).toBe(false);
  });
});
