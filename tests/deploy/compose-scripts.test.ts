/** The scripts of deploy/compose that make secrets, and that serve Redis with them. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { Redis } from 'ioredis';
import { createSigner } from '../../audit/signing.js';
import { findFreePort } from '../../scripts/embedded/ports.js';
import { findTool, REDIS_TOOL } from '../../scripts/embedded/python-tools.js';
import { until } from '../support/until.js';

const folder = mkdtempSync(join(tmpdir(), 'compose-scripts-'));
const file = join(folder, '.env');
const toolsDir = resolve(process.env['AGENTFORGE_HOME'] ?? '.agentforge', 'tools');
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function makeSecrets(): string {
  return spawnSync('sh', ['deploy/compose/secrets.sh', file], { encoding: 'utf8' }).stdout;
}

function secrets(): ReadonlyMap<string, string> {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return new Map(
    lines.map((line) => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)]),
  );
}

test('secrets.sh adds what is missing, once, and leaves the rest', () => {
  const kept = 'SECRET_KEY=kept\nPOSTGRES_PASSWORD=kept-too\nREDIS_PASSWORD=';
  writeFileSync(file, kept, { mode: 0o644 });
  expect(makeSecrets()).toContain('REDIS_PASSWORD added');
  const made = readFileSync(file, 'utf8');
  expect(made.startsWith(kept)).toBe(true);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const signer = createSigner(Buffer.from(secrets().get('AUDIT_SIGNING_KEY') ?? '', 'base64'));
  expect(secrets().get('AUDIT_PUBLIC_KEY')).toBe(signer.publicKey);
  expect(secrets().get('REDIS_PASSWORD')).toMatch(/^[0-9a-f]{48}$/);
  expect(makeSecrets()).toBe('');
  expect(readFileSync(file, 'utf8')).toBe(made);
});

test('redis.sh serves its two users, and knows their passwords by hash only', async () => {
  const program = await findTool(REDIS_TOOL, { toolsDir, say: () => undefined });
  const port = await findFreePort();
  const server = spawn('sh', ['deploy/compose/redis.sh', '--port', String(port)], {
    stdio: 'ignore',
    env: {
      PATH: [dirname(program), process.env['PATH'] ?? ''].join(delimiter),
      USERS: resolve('deploy/redis/users.acl'),
      DATA: folder,
      REDIS_PASSWORD: 'one',
      COLLECTOR_REDIS_PASSWORD: 'two',
    },
  });
  const open = (user: string) => {
    const redis = new Redis(`redis://${user}@127.0.0.1:${port}`, { retryStrategy: () => 50 });
    redis.on('error', () => undefined);
    return redis;
  };
  const [apps, collector] = [open('agentforge:one'), open('collector:two')];
  try {
    await until('both are let in', () => apps.status === 'ready' && collector.status === 'ready');
    expect(await apps.set('rate:x', '1')).toBe('OK');
    await expect(collector.get('rate:x')).rejects.toThrow('NOPERM');
    await expect(apps.config('GET', 'dir')).rejects.toThrow('NOPERM');
    expect(readFileSync(join(folder, 'users.acl'), 'utf8')).not.toMatch(/>(?:one|two)\b/);
    expect(statSync(join(folder, 'users.acl')).mode & 0o777).toBe(0o600);
  } finally {
    apps.disconnect();
    collector.disconnect();
    server.kill('SIGKILL');
  }
});
