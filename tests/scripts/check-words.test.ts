/** The list of banned words and its check, on a tree of their own. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const LIST = 'scripts/banned-words.txt';
/** Put together here: the check reads this file, too. */
const BANNED = ['who', 'ever'].join('');
let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'words-test-'));
  put('api/clean.ts', '// a whole word that nothing bans\n');
  mkdirSync(join(root, 'scripts'));
  cpSync(LIST, join(root, LIST));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function put(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

function check(...options: string[]): { status: number | null; stdout: string; stderr: string } {
  const words = [resolve('scripts/check-words.mjs'), ...options, root];
  return spawnSync(process.execPath, words, { encoding: 'utf8' });
}

function git(...words: string[]): void {
  expect(spawnSync('git', words, { cwd: root })).toMatchObject({ status: 0 });
}

test.each(['with git', 'without git'])('a banned word fails the check, %s', (kind) => {
  if (kind === 'with git') {
    git('init', '-q');
  }
  expect(check()).toMatchObject({ status: 0, stderr: '' });
  put('api/keys.ts', `// one\n// ${BANNED.toUpperCase()} asks, ${BANNED}s do not count\n`);
  put('bench/page.md', `Nothing.\n\nTwo: ${BANNED}, ${BANNED}.\n`);
  const { status, stderr } = check();
  expect(status).toBe(1);
  expect(stderr.split('\n').slice(0, 4)).toEqual([
    `api/keys.ts:2 "${BANNED.toUpperCase()}" is a banned word`,
    `bench/page.md:3 "${BANNED}" is a banned word`,
    `bench/page.md:3 "${BANNED}" is a banned word`,
    `3 banned words: ${LIST} lists them, docs/glossary.md ours`,
  ]);
  expect(check('--count').stdout).toBe('1 api\n2 bench\n');
});

test('what is exempt or ignored is not read', () => {
  git('init', '-q');
  put('.gitignore', 'made/\n');
  for (const file of ['made/a.ts', 'releases/0.1.0/a.js', 'tests/histories/0.1.0/a.json']) {
    put(file, BANNED);
  }
  put('docs/glossary.md', `# Glossary\n\n## Words of older releases\n\n${BANNED}\n`);
  put('workflows/a.ts', ['waits.un', 'parkRun()'].join(''));
  put('docs/images/a.png', `\0${BANNED}`);
  expect(check()).toMatchObject({ status: 0, stderr: '' });
  put('docs/glossary.md', `# Glossary\n\n${BANNED}\n\n## Words of older releases\n`);
  expect(check().stderr).toContain(`docs/glossary.md:3 "${BANNED}"`);
});
