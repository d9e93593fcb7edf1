/**
 * No expression of the product takes more than linear time: those that stand in the sources and
 * those that are built at run time. recheck proves what it can; all are measured besides.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expectLinear } from '../support/growth.js';
import { FAMILIES } from '../support/hostile-texts.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Of all that a process of ours runs; tests read nothing from outside. */
const FOLDERS = readdirSync(ROOT, { withFileTypes: true })
  .filter(
    (entry) => entry.isDirectory() && !/^(?:\.|tests$|node_modules$|dist$|docs$)/.test(entry.name),
  )
  .map(({ name }) => name);

interface Expression {
  readonly where: string;
  readonly source: string;
  readonly flags: string;
}

/** What stands in the sources: each literal, and how often an expression is built. */
function literalsIn(file: string): { literals: Expression[]; built: number } {
  const source = ts.createSourceFile(
    file,
    readFileSync(`${ROOT}${file}`, 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  );
  const literals: Expression[] = [];
  let built = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/');
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      const where = `${file}:${line + 1}`;
      literals.push({ where, source: node.text.slice(1, end), flags: node.text.slice(end + 1) });
    }
    if (
      (ts.isNewExpression(node) || ts.isCallExpression(node)) &&
      node.expression.getText() === 'RegExp'
    ) {
      built += 1;
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { literals, built };
}

const SOURCES = FOLDERS.flatMap((folder) =>
  readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(?:tsx?|mjs)$/.test(file) && !file.endsWith('.d.ts'))
    .map((file) => `${folder}/${file}`),
).map((file) => ({ file, ...literalsIn(file) }));

/** Without one no expression takes more than a constant number of looks at each character. */
function isUnbounded({ source }: Expression): boolean {
  return /[*+]|\{\d+,\}/.test(source.replace(/\\./g, '').replace(/\[[^\]]*\]/g, ''));
}

/** What is built while the sources are loaded and used, with the file that builds it. */
async function builtExpressions(): Promise<readonly Expression[]> {
  const found = new Map<string, Expression>();
  const original = globalThis.RegExp;
  const record = (expression: RegExp): RegExp => {
    const [place] = (new Error().stack ?? '')
      .split('\n')
      .flatMap(
        (line) =>
          /\/((?!tests\/|node_modules\/)[\w-]+\/[\w/-]+\.ts):/.exec(
            line.split(ROOT.slice(0, -1))[1] ?? '',
          )?.[1] ?? [],
      );
    if (place !== undefined) {
      const { source, flags } = expression;
      found.set(`${place} ${source}`, { where: place, source, flags });
    }
    return expression;
  };
  globalThis.RegExp = new Proxy(original, {
    construct: (target, args: [string, string]) => record(Reflect.construct(target, args)),
    apply: (target, _this, args: [string, string]) => record(Reflect.construct(target, args)),
  });
  try {
    const { TEXT_FUNCTIONS } = await import('../support/text-functions.js');
    Object.values(TEXT_FUNCTIONS).forEach((reads) => reads('ok, a name (fast): 2번'));
  } finally {
    globalThis.RegExp = original;
  }
  return [...found.values()];
}

const BUILT = await builtExpressions();
const ALL = [...SOURCES.flatMap(({ literals }) => literals), ...BUILT].filter(isUnbounded);

/** Reads the repository's own files by its own list of words. */
const OF_OUR_OWN_FILES = ['scripts/check-words.mjs'];

test('every expression that is built at run time has been built here', () => {
  const missing = SOURCES.filter(
    ({ file, built }) => BUILT.filter(({ where }) => where === file).length < built,
  )
    .map(({ file }) => file)
    .filter((file) => !OF_OUR_OWN_FILES.includes(file));
  expect(missing).toEqual([]);
  expect(BUILT.length).toBeGreaterThan(40);
});

/** Wall clock: what takes longer to prove is measured only. */
const PROOF_MS = 300;

test('recheck finds none that text could make slow', async () => {
  process.env['RECHECK_BACKEND'] = 'pure'; // no Java and no program of another platform
  const { check } = await import('recheck');
  const vulnerable: string[] = [];
  for (const { where, source, flags } of ALL) {
    const proof = await check(source, flags.replace('y', ''), {
      checker: 'automaton',
      timeout: PROOF_MS,
    });
    if (proof.status === 'vulnerable') {
      vulnerable.push(`${where} ${proof.complexity.summary}: /${source}/`);
    }
  }
  expect(vulnerable).toEqual([]);
});

/** For texts that are cut to a thousand characters before: a choice of a design is short. */
const OF_SHORT_TEXTS = /^domain\/(?:approval|approval-words|design-references)\.ts/;
const LARGEST = 16_384;
const LARGEST_SHORT = 4_096;

/** @throws for an expression that a text makes slow */
function measure({ source, flags }: Omit<Expression, 'where'>, largest: number): void {
  const expression = new RegExp(source, flags.includes('g') ? flags : `${flags}g`);
  for (const { name, of } of FAMILIES) {
    try {
      expectLinear((size) => {
        const text = of(size);
        return () => text.replace(expression, '');
      }, largest);
    } catch (error) {
      throw new Error(`/${source}/ of ${name}`, { cause: error });
    }
  }
}

test.each(ALL.map((expression) => [expression.where, expression] as const))(
  'an expression of %s takes linear time',
  (where, expression) => {
    measure(expression, OF_SHORT_TEXTS.test(where) ? LARGEST_SHORT : LARGEST);
  },
);

test.each([
  /^\s*```(?:json)?\s*\n?([\s\S]*?)\n?\s*```\s*$/,
  /\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g,
  /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@]+@/gi,
  /\s*\n\s*/gu,
  /[([][^)\]]*[)\]]/gu,
  /[.,;:!?…]+$/u,
  /\/+$/,
])('%s, which earlier releases had, is found to be slow', ({ source, flags }) => {
  expect(() => {
    measure({ source, flags }, LARGEST);
  }).toThrow();
});
