import config from './jest.config.js';
import { LONG_TESTS } from './tests/support/long-tests.mjs';

/** @type {import('jest').Config} */
export default {
  ...config,
  testMatch: LONG_TESTS.map((path) => `<rootDir>/${path}`),
  testPathIgnorePatterns: [],
};
