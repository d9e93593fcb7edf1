import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What `npm run test:long` runs and `npm test` leaves out, so that it stays short enough for every change. */
export const LONG_TESTS = [
  'tests/bench/budget.test.ts',
  'tests/bench/programs.test.ts',
  'tests/deploy/alerts.test.ts',
  'tests/deploy/dashboards.test.ts',
  'tests/deploy/kubernetes.test.ts',
  'tests/domain/expressions.test.ts',
  'tests/domain/growth.test.ts',
  'tests/e2e/bounds.test.ts',
  'tests/e2e/canary.test.ts',
  'tests/e2e/held-loops.test.ts',
  'tests/e2e/key-changes.test.ts',
  'tests/e2e/kill-each-event.test.ts',
  'tests/e2e/kill-each-turn-event.test.ts',
  'tests/e2e/kill-often.test.ts',
  'tests/e2e/kill-worker.test.ts',
  'tests/e2e/outages.test.ts',
  'tests/e2e/processes.test.ts',
  'tests/e2e/races.test.ts',
  'tests/e2e/random-runs.test.ts',
  'tests/e2e/rolling-restart.test.ts',
  'tests/e2e/schemathesis.test.ts',
  'tests/e2e/user-deletion.test.ts',
  'tests/e2e/worker-versions.test.ts',
  'tests/scripts/keys-rotate.test.ts',
  'tests/scripts/state-directory.test.ts',
  'tests/workflows/mutations.test.ts',
];

const missing = LONG_TESTS.filter(
  (path) => !existsSync(fileURLToPath(new URL(`../../${path}`, import.meta.url))),
);
if (missing.length > 0) {
  throw new Error(`listed in tests/support/long-tests.mjs, but not there: ${missing.join(', ')}`);
}
