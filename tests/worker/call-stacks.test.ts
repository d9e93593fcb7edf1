/** Workflow threads without the SDK's promise hook, however the process was started. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import workerThreads from 'node:worker_threads';
import { withoutCallStacks } from '../../worker/call-stacks.js';

const CODE = `
const { promiseHooks } = require('node:v8');
const stop = promiseHooks.createHook({ init() {} });
require('node:worker_threads').parentPort.postMessage({ hook: promiseHooks.createHook.toString(), stop: typeof stop });
`;

const home = mkdtempSync(join(tmpdir(), 'call-stacks-'));
const file = join(home, 'thread.cjs');
writeFileSync(file, CODE);
afterAll(() => {
  rmSync(home, { recursive: true });
});

async function hookSeenByThread(): Promise<unknown> {
  const thread = new workerThreads.Worker(file);
  const [seen]: unknown[] = await once(thread, 'message');
  await thread.terminate();
  return seen;
}

const { execArgv } = process;
afterEach(() => {
  process.execArgv = execArgv;
});

test.each([[[]], [['--max-old-space-size=512', '--enable-source-maps']]])(
  'threads of a process with the options %j have a hook that does nothing',
  async (options) => {
    process.execArgv = [...options];
    const seen = await withoutCallStacks(hookSeenByThread);
    expect(seen).toEqual({ hook: '() => () => undefined', stop: 'function' });
  },
);

test('threads that are started later are as they were', async () => {
  await withoutCallStacks(() => Promise.resolve());
  expect(await hookSeenByThread()).not.toMatchObject({ hook: '() => () => undefined' });
});
