/** `npm run audit:verify` and `audit:show`, as built, without any server. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TEST_SIGNER, TEST_SIGNING_KEY } from '../support/bundles.js';
import { runCommand } from '../support/command.js';

const FILE = new URL('../bundles/0.2.0-pipeline-parallel.json', import.meta.url).pathname;

let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'audit-'));
});
afterAll(() => {
  rmSync(home, { recursive: true });
});

function changed(what: (text: string) => string): string {
  const file = join(home, 'changed.json');
  writeFileSync(file, what(readFileSync(FILE, 'utf8')));
  return file;
}

const own = { AUDIT_SIGNING_KEY: TEST_SIGNING_KEY };

test('the bundle of a release is proved, by the key of this installation or by a named one', async () => {
  const byOwn = await runCommand('audit-verify.js', [FILE], own);
  expect(byOwn.output.trim().split('\n')).toEqual([
    expect.stringMatching(/^Chain: 32 entries, last hash [0-9a-f]{64}$/),
    `Signature: by the key ${TEST_SIGNER.keyId}`,
    'Replay: 28 events, all as the workflows of release 0.2.0 decide them',
    `PROVED  ${FILE}`,
  ]);
  expect(byOwn.code).toBe(0);
  const words = [FILE, '--key', TEST_SIGNER.keyId];
  expect(await runCommand('audit-verify.js', words)).toMatchObject({ code: 0 });
  const previous = { AUDIT_KEYS_PREVIOUS: TEST_SIGNER.publicKey };
  expect(await runCommand('audit-verify.js', [FILE], previous)).toMatchObject({ code: 0 });
});

test('a changed bundle is refused, with the place of the change', async () => {
  const file = changed((text) => text.replace('"status":"completed"', '"status":"cancelled"'));
  const { code, output } = await runCommand('audit-verify.js', [file], own);
  expect(code).toBe(1);
  expect(output).toBe(
    `REFUSED  ${file}\n${output.split('\n')[1] ?? ''}\n`, // and nothing else
  );
  expect(output).toMatch(/entry 0 \(run\), bytes 12 to \d+: is not what was archived/);
});

test('no key is trusted unless it is named', async () => {
  const { code, output } = await runCommand('audit-verify.js', [FILE]);
  expect(code).toBe(1);
  expect(output).toContain(`pass --key ${TEST_SIGNER.keyId}`);
});

test.each([
  ['audit-verify.js', []],
  ['audit-verify.js', ['one', 'two']],
  ['audit-show.js', []],
  ['audit-verify.js', ['/nowhere.json']],
])('%s with %j ends with one sentence', async (script, words) => {
  const { code, output } = await runCommand(script, words);
  expect(code).toBe(1);
  expect(output.trim().split('\n')).toHaveLength(1);
});

test('a bundle is shown as a timeline; a changed one is not', async () => {
  const { code, output } = await runCommand('audit-show.js', [FILE]);
  expect(code).toBe(0);
  expect(output).toContain('Ended completed, cost $0.000000000000');
  expect(output).toContain('History archived, 28 events');
  const times = [...output.matchAll(/^\d{4}-\S+Z/gm)].map(([time]) => time);
  expect(times.length).toBeGreaterThan(28);
  expect(times).toEqual([...times].sort());
  expect(output).toContain('temporal 7: activity task scheduled runAgent');
  const file = changed((text) => text.replace('"status":"completed"', '"status":"cancelled"'));
  expect(await runCommand('audit-show.js', [file])).toMatchObject({
    code: 1,
    output: expect.stringContaining('is not what was signed'),
  });
});

test('a release needs the key of releases', async () => {
  const without = await runCommand('release.js', []);
  expect(without).toMatchObject({ code: 1 });
  expect(without.output).toContain('Set RELEASE_SIGNING_KEY');
  const strange = await runCommand('release.js', [], { RELEASE_SIGNING_KEY: TEST_SIGNING_KEY });
  expect(strange).toMatchObject({ code: 1 });
  expect(strange.output).toContain('is not the key of releases');
});
