/** A loop that is held is named, counted, and ends its process when nothing else helps. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { register } from '../support/person.js';
import { startProduct, type Product, type ProductProcess } from '../support/product.js';
import { until } from '../support/until.js';

const HOLD_MS = 3_000;

let home: string;
let product: Product;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'held-loops-'));
  product = await startProduct({
    apis: 0,
    workers: 0,
    env: {
      NODE_OPTIONS: `--import ${new URL('../support/hold-loop.mjs', import.meta.url).href}`,
      WATCHDOG_HELD_SECONDS: '2',
      WATCHDOG_EXIT_SECONDS: '0',
    },
  });
});
afterEach(async () => {
  await Promise.all(
    [...product.apis, ...product.workers, ...product.collectors].map((it) => it.stop()),
  );
});
afterAll(async () => {
  await product.stop();
  rmSync(home, { recursive: true });
});

/** For one process: a file that says what to hold. */
function holdFile(): string {
  return join(home, randomUUID());
}

type Order = Readonly<{ loop: 'main' | 'workflow'; at?: string; ms?: number; stray?: string }>;

function hold(file: string, order: Order): void {
  writeFileSync(file, JSON.stringify({ ms: HOLD_MS, ...order }));
}

type Line = Readonly<Record<string, any>>;

function linesOf({ lines }: ProductProcess, event: string): readonly Line[] {
  return lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line)
    .filter((line) => line['event'] === event);
}

/** Waits until the process is reported as not ready. */
async function heldLine(held: ProductProcess): Promise<Line> {
  return until('the error of a held loop', () =>
    linesOf(held, 'loop held').find(({ level }) => level === 'error'),
  );
}

async function pageAt(url: string, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(10_000) });
  return { status: response.status, text: await response.text() };
}

async function heldOnPage(url: string, loop: string): Promise<boolean> {
  const { text } = await pageAt(url, '/metrics');
  const counted = text.includes(`agentforge_loop_held_total{loop="${loop}"} 1`);
  return counted && text.includes(`agentforge_loop_held_seconds_count{loop="${loop}"} 1`);
}

const freed = (held: ProductProcess) =>
  until('the loop is free again', () => linesOf(held, 'loop free again').length > 0);

test('of an API: the request is named and counted; it is ready as soon as the loop is free', async () => {
  const file = holdFile();
  const api = await product.startApi({ HOLD_FILE: file });
  hold(file, { loop: 'main', at: 'request-log' });
  const requestId = randomUUID();
  const held = fetch(`${api.url}/api/v1/auth/me`, { headers: { 'X-Request-ID': requestId } });
  await until('the loop is held', () => linesOf(api, 'loop held').length > 0);
  await expect(fetch(`${api.url}/readyz`, { signal: AbortSignal.timeout(500) })).rejects.toThrow();
  expect((await held).status).toBe(401);
  expect((await pageAt(api.url, '/readyz')).status).toBe(200);
  expect(await heldLine(api)).toMatchObject({
    process: 'api',
    loop: 'main',
    work: 'request',
    method: 'GET',
    route: '/api/v1/auth/me',
    requestId,
    stack: expect.stringContaining('request-log'),
  });
  await freed(api);
  await until('it is counted', () => heldOnPage(api.url, 'main'));
});

test('of a collector: the request is named', async () => {
  const file = holdFile();
  const port = '0';
  const collector = await product.startCollector({ HOLD_FILE: file, COLLECTOR_PORT: port });
  const { port: listening } = await collector.sees('collector ready');
  hold(file, { loop: 'main', at: 'middleware' });
  const url = `http://127.0.0.1:${String(listening)}`;
  await pageAt(url, '/api/v1/collections/unknown/status');
  expect(await heldLine(collector)).toMatchObject({
    process: 'collector',
    work: 'request',
    route: '/api/v1/collections/{id}/status',
  });
  await until('it is counted', () => heldOnPage(url, 'main'));
});

test('of a worker, its main loop: the activity and its workflow are named', async () => {
  const file = holdFile();
  const api = await product.startApi();
  const worker = await product.startWorker({ HOLD_FILE: file });
  hold(file, { loop: 'main', at: 'trace' });
  const person = await register(api.url);
  const chat = await person.chat(await person.startConversation());
  await chat.say('I need some help');
  expect(await heldLine(worker)).toMatchObject({
    loop: 'main',
    work: 'activity',
    activity: 'loadDiscussion',
    workflowType: 'discussionWorkflow',
    workflowId: expect.stringMatching(/^discussion-/),
  });
  await chat.close();
});

test('of a worker, its workflow thread: the workflow is named, and the worker not ready meanwhile', async () => {
  const file = holdFile();
  const api = await product.startApi();
  const worker = await product.startWorker({ HOLD_FILE: file });
  const { metricsPort } = await worker.sees('worker ready');
  const url = `http://127.0.0.1:${String(metricsPort)}`;
  expect((await pageAt(url, '/readyz')).status).toBe(200);
  const person = await register(api.url);
  const chat = await person.chat(await person.startConversation());
  hold(file, { loop: 'workflow', ms: 4_000 });
  const answered = chat.say('I need some help');
  expect(await heldLine(worker)).toMatchObject({
    loop: 'workflow',
    work: 'workflow',
    workflowType: 'discussionWorkflow',
    workflowId: expect.stringMatching(/^discussion-/),
  });
  expect(await pageAt(url, '/readyz')).toMatchObject({ status: 503 });
  expect(await pageAt(url, '/health')).toMatchObject({ status: 200 });
  await answered;
  await until(
    'the worker is ready again',
    async () => (await pageAt(url, '/readyz')).status === 200,
  );
  await until('it is counted', () => heldOnPage(url, 'workflow'));
  await chat.close();
});

test.each(['main', 'workflow'] as const)('a worker whose %s loop stays held ends', async (loop) => {
  const file = holdFile();
  const api = await product.startApi();
  const worker = await product.startWorker({ HOLD_FILE: file, WATCHDOG_EXIT_SECONDS: '4' });
  hold(file, { loop, at: 'trace', ms: 600_000 });
  const person = await register(api.url);
  const chat = await person.chat(await person.startConversation());
  const answered = chat.say('I need some help');
  expect(await worker.ended()).not.toBe(0);
  const [line] = linesOf(worker, 'loop held for too long: the process ends, to be started again');
  expect(line).toMatchObject({ level: 'error', loop, workflowType: 'discussionWorkflow' });
  await product.startWorker(); // as its supervisor does
  await answered;
  await chat.close();
});

test('a process that was stopped and goes on was not held', async () => {
  const api = await product.startApi({ WATCHDOG_EXIT_SECONDS: '3' });
  await pageAt(api.url, '/readyz');
  api.child.kill('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  api.child.kill('SIGCONT');
  expect((await pageAt(api.url, '/readyz')).status).toBe(200);
  await new Promise((resolve) => setTimeout(resolve, 1_000)); // several of the watchdog's steps
  expect(linesOf(api, 'loop held')).toEqual([]);
  expect(api.child.exitCode).toBeNull();
});

test('a process whose output is not read any more ends', async () => {
  const api = await product.startApi({ WATCHDOG_EXIT_SECONDS: '3' });
  api.child.stdout?.pause();
  const ask = () =>
    fetch(`${api.url}/${'a'.repeat(4_000)}`, { signal: AbortSignal.timeout(5_000) });
  await until('its writing is held', () =>
    ask().then(
      () => false,
      () => true,
    ),
  );
  await until('it ends', () => api.child.signalCode === 'SIGKILL');
  api.child.stdout?.resume();
});

test('a rejection that no code waits for is logged and counted, and ends nothing', async () => {
  const file = holdFile();
  const api = await product.startApi({ HOLD_FILE: file });
  hold(file, { loop: 'main', stray: 'rejection' });
  const { error } = await api.sees('promise rejected, and no code waits for it');
  expect(error).toMatchObject({ message: 'a stray rejection', stack: expect.any(String) });
  const { text } = await pageAt(api.url, '/metrics');
  expect(text).toContain('agentforge_stray_errors_total 1');
  expect((await pageAt(api.url, '/readyz')).status).toBe(200);
});

test('an exception that is not caught is logged, and ends the process with exit code 1', async () => {
  const file = holdFile();
  const api = await product.startApi({ HOLD_FILE: file });
  hold(file, { loop: 'main', stray: 'exception' });
  expect(await api.ended()).toBe(1);
  const [line] = linesOf(api, 'exception not caught: the process ends, to be started again');
  expect(line).toMatchObject({ level: 'error', error: { message: 'a stray exception' } });
});

test('a process that a debugger may stop is not watched', async () => {
  const file = holdFile();
  const { NODE_OPTIONS = '' } = product.env;
  const api = await product.startApi({
    HOLD_FILE: file,
    NODE_OPTIONS: `${NODE_OPTIONS} --inspect=127.0.0.1:0`,
    WATCHDOG_EXIT_SECONDS: '2.5',
  });
  hold(file, { loop: 'main', at: 'request-log' });
  expect((await pageAt(api.url, '/api/v1/auth/me')).status).toBe(401);
  expect(linesOf(api, 'loop held')).toEqual([]);
});
