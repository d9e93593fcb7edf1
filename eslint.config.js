import { fileURLToPath } from 'node:url';
import importX from 'eslint-plugin-import-x';
import regexp from 'eslint-plugin-regexp';
import tseslint from 'typescript-eslint';

const root = fileURLToPath(new URL('.', import.meta.url));

/** Who may import whom; `t` allows `import type` only. Tests, scripts and bench may import all. */
const MAY_IMPORT = {
  domain: [],
  config: ['domain'],
  telemetry: ['domain'],
  db: ['domain'],
  events: ['domain', 'telemetry'],
  llm: ['domain', 'telemetry'],
  temporal: ['domain', 'telemetry'],
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

const ROOMS = Object.keys(MAY_IMPORT);

function patternsOf(room, except = []) {
  return ROOMS.filter((other) => other !== room && !MAY_IMPORT[room].includes(other))
    .filter((other) => !except.includes(other))
    .map((other) => ({
      regex: `^(\\.\\./)+${other}/`,
      allowTypeImports: MAY_IMPORT[room].includes(`t ${other}`),
      message: `${room}/ may not import ${other}/ (see docs/architecture.md)`,
    }));
}

const PACKAGES_FOR_WORKFLOWS = {
  regex: '^(?!\\.)(?!@temporalio/(workflow|common)$)',
  message: 'workflows/ may import only @temporalio/workflow and @temporalio/common',
};
const NO_PACKAGES = { regex: '^(?!\\.)', message: 'domain/ imports no packages' };

const rooms = ROOMS.flatMap((room) => {
  const extra =
    room === 'domain' ? [NO_PACKAGES] : room === 'workflows' ? [PACKAGES_FOR_WORKFLOWS] : [];
  const rule = (patterns) => ({
    '@typescript-eslint/no-restricted-imports': ['error', { patterns: [...patterns, ...extra] }],
  });
  return [{ files: [`${room}/**/*.ts`], rules: rule(patternsOf(room)) }];
});

/** The one place that starts, signals and asks workflows knows their messages, and their types as types. */
const TEMPORAL_CLIENT = {
  files: ['temporal/client/**/*.ts'],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          ...patternsOf('temporal', ['workflows']),
          {
            regex: '^(\\.\\./)+workflows/(?!.*\\.messages\\.js$)',
            allowTypeImports: true,
            message: 'only *.messages may be imported by value',
          },
        ],
      },
    ],
  },
};

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
  ...rooms,
  TEMPORAL_CLIENT,
  { files: ['config/config.ts'], rules: {} },
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
