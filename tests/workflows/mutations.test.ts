/** The recorded histories are a net: changes of workflow code that break running ones get caught. */
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { bundleMutant, type Mutation } from '../support/mutants.js';
import { replayRecordings } from '../support/replay.js';

beforeAll(() => {
  // each mistake would be told at length
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'ERROR' } },
  });
});

const BREAKING: readonly Mutation[] = [
  {
    title: 'an activity is renamed',
    file: 'turn.ts',
    from: 'paid.analyzeIntent.',
    to: '(paid as any).readIntent.',
  },
  {
    title: 'two steps change places',
    file: 'run-turns.ts',
    from: '  const admission = await records.admitPlan({',
    to: `  await startRun(input, { pipelineId, designName: design.name });
  const admission = await records.admitPlan({`,
  },
  {
    title: 'an activity is left out',
    file: 'turn.ts',
    from: '      if (events === null) {',
    to: '      if (true) {',
  },
  {
    title: 'a local activity becomes a regular one',
    file: 'activity-proxies.ts',
    from: 'export const records = proxyLocalActivities<',
    to: 'export const records: any = proxyActivities<',
  },
  {
    title: 'a child workflow is started by an activity instead',
    file: 'run-turns.ts',
    from: '  await startRun(input, {',
    to: '  await (records as any).startRun({',
  },
  {
    title: 'a timer is dropped',
    file: 'discussion.ts',
    from: 'condition(isToWake, input.idleMs, IDLE)',
    to: 'condition(isToWake)',
  },
  {
    title: 'an idle time begins anew when its timer fires',
    file: 'idle-clock.ts',
    from: '      await sleep(this.leftMs(), IDLE);',
    to: `      await sleep(this.leftMs(), IDLE);
      this.touch();`,
  },
  {
    title: 'a timer is added',
    file: 'discussion.ts',
    from: '  const message = inbox.messages.shift();',
    to: `  await condition(() => false, 1);
  const message = inbox.messages.shift();`,
  },
  {
    title: 'a timer is no longer cancelled',
    file: 'pipeline.ts',
    from: '    clock.stop();',
    to: '',
  },
  {
    title: 'a search attribute is set earlier',
    file: 'pipeline.ts',
    from: '  const end = await CancellationScope',
    to: `  upsertSearchAttributes([{ key: STATUS, value: 'ending' }]);
  const end = await CancellationScope`,
  },
  {
    title: 'a history is continued as new later',
    file: 'discussion.ts',
    from: 'historyLength > input.maxHistoryEvents',
    to: 'historyLength > 2 * input.maxHistoryEvents',
  },
];

/** What the recorded histories are there for: the first one that does not replay. */
async function firstRefused(mutation: Mutation): Promise<string | null> {
  const code = await bundleMutant(mutation);
  for await (const [recording, error] of replayRecordings({ code })) {
    if (error !== null) {
      expect(error).toBeInstanceOf(DeterminismViolationError);
      return recording;
    }
  }
  return null;
}

test.each(BREAKING)('it is caught when $title', async (mutation) => {
  expect(await firstRefused(mutation)).not.toBeNull();
});

test('a change that running workflows cannot notice is not refused', async () => {
  const harmless = {
    title: 'a signal that comes early is kept for its handler',
    file: 'discussion.ts',
    from: '  await CancellationScope.nonCancellable(async () => {\n',
    to: `  await CancellationScope.nonCancellable(async () => {
    setHandler(runAdmittedSignal, (notice) => void inbox.admitted.push(notice));
`,
  };
  expect(await firstRefused(harmless)).toBeNull();
});

test('a mutation that no longer fits the code is told, not passed over', async () => {
  const stale = { title: 'stale', file: 'pipeline.ts', from: 'no such line', to: '' };
  await expect(bundleMutant(stale)).rejects.toThrow('adapt the mutation to the code');
});
