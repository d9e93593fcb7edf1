/**
 * `npm run test:coverage`: runs the tests and reports what they cover of `api/`, `db/` and `domain/`:
 * in their own processes (told by jest) and in the built ones that they start (told by V8, as far
 * as those end by themselves: who is killed tells nothing). Arguments go to jest.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import coverage, { type CoverageMapData } from 'istanbul-lib-coverage';
import report from 'istanbul-lib-report';
import reports from 'istanbul-reports';
import { z } from 'zod';

const DIRECTORY = 'coverage';
const PROCESSES = join(DIRECTORY, 'processes');
const FROM_PROCESSES = join(DIRECTORY, 'from-processes');
const JSON_FILE = 'coverage-final.json';

rmSync(DIRECTORY, { recursive: true, force: true });
const tests = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--coverage'];
process.exitCode = run([...tests, ...process.argv.slice(2)], {
  PROCESS_COVERAGE: join(process.cwd(), PROCESSES),
});
if (existsSync(PROCESSES)) {
  const from = ['--temp-directory', PROCESSES, '--merge-async'];
  const to = ['--reporter', 'json', '--reports-dir', FROM_PROCESSES];
  run(['node_modules/c8/bin/c8.js', 'report', ...from, ...to, '--include', 'dist/{api,db,domain}']);
}
const MapShape = z.custom<CoverageMapData>((map) => typeof map === 'object');
const map = coverage.createCoverageMap();
for (const directory of [DIRECTORY, FROM_PROCESSES]) {
  map.merge(readMap(join(directory, JSON_FILE)));
}
const context = report.createContext({ dir: DIRECTORY, coverageMap: map });
for (const name of ['lcovonly', 'json', 'text'] as const) {
  reports.create(name).execute(context);
}

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): number {
  const options = { stdio: 'inherit', env: { ...process.env, ...env } } as const;
  return spawnSync(process.execPath, args, options).status ?? 1;
}

function readMap(file: string): CoverageMapData {
  return existsSync(file) ? MapShape.parse(JSON.parse(readFileSync(file, 'utf8'))) : {};
}
