import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTimeOf } from '../../scripts/embedded/process.js';
import { STOPPING, STOP_LIMIT_MS } from '../../scripts/embedded/stopping.js';
import { until } from '../support/until.js';

test('what the parts of a stop may take together leaves time for killing all of them', () => {
  const all = Object.values(STOPPING).reduce((sum, { stopTimeoutMs }) => sum + stopTimeoutMs, 0);
  expect(all).toBeLessThan(STOP_LIMIT_MS);
});

/** A start with one server, which ends by a kill alone; its files are removed as soon as it runs. */
const STUBBORN = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);`;

describe('a server whose state is gone', () => {
  const home = mkdtempSync(join(tmpdir(), 'stopping-test-'));

  /** Runs a script of ours in a process of its own. @returns the id of the server that it has started */
  async function starting(ending: string): Promise<number> {
    const process_ = new URL('../../scripts/embedded/process.ts', import.meta.url).href;
    const children = new URL('../../scripts/embedded/children.ts', import.meta.url).href;
    const spec = {
      ...{ name: 'Stubborn', command: process.execPath, args: ['-e', STUBBORN], env: {} },
      ...{ pidFile: join(home, 'x.pid'), logFile: join(home, 'x.log') },
    };
    const script = `
      import { rmSync } from 'node:fs';
      import { startServer } from ${JSON.stringify(process_)};
      import { killChildren, refuseChildren } from ${JSON.stringify(children)};
      process.on('exit', killChildren);
      const spec = { ...${JSON.stringify(spec)}, isReady: async () => true };
      const server = await startServer(spec);
      rmSync(${JSON.stringify(home)}, { recursive: true });
      console.log(server.pid);
      ${ending}`;
    const hooks = new URL('../support/typescript-hooks.mjs', import.meta.url).pathname;
    const child = spawn(
      process.execPath,
      ['--import', hooks, '--input-type=module', '-e', script],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let said = '';
    child.stdout.on('data', (text) => (said += String(text)));
    await new Promise((done) => child.once('close', done));
    return Number(said.trim());
  }

  beforeEach(() => {
    mkdirSync(home, { recursive: true });
  });

  test.each([
    ['fails', `throw new Error('of ours');`],
    ['ends early', `process.exit(0);`],
    [
      'starts another one meanwhile',
      `refuseChildren(); await startServer(spec).catch(() => process.exit(1));`,
    ],
  ])('does not outlive a start that %s', async (_, ending) => {
    const pid = await starting(ending);
    expect(pid).toBeGreaterThan(0);
    await until('it has ended', () => startTimeOf(pid) === null);
  });
});
