/** Links and names of files in all documents: each leads somewhere. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';

const NOT_OURS = /^(?:node_modules|dist|coverage|\.git|\.agentforge)$/;
const FILES = readdirSync('.', { withFileTypes: true })
  .filter(({ name }) => !NOT_OURS.test(name))
  .flatMap((entry) =>
    entry.isDirectory()
      ? readdirSync(entry.name, { recursive: true, encoding: 'utf8' })
          .map((path) => join(entry.name, path))
          .filter((path) => statSync(path).isFile())
      : [entry.name],
  );
const PAGES = FILES.filter((file) => file.endsWith('.md'));
const FOLDERS = new Set(FILES.flatMap(foldersOf));

function foldersOf(file: string): readonly string[] {
  const folder = dirname(file);
  return folder === '.' ? [] : [folder, ...foldersOf(folder)];
}

/** Without code, in which nothing is a link. */
function proseOf(page: string): string {
  return readFileSync(page, 'utf8').replaceAll(/^```[^]*?^```/gm, '');
}

/** As GitHub makes anchors of headings. */
function anchorsOf(page: string): readonly string[] {
  return [...proseOf(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function isThere(path: string): boolean {
  return FILES.includes(path) || FOLDERS.has(path.replace(/\/$/, ''));
}

function problemOf(page: string, target: string): string | null {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : normalize(join(dirname(page), decodeURI(path)));
  if (!isThere(file)) {
    return `${page}: ${target}`;
  }
  return anchor === undefined || anchorsOf(file).includes(anchor)
    ? null
    : `${page}: no heading for ${target}`;
}

test.each(PAGES)('%s: every relative link leads to a file and a heading', (page) => {
  const targets = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  const relative = targets.filter((target) => !/^[a-z]+:/.test(target));
  expect(relative.flatMap((target) => problemOf(page, target) ?? [])).toEqual([]);
});

test.each(PAGES)('%s: every file that it names is there', (page) => {
  const names = [...proseOf(page).matchAll(/`([\w-]+(?:\/[\w.-]+)+\/?)`/g)].map(
    ([, name = '']) => name,
  );
  const top = (name: string): string => name.split('/')[0] ?? '';
  const ofTheRepository = names.filter((name) => FOLDERS.has(top(name)));
  const missing = ofTheRepository.filter(
    (name) => ![name, `${name}.test.ts`, normalize(join(dirname(page), name))].some(isThere),
  );
  expect(missing).toEqual([]);
});

test('every page that a source names is there', () => {
  const sources = FILES.filter((file) => /^(?!releases\/).*\.(?:ts|mjs|js|ya?ml|sh)$/.test(file));
  const missing = sources.flatMap((file) => {
    const names =
      readFileSync(file, 'utf8').match(/\bdocs\/(?:decisions\/\d{4}|[\w/-]+\.md)/g) ?? [];
    const isMissing = (name: string) => !PAGES.some((page) => page.startsWith(name));
    const ofOurs = names.filter((name) => !name.startsWith('docs/gen-ai/')); // OpenTelemetry's
    return ofOurs.filter(isMissing).map((name) => `${file}: ${name}`);
  });
  expect(missing).toEqual([]);
});

test('docs/reliability.md: every test that it names is there', () => {
  const names = readFileSync('docs/reliability.md', 'utf8').match(/\btests\/[\w./-]+\w/g) ?? [];
  const missing = names.filter((name) => !isThere(name) && !isThere(`${name}.test.ts`));
  expect(missing).toEqual([]);
});

test.each(['docs', 'docs/decisions', 'docs/runbooks'])(
  '%s: every page is in its index',
  (folder) => {
    const index = readFileSync(`${folder}/README.md`, 'utf8');
    const pages = PAGES.filter(
      (page) => dirname(page) === folder && page !== `${folder}/README.md`,
    );
    expect(pages.filter((page) => !index.includes(`(${basename(page)})`))).toEqual([]);
  },
);
