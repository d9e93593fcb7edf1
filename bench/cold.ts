/**
 * The first `npm start` of somebody who has just cloned the repository, with an empty npm cache and no
 * program downloaded: minutes, and the network's speed is in it. `-- --product <checkout>` starts another one.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { say } from './place.js';
import { commandOf } from './program.js';
import { headerOf } from './report.js';
import { measureStart } from './starts.js';
import { digits, tableOf } from './table.js';

const ROOT = resolve(import.meta.dirname, '..');

const { values } = parseArgs({ options: { product: { type: 'string', default: ROOT } } });
const home = mkdtempSync(join(tmpdir(), 'agentforge-bench-cold-'));
const rows: (readonly string[])[] = [];
const sayWhen = (line: string, ms: number): void => {
  say(`${digits(ms / 1_000)} s  ${line}`);
  if (line.includes('…') && !line.startsWith('Stopping')) {
    rows.push([line, digits(ms / 1_000)]);
  }
};
try {
  const checkout = join(home, 'agentforge');
  execFileSync('git', ['clone', '--quiet', resolve(values.product), checkout]);
  const { startMs, stopMs } = await measureStart({
    command: 'npm',
    args: ['start'],
    cwd: checkout,
    env: {
      PATH: pathWithoutModules(),
      HOME: process.env['HOME'],
      npm_config_cache: join(home, 'npm'),
      PIP_CACHE_DIR: join(home, 'pip'),
      XDG_CACHE_HOME: join(home, 'cache'),
    },
    onLine: sayWhen,
  });
  rows.push(['ready', digits(startMs / 1_000)], ['stopped, after', digits(stopMs / 1_000)]);
  const header = headerOf(commandOf('cold'), new Date());
  process.stdout.write(`${header}\n\n${tableOf(['cold `npm start`', 's'], rows)}\n`);
} finally {
  rmSync(home, { recursive: true, force: true });
}

/** The Node that somebody has installed, not the one of this checkout. */
function pathWithoutModules(): string {
  const entries = (process.env['PATH'] ?? '').split(delimiter);
  return entries.filter((entry) => !entry.includes('node_modules')).join(delimiter);
}
