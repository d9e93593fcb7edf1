import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSecrets } from '../../scripts/embedded/secrets.js';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'secrets-test-'));
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

test('secrets are made once and stay the same', () => {
  const first = loadSecrets(home);
  expect(loadSecrets(home)).toEqual(first);
  expect(Buffer.from(first.encryptionKey, 'base64')).toHaveLength(32);
  expect(Buffer.from(first.auditSigningKey, 'base64')).toHaveLength(32);
  expect(readdirSync(home).sort()).toEqual([
    'audit-signing-key',
    'collector-secret',
    'secrets.json',
  ]);
});

test('only their owner can read the secrets', () => {
  loadSecrets(home);
  for (const file of ['secrets.json', 'audit-signing-key']) {
    expect(statSync(join(home, file)).mode & 0o777).toBe(0o600);
  }
});

test('an older state directory gets the key that signs archives, and keeps its secrets', () => {
  const { auditSigningKey: _made, ...before } = loadSecrets(home);
  rmSync(join(home, 'audit-signing-key'));
  const after = loadSecrets(home);
  expect(after).toMatchObject(before);
  expect(loadSecrets(home)).toEqual(after);
});

test('damaged secrets are never replaced', () => {
  writeFileSync(join(home, 'secrets.json'), '{"secretKey": "');
  expect(() => loadSecrets(home)).toThrow('secrets.json is damaged: restore it');
  rmSync(join(home, 'secrets.json'));
  writeFileSync(join(home, 'audit-signing-key'), 'c2hvcnQ=');
  expect(() => loadSecrets(home)).toThrow('audit-signing-key is damaged: restore it');
});
