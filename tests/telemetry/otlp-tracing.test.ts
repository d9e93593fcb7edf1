import { execFileSync } from 'node:child_process';
import { inLogScope, logScope } from '../../telemetry/log-scope.js';
import { silentLogger, type Logger } from '../../telemetry/logger.js';
import { startTracing } from '../../telemetry/start-tracing.js';
import { silentTracing, type Tracing } from '../../telemetry/tracing.js';
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = { traceId: TRACE, spanId: '00f067aa0ba902b7', isSampled: true };

let receiver: OtlpReceiver;
let tracing: Tracing;
const warnings: unknown[] = [];
const logger: Logger = {
  ...silentLogger,
  warn: (event, fields) => {
    warnings.push([event, fields, logScope()]);
  },
};
beforeEach(async () => {
  warnings.length = 0;
  receiver = await startOtlpReceiver();
  tracing = await tracingTo(receiver.url);
});
afterEach(async () => {
  await tracing.close();
  await receiver.close();
});

function tracingTo(endpoint: string): Promise<Tracing> {
  return startTracing({ endpoint, serviceName: null, process: 'api', logger });
}

function inTrace<T>(work: () => T): T {
  return inLogScope({ requestId: 'one', traceId: TRACE }, work);
}

function spanNamed(name: string): Promise<void> {
  return tracing.inSpan({ name, kind: 'internal' }, () => Promise.resolve());
}

test('a trace has the id of the scope, and its first span no parent', async () => {
  await inTrace(() => tracing.inSpan({ name: 'first', kind: 'server' }, () => spanNamed('second')));
  await tracing.close();
  const [second, first] = receiver.spans;
  expect(first).toMatchObject({ name: 'first', traceId: TRACE, parentSpanId: '' });
  expect(first).toMatchObject({ service: 'agentforge-api' });
  expect(second).toMatchObject({ traceId: TRACE, parentSpanId: first?.spanId });
});

test('a trace that begins while another is under way is no part of it', async () => {
  const other = { requestId: 'two', traceId: 'a'.repeat(32) };
  await inTrace(() =>
    tracing.inSpan({ name: 'around', kind: 'server' }, () =>
      inLogScope(other, () => spanNamed('other')),
    ),
  );
  await tracing.close();
  const [inner] = receiver.spans;
  expect(inner).toMatchObject({ name: 'other', traceId: other.traceId, parentSpanId: '' });
});

test('work without a trace context is done, without a span', async () => {
  expect(await tracing.inSpan({ name: 'lone', kind: 'client' }, () => Promise.resolve(7))).toBe(7);
  await tracing.close();
  expect(receiver.bodies).toEqual([]);
});

test('a failure is named by its class: its message may hold anything', async () => {
  const failing = inTrace(() =>
    tracing.inSpan({ name: 'failing', kind: 'client' }, () =>
      Promise.reject(Object.assign(new Error('a canary'), { code: 'model-refused' })),
    ),
  );
  await expect(failing).rejects.toThrow('a canary');
  await tracing.close();
  expect(receiver.spans).toMatchObject([
    { isFailed: true, attributes: { 'error.type': 'model-refused' } },
  ]);
  expect(receiver.bodies.join()).not.toContain('canary');
});

test('what looks like a key is masked', async () => {
  const secret = 'sk-abcdefghijkl';
  const attributes = { one: `a ${secret}`, more: [secret], none: null };
  await inTrace(() =>
    tracing.inSpan({ name: 'it', kind: 'client', attributes }, () => Promise.resolve()),
  );
  await tracing.close();
  expect(receiver.spans[0]?.attributes).toMatchObject({ one: 'a [masked]', more: ['[masked]'] });
  expect(receiver.spans[0]?.attributes).not.toHaveProperty('none');
});

test('a workflow’s span has the id that its children carry', async () => {
  const startedAt = Date.now() - 1_000;
  const reported = { spanId: 'abcdefabcdefabcd', parent: PARENT, attributes: {}, startedAt };
  tracing.report({ ...reported, name: 'RunWorkflow:one', errorType: 'cancelled' });
  tracing.report({
    ...reported,
    name: 'dropped',
    errorType: null,
    parent: { ...PARENT, isSampled: false },
  });
  await tracing.close();
  expect(receiver.spans).toMatchObject([
    {
      name: 'RunWorkflow:one',
      traceId: TRACE,
      spanId: reported.spanId,
      parentSpanId: PARENT.spanId,
      startedAt: BigInt(startedAt) * 1_000_000n,
      isFailed: true,
      attributes: { 'error.type': 'cancelled' },
    },
  ]);
});

test('the SDK’s own settings are obeyed: sampler and resource', async () => {
  const set = { OTEL_TRACES_SAMPLER: 'always_off', OTEL_RESOURCE_ATTRIBUTES: 'service.name=other' };
  Object.assign(process.env, set);
  const off = await tracingTo(receiver.url);
  delete process.env['OTEL_TRACES_SAMPLER'];
  const other = await tracingTo(receiver.url);
  delete process.env['OTEL_RESOURCE_ATTRIBUTES'];
  let flags: string | undefined;
  await inTrace(() =>
    off.inSpan({ name: 'off', kind: 'server' }, () => {
      flags = logScope().traceFlags;
      return Promise.resolve();
    }),
  );
  await inTrace(() => other.inSpan({ name: 'on', kind: 'server' }, () => Promise.resolve()));
  await Promise.all([off.close(), other.close()]);
  expect(flags).toBe('00');
  expect(receiver.spans).toMatchObject([{ name: 'on', service: 'other' }]);
});

test('without a receiver work goes on; the loss of spans is logged once, under no request', async () => {
  const lost = await tracingTo('http://127.0.0.1:9');
  for (let round = 0; round < 600; round += 1) {
    await inTrace(() => lost.inSpan({ name: 'lost', kind: 'server' }, () => Promise.resolve()));
  }
  await lost.close();
  expect(warnings).toEqual([
    ['spans lost', { spans: expect.any(Number), reason: expect.stringContaining('') }, {}],
  ]);
});

test('a receiver that hangs costs spans, not memory and not the end', async () => {
  receiver.hang();
  for (let round = 0; round < 8_000; round += 1) {
    await inTrace(() => spanNamed('one of many'));
  }
  const startedAt = performance.now();
  await tracing.close();
  expect(performance.now() - startedAt).toBeLessThan(9_000);
  const sent = receiver.bodies.join('').split('"one of many"').length - 1;
  expect(sent).toBeGreaterThan(512);
  expect(sent).toBeLessThanOrEqual(512 + 2_048);
});

test('without an endpoint nothing of the SDK is loaded, and work is only done', async () => {
  const off = { endpoint: null, serviceName: null, process: 'worker' as const, logger };
  expect(await startTracing(off)).toBe(silentTracing);
  expect(await silentTracing.inSpan({ name: 'x', kind: 'client' }, () => Promise.resolve(1))).toBe(
    1,
  );
  silentTracing.report({
    ...{ name: 'x', spanId: 'x', parent: PARENT, attributes: {}, startedAt: 0, errorType: null },
  });
  await silentTracing.close();
  const program = `
    const { createRequire } = await import('node:module');
    const load = (path) => import(new URL(path, 'file://${process.cwd()}/dist/').href);
    await Promise.all(['worker/composition-root.js', 'worker/worker.js', 'api/composition-root.js', 'api/http/app.js'].map(load));
    const loaded = () => Object.keys(createRequire(import.meta.url).cache).filter((path) =>
      /@opentelemetry.(sdk|exporter|otlp|resources)/.test(path)).length;
    const before = loaded();
    await load('telemetry/otlp-tracing.js');
    console.log(before, loaded() > 10);
    process.exit();`;
  const args = ['--input-type=module', '--eval', program];
  expect(execFileSync(process.execPath, args, { encoding: 'utf8' }).trim()).toBe('0 true');
});
