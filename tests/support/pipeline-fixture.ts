/** The real workflow of a run on the real server; its activities come from the test. */
import { randomUUID } from 'node:crypto';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import type { Activities } from '../../activities/index.js';
import type { NodeCall } from '../../activities/node/context.js';
import type { NodeResult } from '../../activities/node/result.js';
import type { Design } from '../../domain/design/designs.js';
import { pipelineWorkflowId } from '../../domain/ids.js';
import { checkGraph } from '../../domain/run/pipeline.js';
import type { Temporal } from '../../temporal/client/timeouts.js';
import type { TemporalClient } from '../../temporal/connection.js';
import { until } from './until.js';
import { openWorkflowFixture, FIXTURE_CODE } from './workflow-fixture.js';

const STATUS = defineSearchAttributeKey('AgentForgeStatus', SearchAttributeType.KEYWORD);

export type Opened = Extract<Awaited<ReturnType<Activities['openRun']>>, { kind: 'open' }>;
export type Handle = ReturnType<TemporalClient['client']['workflow']['getHandle']>;
export type Meddle = (run: {
  calls: readonly string[];
  handle: () => Handle;
}) => Partial<Activities>;

export async function openPipelineFixture() {
  const fixture = await openWorkflowFixture();
  const { temporal } = fixture;
  const workers: { stop(): Promise<void> }[] = [];
  const stopWorkers = async (): Promise<void> => {
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  };

  /** A run whose activities answer at once, except those that the test replaces. */
  async function running(
    design: Design,
    meddle: Meddle,
    { code, ...more }: Partial<Opened> & { readonly code?: string } = {},
  ) {
    const checked = checkGraph(design);
    if (checked.kind !== 'graph') {
      throw new Error(checked.reason);
    }
    const taskQueue = `waits-${randomUUID()}`;
    const pipelineId = randomUUID();
    const calls: string[] = [];
    const handle = () => temporal.client.workflow.getHandle(pipelineWorkflowId(pipelineId));
    const { graph } = checked;
    const times = { timeoutMs: 60_000, modelTimeoutMs: 10_000 };
    const plain: Partial<Activities> = {
      openRun: () =>
        Promise.resolve({
          ...{ kind: 'open', graph, designName: 'A design', simulated: false, ...times },
          ...more,
        }),
      askForApproval: () => Promise.resolve({ deadlineMs: Date.now() + 60_000 }),
      takeDecision: () => Promise.resolve({ kind: 'approved' }),
      parkRun: () => Promise.resolve(),
      unparkRun: () => Promise.resolve({ kind: 'taken' }),
      runAgent: (call) => Promise.resolve(resultOf(call)),
      closeRun: () => Promise.resolve({ pipelineId, status: 'completed', totalCostUsd: 0 }),
    };
    const activities = Object.fromEntries(
      Object.entries({ ...plain, ...meddle({ calls, handle }) }).map(([name, act]) => [
        name,
        (call: Partial<NodeCall>) => {
          calls.push([name, call.node].filter((it) => it !== undefined).join(' '));
          return act(call as never);
        },
      ]),
    );
    async function startWorker(): Promise<void> {
      const worker = await fixture.workerOf(taskQueue, activities, code);
      const work = worker.run();
      workers.push({
        async stop() {
          worker.shutdown();
          await work;
        },
      });
    }
    await startWorker();
    await temporal.client.workflow.start('pipelineWorkflow', {
      ...{ workflowId: pipelineWorkflowId(pipelineId), taskQueue, workflowTaskTimeout: '1s' },
      args: [{ pipelineId, userId: randomUUID(), conversationId: null }],
    });
    return {
      calls,
      pipelineId,
      temporal: {
        client: temporal.client,
        taskQueue,
        updateTakenTimeoutMs: 15_000,
      } satisfies Temporal,
      startWorker,
      handle: handle(),
      offer: (node: string) => handle().signal('approvalOffered', { node, offerId: randomUUID() }),
      /** @returns what the run has asked of its worker */
      async ended(): Promise<readonly string[]> {
        await handle()
          .result()
          .catch(() => undefined); // a run that has failed is shown as such
        return calls;
      },
      untilShown: (status: string) => untilShown(handle(), status),
      /** The timers of the run, in order. */
      async timers(): Promise<readonly string[]> {
        const { events } = await handle().fetchHistory();
        return (events ?? []).flatMap((event) => {
          const { timerStartedEventAttributes: started, timerFiredEventAttributes: fired } = event;
          const { timerCanceledEventAttributes: canceled } = event;
          return [
            ...(started == null ? [] : [`${started.timerId} started`]),
            ...(fired == null ? [] : [`${fired.timerId} fired`]),
            ...(canceled == null ? [] : [`${canceled.timerId} canceled`]),
          ];
        });
      },
      async replay(): Promise<void> {
        const history = await handle().fetchHistory();
        await Worker.runReplayHistory(FIXTURE_CODE, history, handle().workflowId);
      },
    };
  }

  return { temporal, running, stopWorkers, close: () => fixture.close() };
}

export async function untilShown(handle: Handle, status: string): Promise<void> {
  await until(`it is ${status}`, async () => {
    const { typedSearchAttributes } = await handle.describe();
    return typedSearchAttributes.get(STATUS) === status;
  });
}

export function resultOf({ node }: Pick<NodeCall, 'node'>): NodeResult {
  const nothing = { provider: null, model: null, fields: {}, preview: '' };
  const free = { tokensUsed: 0, costUsd: 0, durationSeconds: 0 };
  return { node, status: 'success', errorCode: null, ...free, ...nothing };
}
