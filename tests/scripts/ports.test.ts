import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { findFreePort, requireFreePort } from '../../scripts/embedded/ports.js';

async function holdPort(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}

test('a taken port is reported with the variable to set', async () => {
  const port = await findFreePort();
  const server = await holdPort(port);
  await expect(requireFreePort('REDIS_PORT', port)).rejects.toThrow(
    new RegExp(`Port ${port} is in use.*: set REDIS_PORT to a free port`),
  );
  server.close();
});

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('the process that holds a port is named', async () => {
  const port = await findFreePort();
  const server = await holdPort(port);
  await expect(requireFreePort('PORT', port)).rejects.toThrow(`(pid ${process.pid})`);
  server.close();
});

test('a free port is no problem', async () => {
  await expect(requireFreePort('PORT', await findFreePort())).resolves.toBeUndefined();
});

test('a free port is one that no outgoing connection could take', async () => {
  const first = firstOutgoingPort();
  const ports = await Promise.all(Array.from({ length: 50 }, () => findFreePort()));
  expect(ports.filter((port) => port >= first)).toEqual([]);
});

test('no free port is given twice', async () => {
  const ports = await Promise.all(Array.from({ length: 300 }, () => findFreePort()));
  expect(new Set(ports).size).toBe(ports.length);
});

test('test files that run at once are given ports of different parts', () => {
  const partOf = (worker: string): number[] => {
    const script = `import { findFreePort } from './scripts/embedded/ports.ts';
      for (let n = 0; n < 50; n += 1) console.log(await findFreePort());`;
    const args = ['--import', './tests/support/typescript-hooks.mjs', '--input-type=module'];
    const env = { ...process.env, JEST_WORKER_ID: worker };
    const { stdout } = spawnSync(process.execPath, [...args, '-e', script], {
      env,
      encoding: 'utf8',
    });
    return stdout.trim().split('\n').map(Number);
  };
  const [first, second] = [partOf('1'), partOf('2')];
  expect([first.length, second.length]).toEqual([50, 50]);
  expect(Math.max(...first)).toBeLessThan(Math.min(...second));
});

/** Source: ip(7), ip_local_port_range; IANA's dynamic ports where there is no /proc. */
function firstOutgoingPort(): number {
  const file = '/proc/sys/net/ipv4/ip_local_port_range';
  return existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : 49_152;
}
