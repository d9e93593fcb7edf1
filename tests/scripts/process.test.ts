import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  endLeftover,
  readRunning,
  startServer,
  startTimeOf,
  writePidFile,
  type ServerSpec,
} from '../../scripts/embedded/process.js';
import { waitUntil } from '../../scripts/embedded/wait.js';

const directory = mkdtempSync(join(tmpdir(), 'process-test-'));
const pidFile = join(directory, 'server.pid');
const children: ChildProcess[] = [];

afterEach(() => {
  children.splice(0).forEach((child) => child.kill('SIGKILL'));
  rmSync(pidFile, { force: true });
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

function startSleeper(): number {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true });
  children.push(child);
  return child.pid ?? 0;
}

function specOf(script: string, more: Partial<ServerSpec> = {}): ServerSpec {
  return {
    name: 'Example',
    command: process.execPath,
    args: ['-e', script],
    env: {},
    pidFile,
    logFile: join(directory, 'server.log'),
    isReady: () => Promise.resolve(true),
    ...more,
  };
}

test('a process that was left behind is ended', async () => {
  const pid = startSleeper();
  writePidFile(pidFile, pid, 'sleeper');
  expect(await endLeftover(pidFile)).toBe(true);
  expect(startTimeOf(pid)).toBeNull();
  expect(existsSync(pidFile)).toBe(false);
});

test('another program that got the pid of an ended process is not stopped', async () => {
  const pid = startSleeper();
  writeFileSync(pidFile, JSON.stringify({ pid, startTime: 'earlier', command: 'sleeper' }));
  expect(await endLeftover(pidFile)).toBe(false);
  expect(startTimeOf(pid)).not.toBeNull();
});

test('half a pid file names no process', async () => {
  writeFileSync(pidFile, '{"pid": 1');
  expect(readRunning(pidFile)).toBeNull();
  expect(await endLeftover(pidFile)).toBe(false);
});

test('a process that ignores SIGTERM is killed when its time is over', async () => {
  const ready = join(directory, 'ready');
  const script = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);
    require('node:fs').writeFileSync(${JSON.stringify(ready)}, '');`;
  const isReady = (): Promise<boolean> => Promise.resolve(existsSync(ready));
  const server = await startServer(specOf(script, { isReady, stopTimeoutMs: 100 }));
  await server.stop();
  expect(startTimeOf(server.pid)).toBeNull();
});

test('a server that ends while starting is reported with the end of its log', async () => {
  const script = 'console.error("no such disk"); process.exit(3)';
  const isReady = (): Promise<boolean> => Promise.resolve(false);
  await expect(startServer(specOf(script, { isReady }))).rejects.toThrow(
    /Example ended at once[\s\S]*no such disk/,
  );
});

test('a server that does not get ready is ended', async () => {
  const isReady = (): Promise<boolean> => Promise.resolve(false);
  const spec = specOf('setInterval(() => {}, 1000)', { isReady, readyTimeoutMs: 100 });
  const started = startServer(spec);
  await waitUntil(() => Promise.resolve(existsSync(pidFile)), { timeoutMs: 5_000 });
  const { pid } = JSON.parse(readFileSync(pidFile, 'utf8')) as { pid: number };
  await expect(started).rejects.toThrow('Example did not get ready in time');
  expect(startTimeOf(pid)).toBeNull();
});

test('a program that is missing is named', async () => {
  await expect(startServer(specOf('', { command: '/no/such/program' }))).rejects.toThrow(
    'Example cannot be started (/no/such/program)',
  );
});
