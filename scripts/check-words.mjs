// Part of `npm run lint`: names every place of a word that `banned-words.txt` lists. Reads what git knows
// and does not ignore; every file where there is no git. `--count` prints how many are left per folder.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';

const LIST = 'scripts/banned-words.txt';
/** What stands where `path` begins, or only the `text` in it, may hold banned words. */
const EXEMPT = [
  { path: 'releases/', reason: 'bundles that are signed' },
  { path: 'tests/histories/', reason: 'histories that were recorded' },
  { path: 'tests/bundles/', reason: 'an archive that was signed' },
  { path: 'package-lock.json', reason: 'written by npm' },
  { path: LIST, reason: 'the list itself' },
  { path: 'scripts/check-words.mjs', reason: 'names what is exempt' },
  { path: 'docs/glossary.md', below: '## Words of older releases', reason: 'explains old names' },
  { path: '', text: 'unparkRun', reason: 'an activity that was released' },
  { path: 'scripts/embedded/postgres-place.ts', text: 'nobody', reason: 'a user of the system' },
  { path: 'tests/domain/discussion/', text: 'whatever', reason: 'what users say' },
];
/** Where there is no git to say what is ignored. */
const NOT_OURS = ['.git', 'node_modules', 'dist', 'coverage', '.agentforge', '.schemathesis'];

const { values, positionals } = parseArgs({
  options: { count: { type: 'boolean' } },
  allowPositionals: true,
});
const root = resolve(positionals[0] ?? join(import.meta.dirname, '..'));
const lines = readFileSync(join(root, LIST), 'utf8').split('\n');
const words = lines.filter((line) => line !== '' && !line.startsWith('#'));
const banned = new RegExp(`\\b(?:${words.join('|')})\\b`, 'gi');
const found = listFiles().flatMap(findIn);

if (values.count) {
  const folders = found.map(({ file }) => file.split('/').slice(0, -1).join('/') || '.');
  for (const folder of [...new Set(folders)].sort()) {
    process.stdout.write(`${folders.filter((other) => other === folder).length} ${folder}\n`);
  }
} else {
  for (const { file, line, word } of found) {
    process.stderr.write(`${file}:${line} "${word}" is a banned word\n`);
  }
  if (found.length > 0) {
    process.stderr.write(
      `${found.length} banned words: ${LIST} lists them, docs/glossary.md ours\n`,
    );
    process.exitCode = 1;
  }
}

/** @returns paths from the root, with `/` */
function listFiles() {
  if (existsSync(join(root, '.git'))) {
    const options = { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 };
    const known = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
    const files = execFileSync('git', known, options).split('\0');
    return files.filter((file) => file !== '' && existsSync(join(root, file)));
  }
  const walk = (folder) =>
    readdirSync(folder, { withFileTypes: true })
      .filter(({ name }) => !NOT_OURS.includes(name))
      .flatMap((entry) => {
        const path = join(folder, entry.name);
        return entry.isDirectory() ? walk(path) : entry.isFile() ? [path] : [];
      });
  return walk(root).map((path) => relative(root, path).split(sep).join('/'));
}

function findIn(file) {
  const exempt = EXEMPT.filter(({ path }) => file.startsWith(path));
  if (exempt.some(({ text, below }) => text === undefined && below === undefined)) {
    return [];
  }
  const whole = readFileSync(join(root, file), 'utf8');
  if (whole.includes('\0')) {
    return []; // a picture
  }
  const end = exempt.find(({ below }) => below !== undefined)?.below;
  const checked = end === undefined ? whole : whole.split(end)[0];
  const texts = exempt.flatMap(({ text }) => text ?? []);
  return checked.split('\n').flatMap((line, index) =>
    [...line.matchAll(banned)]
      .map(([word]) => word)
      .filter((word) => !texts.includes(word))
      .map((word) => ({ file, line: index + 1, word })),
  );
}
