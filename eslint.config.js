import { dirname, matchesGlob, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import importX from 'eslint-plugin-import-x';
import regexp from 'eslint-plugin-regexp';
import tseslint from 'typescript-eslint';

const root = fileURLToPath(new URL('.', import.meta.url));

/** Which layers a layer may import; `t` allows `import type` only. Tests, scripts and bench may import all. */
const MAY_IMPORT = {
  domain: [],
  config: ['domain'],
  telemetry: ['domain'],
  db: ['domain'],
  events: ['domain', 'telemetry'],
  // servers of users are reached by the connections that the collector guards
  llm: ['domain', 'telemetry', 'collector/{guard,dial,resolver,crawl-failed}'],
  temporal: ['domain', 'telemetry'],
  // the one place that starts, signals and asks workflows knows their messages
  'temporal/client': ['domain', 'telemetry', 'workflows/**/*.messages', 't workflows'],
  audit: ['domain', 'db', 'temporal'],
  activities: ['domain', 'telemetry', 'db', 'events', 'llm', 'temporal', 'audit'],
  workflows: ['domain', 't activities'],
  worker: [
    'domain',
    'config',
    'telemetry',
    'db',
    'events',
    'llm',
    'temporal',
    'audit',
    'activities',
  ],
  api: ['domain', 'config', 'telemetry', 'db', 'events', 'temporal', 'audit'],
  collector: ['domain', 'config', 'telemetry'],
  client: ['t domain'],
};
const LAYERS = Object.keys(MAY_IMPORT);

/** @returns the path from the top of the repository, with `/` */
function placeOf(path) {
  return relative(root, path).split(sep).join('/');
}

/** @returns the layer of a file; undefined where it has none, as tests */
function layerOf(place) {
  return LAYERS.findLast((layer) => place.startsWith(`${layer}/`));
}

const onlyKnownLayers = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { layer: '{{layer}}/ may not import {{place}} (see docs/architecture.md)' },
  },
  create(context) {
    const layer = layerOf(placeOf(context.filename));
    const check = (node) => {
      const name = node.source?.value ?? '';
      const place = placeOf(resolve(dirname(context.filename), name));
      const [top] = place.split('/');
      if (!name.startsWith('.') || !LAYERS.includes(top) || layer.split('/')[0] === top) {
        return;
      }
      const kinds = node.specifiers?.map(({ importKind }) => importKind) ?? [];
      const isType =
        [node.importKind, node.exportKind].includes('type') ||
        (kinds.length > 0 && kinds.every((kind) => kind === 'type'));
      const isAllowed = MAY_IMPORT[layer].some(
        (allowed) =>
          allowed === top ||
          (isType && allowed === `t ${top}`) ||
          matchesGlob(place, `${allowed}.js`),
      );
      if (!isAllowed) {
        context.report({ node, messageId: 'layer', data: { layer, place } });
      }
    };
    return { ImportDeclaration: check, ExportNamedDeclaration: check, ExportAllDeclaration: check };
  },
};

const layers = {
  files: LAYERS.flatMap((layer) => [`${layer}/**/*.ts`, `${layer}/**/*.tsx`]),
  plugins: { layers: { rules: { 'only-known': onlyKnownLayers } } },
  rules: { 'layers/only-known': 'error' },
};

/** Packages that the layers of pure code may import: all others are refused. */
const packages = [
  {
    files: ['domain/**/*.ts'],
    pattern: { regex: '^(?!\\.)', message: 'domain/ imports no packages' },
  },
  {
    files: ['workflows/**/*.ts'],
    pattern: {
      regex: '^(?!\\.)(?!@temporalio/(workflow|common)$)',
      message: 'workflows/ may import only @temporalio/workflow and @temporalio/common',
    },
  },
].map(({ files, pattern }) => ({
  files,
  rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: [pattern] }] },
}));

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'coverage/',
      '.agentforge/',
      'node_modules/',
      '**/*.js',
      '**/*.mjs',
      '**/*.d.ts',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
    plugins: { 'import-x': importX, regexp },
    settings: {
      'import-x/resolver-next': [
        importX.createNodeResolver({ extensionAlias: { '.js': ['.ts', '.js'] } }),
      ],
    },
    rules: {
      curly: 'error',
      'no-console': 'error',
      // sizes are an alarm, not a goal
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 100, skipBlankLines: true, skipComments: true }],
      'max-depth': ['error', 3],
      complexity: ['error', { max: 10, variant: 'modified' }], // a switch counts once
      // objects come from factories that close over their state: their methods have no `this`
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      'import-x/no-cycle': 'error',
      // what text from outside meets takes linear time; tests/domain/expressions.test.ts looks at
      // the expressions that are built at run time
      'regexp/no-super-linear-backtracking': ['error', { report: 'potential' }],
      'regexp/no-super-linear-move': ['error', { report: 'potential' }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
    },
  },
  layers,
  ...packages,
  {
    files: ['**/*.ts'],
    ignores: ['config/**', 'scripts/**', 'tests/**', 'bench/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'only config/ reads the environment' },
      ],
    },
  },
  {
    files: ['tests/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      // tests read nothing from outside
      'regexp/no-super-linear-backtracking': 'off',
      'regexp/no-super-linear-move': 'off',
      '@typescript-eslint/consistent-type-assertions': 'off',
      // what comes over the wire is looked at as it is
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  { files: ['scripts/**/*.ts'], rules: { 'no-console': 'off' } },
);
