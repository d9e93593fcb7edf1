import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockHome } from '../../scripts/start/home-lock.js';

const home = mkdtempSync(join(tmpdir(), 'lock-test-'));
afterAll(() => {
  rmSync(home, { recursive: true });
});

test('a second start in the same home names the first', () => {
  const unlock = lockHome(home);
  expect(() => lockHome(home)).toThrow(`already runs in ${home} (pid ${process.pid})`);
  unlock();
  lockHome(home)();
  expect(existsSync(join(home, 'start.pid'))).toBe(false);
});

test('the lock of a start that was killed is taken over', () => {
  const record = { pid: process.pid, startTime: 'earlier', command: 'npm start' };
  writeFileSync(join(home, 'start.pid'), JSON.stringify(record));
  const unlock = lockHome(home);
  expect(() => lockHome(home)).toThrow('already runs');
  unlock();
});
