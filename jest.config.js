import { LONG_TESTS } from './tests/support/long-tests.mjs';

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // beyond the tests: where what no test loads is to be counted as uncovered
  roots: ['<rootDir>/tests', '<rootDir>/api', '<rootDir>/db', '<rootDir>/domain'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: LONG_TESTS.map((path) => `<rootDir>/${path}$`),
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2023',
          parser: { syntax: 'typescript' },
          experimental: { keepImportAttributes: true },
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  setupFiles: ['<rootDir>/tests/support/core-errors.ts'],
  globalSetup: '<rootDir>/tests/support/global-setup.mjs',
  globalTeardown: '<rootDir>/tests/support/global-teardown.mjs',
  // scripts/coverage.ts adds what the built processes run
  coverageProvider: 'v8',
  collectCoverageFrom: ['{api,db,domain}/**/*.ts'],
  coverageDirectory: 'coverage',
  coverageReporters: ['json'],
  // a limit, never a measure: a busy machine takes several times as long as a quiet one
  testTimeout: 240_000,
  // one more than the two cores that this is measured on: much of a test is waiting
  maxWorkers: 3,
  testSequencer: '<rootDir>/tests/support/slow-first.mjs',
};
