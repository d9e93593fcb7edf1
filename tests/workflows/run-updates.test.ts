/** Requests of an owner to a live run, over the real server: updates, and the signals behind them. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { WorkflowNotFoundError } from '@temporalio/client';
import { RELEASE_KEY_ID } from '../../audit/release-key.js';
import { openReleases } from '../../audit/releases.js';
import { bundleOf } from '../../audit/replay.js';
import { pauseRun, resumeRun, sendDecision } from '../../temporal/client/runs.js';
import { decideUpdate, pauseRunUpdate } from '../../workflows/pipeline/pipeline.messages.js';
import { agentOf, designOf } from '../support/designs.js';
import { openPipelineFixture, resultOf } from '../support/pipeline-fixture.js';
import { connectTestTemporal } from '../support/temporal.js';
import { until } from '../support/until.js';

let fixture: Awaited<ReturnType<typeof openPipelineFixture>>;
beforeAll(async () => {
  fixture = await openPipelineFixture();
});
afterAll(() => fixture.close());
const running: typeof fixture.running = (...run) => fixture.running(...run);
type Running = Awaited<ReturnType<typeof running>>;

const GATED = designOf([agentOf('gate', { approval: true }), agentOf('last')]);
const offerOf = (node = 'gate') => ({ node, offerId: randomUUID() });
const decide = ({ temporal, pipelineId }: Running, response = offerOf()) =>
  sendDecision(temporal, pipelineId, response);
const countOf = (calls: readonly string[], wanted: string) =>
  calls.filter((it) => it === wanted).length;

async function eventsOf({ handle }: Running): Promise<readonly string[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap((event) => {
    const { workflowExecutionSignaledEventAttributes: signal } = event;
    const { workflowExecutionUpdateAcceptedEventAttributes: update } = event;
    return [
      ...(signal == null ? [] : [`signal ${signal.signalName ?? ''}`]),
      ...(update == null ? [] : [`update ${update.acceptedRequest?.input?.name ?? ''}`]),
    ];
  });
}

describe('a decision', () => {
  test('is answered when it is recorded, and the run goes on', async () => {
    const run = await running(GATED, () => ({}));
    await run.untilShown('waiting-approval');
    expect(await decide(run)).toBe('done');
    expect(run.calls).toContain('takeDecision gate');
    expect(await run.ended()).toContain('runAgent last');
    expect(await eventsOf(run)).toEqual(['update decide']);
    await run.replay();
  });

  test('of two clients at once is the first one; the other is refused at once', async () => {
    const taken: unknown[] = [];
    const run = await running(GATED, () => ({
      takeDecision({ offerId }) {
        taken.push(offerId);
        return Promise.resolve({ kind: 'approved' });
      },
    }));
    await run.untilShown('waiting-approval');
    const offers = [offerOf(), offerOf()];
    const answers = await Promise.all(offers.map((response) => decide(run, response)));
    expect(answers.toSorted()).toEqual(['already-decided', 'done']);
    expect(taken).toEqual([offers[answers.indexOf('done')]?.offerId]);
    await run.ended();
    await run.replay();
  });

  test('that comes too late, or once more, is answered without a trace in the history', async () => {
    const both = designOf([
      agentOf('gate', { approval: true }),
      agentOf('next', { approval: true }),
    ]);
    const run = await running(both, () => ({}));
    await run.untilShown('waiting-approval');
    const response = offerOf();
    expect(await decide(run, response)).toBe('done');
    await until('it asks about the next', () => run.calls.includes('askForApproval next'));
    const { handle } = run;
    const again = { args: [response] as [typeof response], updateId: randomUUID() };
    await expect(handle.executeUpdate(decideUpdate, again)).rejects.toMatchObject({
      cause: { type: 'done' },
    });
    expect(await decide(run, offerOf('gate'))).toBe('already-decided');
    expect(await eventsOf(run)).toEqual(['update decide']);
    expect(await decide(run, offerOf('next'))).toBe('done');
    await run.ended();
    await run.replay();
  });

  test('without a row decides nothing; the next one does', async () => {
    const unknown = offerOf();
    const run = await running(GATED, () => ({
      takeDecision: ({ offerId }) =>
        Promise.resolve({ kind: offerId === unknown.offerId ? 'ignored' : 'approved' }),
    }));
    await run.untilShown('waiting-approval');
    expect(await decide(run, unknown)).toBe('ignored');
    expect(run.calls).not.toContain('runAgent gate');
    expect(await decide(run)).toBe('done');
    await run.ended();
    await run.replay();
  });

  test('while the run is paused is recorded, and the run goes on when it is resumed', async () => {
    const run = await running(GATED, () => ({}));
    await run.untilShown('waiting-approval');
    expect(await pauseRun(run.temporal, run.pipelineId)).toBe('done');
    await run.untilShown('waiting-pause');
    expect(await decide(run)).toBe('done');
    expect(run.calls).not.toContain('runAgent gate');
    expect(await resumeRun(run.temporal, run.pipelineId)).toBe('done');
    expect(await run.ended()).toContain('runAgent last');
    await run.replay();
  });

  test('that is being recorded when its run is cancelled ends with it, and the run closes', async () => {
    const recording = Promise.withResolvers<null>();
    const run = await running(GATED, () => ({
      async takeDecision() {
        await recording.promise;
        return { kind: 'approved' };
      },
    }));
    await run.untilShown('waiting-approval');
    const answer = decide(run);
    await until('it is being recorded', () => run.calls.includes('takeDecision gate'));
    await run.handle.cancel();
    expect(await answer).toBe('ended');
    expect((await run.ended()).at(-1)).toBe('closeRun');
    recording.resolve(null);
    expect((await run.handle.describe()).status.name).toBe('CANCELLED');
    await run.replay();
  });

  test('that waits for its turn when another one ends the run is answered before the run closes', async () => {
    const recording = Promise.withResolvers<null>();
    const design = designOf([agentOf('gate', { approval: true })]);
    const run = await running(design, () => ({
      async takeDecision({ node }) {
        await recording.promise;
        return { kind: 'rejected', receipt: { ...resultOf({ node }), status: 'failed' } };
      },
    }));
    await run.untilShown('waiting-approval');
    const first = decide(run);
    await until('it is being recorded', () => run.calls.includes('takeDecision gate'));
    const second = decide(run);
    await until('both are taken', async () => (await eventsOf(run)).length === 2);
    recording.resolve(null);
    expect(await Promise.all([first, second])).toEqual(['done', 'already-decided']);
    expect((await run.ended()).at(-1)).toBe('closeRun');
    await run.replay();
  });

  test('to a run whose workflow was terminated finds none', async () => {
    const run = await running(GATED, () => ({}));
    await run.untilShown('waiting-approval');
    await run.handle.terminate();
    await expect(decide(run)).rejects.toBeInstanceOf(WorkflowNotFoundError);
  });

  test('of another name or form, or unsealed, is rejected and enters no history', async () => {
    const run = await running(GATED, () => ({}));
    await run.untilShown('waiting-approval');
    const stranger = await connectTestTemporal([Buffer.alloc(32, 9)]);
    const { workflowId } = run.handle;
    const foreign = stranger.client.workflow.getHandle(workflowId);
    await expect(foreign.executeUpdate(decideUpdate, { args: [offerOf()] })).rejects.toMatchObject({
      cause: { type: 'rejected' },
    });
    for (const [name, argument] of [
      ['decide', { node: 'gate' }],
      ['pauseRun', {}],
      ['resumeRun', { requestId: 7 }],
    ] as const) {
      await expect(run.handle.executeUpdate(name, { args: [argument] })).rejects.toMatchObject({
        cause: { type: 'rejected' },
      });
    }
    await expect(run.handle.executeUpdate('noSuchUpdate', { args: [{}] })).rejects.toThrow();
    expect(await eventsOf(run)).toEqual([]);
    await stranger.close();
    expect(await decide(run)).toBe('done');
    await run.ended();
  });
});

/** As long as the product waits for a worker. */
const hurried = ({ temporal: { client, taskQueue } }: Running) => ({ client, taskQueue });

describe('with every worker down', () => {
  test('a decision is kept as a signal, and recorded once when a worker is there', async () => {
    const run = await running(GATED, () => ({}));
    await run.untilShown('waiting-approval');
    await fixture.stopWorkers();
    const response = offerOf();
    expect(await sendDecision(hurried(run), run.pipelineId, response)).toBe('sent');
    expect(await eventsOf(run)).toEqual(['signal approvalOffered']);
    await run.startWorker();
    expect(await run.ended()).toContain('runAgent last');
    expect(countOf(run.calls, 'takeDecision gate')).toBe(1); // the update may have come after all
    await run.replay();
  });

  test('a pause and the resume after it leave the run as it was asked last', async () => {
    const run = await running(GATED, () => ({}));
    await run.untilShown('waiting-approval');
    await fixture.stopWorkers();
    expect(await pauseRun(hurried(run), run.pipelineId)).toBe('sent');
    expect(await resumeRun(hurried(run), run.pipelineId)).toBe('sent');
    expect(await eventsOf(run)).toEqual(['signal pauseRun', 'signal resumeRun']);
    await run.startWorker();
    expect(await decide(run)).toBe('done');
    expect(await run.ended()).toContain('runAgent last');
    await run.replay();
  });
});

describe('an update and a signal of the same request', () => {
  test.each([
    ['first', 'then'],
    ['then', 'first'],
  ])('are one decision, whichever comes first (%s the update, %s the signal)', async (update) => {
    const recording = Promise.withResolvers<null>();
    const taken: unknown[] = [];
    const run = await running(GATED, () => ({
      async takeDecision({ offerId }) {
        taken.push(offerId);
        await recording.promise;
        return { kind: 'ignored' }; // so that a second one would be taken, too
      },
    }));
    await run.untilShown('waiting-approval');
    const { handle } = run;
    const response = offerOf();
    const updated = () =>
      handle.startUpdate(decideUpdate, {
        ...{ args: [response], updateId: response.offerId, waitForStage: 'ACCEPTED' },
      });
    const signalled = () => handle.signal('approvalOffered', response);
    const begun = update === 'first' ? await updated() : null;
    await signalled();
    const answer = begun ?? (await updated());
    recording.resolve(null);
    expect(await answer.result()).toBe('ignored');
    await handle.query('state'); // after all that was signalled
    expect(taken).toEqual([response.offerId]);
    await handle.terminate();
  });

  test('are one pause: what comes after a resume pauses nothing again', async () => {
    const run = await running(GATED, () => ({}));
    await run.untilShown('waiting-approval');
    const { handle, temporal, pipelineId } = run;
    const request = { requestId: randomUUID() };
    await handle.signal('pauseRun', request);
    await run.untilShown('waiting-pause');
    expect(await resumeRun(temporal, pipelineId)).toBe('done');
    await handle.signal('pauseRun', request); // captured, and sent once more
    await expect(handle.executeUpdate(pauseRunUpdate, { args: [request] })).rejects.toMatchObject({
      cause: { type: 'done' },
    });
    expect(await decide(run)).toBe('done');
    expect(await run.ended()).toContain('runAgent last');
    await run.replay();
  });
});

test('a pause of a paused run, and a resume of one that works, are done already', async () => {
  const run = await running(GATED, () => ({}));
  await run.untilShown('waiting-approval');
  const { temporal, pipelineId } = run;
  expect(await resumeRun(temporal, pipelineId)).toBe('done');
  expect(await pauseRun(temporal, pipelineId)).toBe('done');
  expect(await pauseRun(temporal, pipelineId)).toBe('done');
  expect(await eventsOf(run)).toEqual(['update pauseRun']);
});

test('a run that is closing answers that it has ended', async () => {
  const closing = Promise.withResolvers<null>();
  const run = await running(designOf(['only']), () => ({
    async closeRun({ pipelineId }) {
      await closing.promise;
      return { pipelineId, status: 'completed', totalCostUsd: 0 };
    },
  }));
  await until('it closes', () => run.calls.includes('closeRun'));
  const answers = [pauseRun(run.temporal, run.pipelineId), decide(run, offerOf('only'))];
  expect(await Promise.all(answers)).toEqual(['ended', 'ended']);
  closing.resolve(null);
  await run.ended();
  expect(await eventsOf(run)).toEqual([]);
});

test('a worker of the last release, which knows no updates, gets the signal at once', async () => {
  const releases = openReleases(new URL('../../releases/', import.meta.url), [RELEASE_KEY_ID]);
  const release = releases.all.find(({ version }) => version === '0.6.0');
  const found = releases.findCode(release?.workflow_bundle ?? '');
  const code = found === null ? '' : bundleOf(found.code);
  expect(code).not.toBe(readFileSync('dist/workflow-bundle.js', 'utf8'));
  const run = await running(GATED, () => ({}), { code });
  await run.untilShown('waiting-approval');
  expect(await pauseRun(run.temporal, run.pipelineId)).toBe('sent');
  await run.untilShown('waiting-pause');
  expect(await resumeRun(run.temporal, run.pipelineId)).toBe('sent');
  expect(await decide(run)).toBe('sent');
  expect(await run.ended()).toContain('runAgent last');
});
