import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { boundLogs, rotateLog, sizeOf } from '../../scripts/embedded/logs.js';
import { waitUntil } from '../../scripts/embedded/wait.js';
import { echoErrors, errorsIn } from '../../scripts/start/echo-errors.js';

const directory = mkdtempSync(join(tmpdir(), 'logs-test-'));
const file = join(directory, 'api.log');
afterAll(() => {
  rmSync(directory, { recursive: true });
});

test('a log that has grown too long becomes the older part', () => {
  writeFileSync(file, 'x'.repeat(20));
  rotateLog(file, 10);
  expect(sizeOf(file)).toBe(0);
  expect(readFileSync(`${file}.1`, 'utf8')).toHaveLength(20);
});

test('logs that grow while their servers run are kept small, and missing ones do no harm', async () => {
  const [server, missing] = [join(directory, 'redis.log'), join(directory, 'missing.log')];
  writeFileSync(server, '');
  const stop = boundLogs([missing, server], { maxBytes: 10, everyMs: 5 });
  for (const line of ['first line\n', 'other line\n']) {
    appendFileSync(server, line);
    const isRotated = () => Promise.resolve(sizeOf(server) === 0);
    expect(await waitUntil(isRotated, { timeoutMs: 5_000 })).toBe(true);
    expect(readFileSync(`${server}.1`, 'utf8')).toBe(line);
  }
  stop();
});

test('errors and plain text are shown, other events and stacks are not', () => {
  const lines = ['{"level":"info"}', '{"level":"error"}', 'TypeError: oh', '    at x (y.js:1)', ''];
  expect(errorsIn(lines.join('\n'))).toEqual(['{"level":"error"}', 'TypeError: oh']);
});

test('only errors written after the start are echoed, each once', async () => {
  writeFileSync(file, 'old trouble\n');
  const said: string[] = [];
  const stop = echoErrors('api', file, (line) => said.push(line));
  appendFileSync(file, '{"level":"info"}\nnew trouble\nhalf');
  await waitUntil(() => Promise.resolve(said.length > 0), { timeoutMs: 5_000 });
  appendFileSync(file, ' a line\n');
  await waitUntil(() => Promise.resolve(said.length > 1), { timeoutMs: 5_000 });
  stop();
  expect(said).toEqual(['[api] new trouble', '[api] half a line']);
});
