import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearAfterKill } from '../../scripts/embedded/postgres-lock.js';
import { startTimeOf } from '../../scripts/embedded/process.js';
import { until } from '../support/until.js';

const directory = mkdtempSync(join(tmpdir(), 'postgres-lock-'));
const lock = join(directory, 'postmaster.pid');
const program = join(directory, 'postgres');
copyFileSync('/bin/sleep', program);
const children: ChildProcess[] = [];

afterAll(() => {
  children.forEach((child) => child.kill('SIGKILL'));
  rmSync(directory, { recursive: true });
});

function run(command: string, args: readonly string[], cwd = '/'): ChildProcess {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  return child;
}

/** A server that has ended, but whose parent, no shell any more by then, never asks. */
async function pidOfUncollected(): Promise<number> {
  const parent = run('/bin/sh', ['-c', '"$0" 0.5 & echo $!; exec /bin/sleep 600', program]);
  const said = await new Promise<Buffer>((resolve) => parent.stdout?.once('data', resolve));
  const pid = Number(said.toString());
  await until('it has ended', () => startTimeOf(pid) === null);
  return pid;
}

async function linesAfter(pid: number, timeoutMs?: number): Promise<string[]> {
  writeFileSync(lock, `${pid}\n/data\nkey of the memory\n`);
  await clearAfterKill(directory, timeoutMs);
  return readFileSync(lock, 'utf8').split('\n');
}

test('the lock of a killed server that its parent has not reaped is removed, its memory is not', async () => {
  const pid = await pidOfUncollected();
  expect(() => process.kill(pid, 0)).not.toThrow(); // which is how PostgreSQL asks
  expect(await linesAfter(pid)).toEqual([String(process.pid), '/data', 'key of the memory', '']);
});

test('the lock of a pid that another program has now is removed', async () => {
  const { pid = 0 } = run('/bin/sleep', ['600']);
  expect((await linesAfter(pid))[0]).toBe(String(process.pid));
});

test('the lock of a server that runs stays', async () => {
  const { pid = 0 } = run(program, ['600']);
  expect((await linesAfter(pid))[0]).toBe(String(pid));
});

test('sessions of a killed server are ended before the next one starts', async () => {
  const session = run(program, ['600'], directory);
  await linesAfter(await pidOfUncollected(), 50);
  await until('it has ended', () => session.signalCode !== null);
  expect(session.signalCode).toBe('SIGKILL');
});
