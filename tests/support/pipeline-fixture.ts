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

const ACTIVITIES = [
  ...(['openRun', 'askForApproval', 'takeDecision', 'parkRun', 'unparkRun'] as const),
  ...(['runAgent', 'closeRun'] as const),
] as const;

export type Opened = Extract<Awaited<ReturnType<Activities['openRun']>>, { kind: 'open' }>;
export type Handle = ReturnType<TemporalClient['client']['workflow']['getHandle']>;
export type Meddle = (run: {
  calls: readonly string[];
  handle: () => Handle;
}) => Partial<Activities>;

/** One worker for all runs of the same workflow code: a call reaches the activities of its run. */
export async function openPipelineFixture() {
  const fixture = await openWorkflowFixture();
  const { temporal } = fixture;
  const activitiesOf = new Map<string, Partial<Activities>>();
  const queues = new Map<string | undefined, string>();
  const workers = new Map<string, { stop(): Promise<void> }>();
  const stopWorkers = async (): Promise<void> => {
    const stopping = [...workers.values()];
    workers.clear();
    await Promise.all(stopping.map((worker) => worker.stop()));
  };
  const dispatching = Object.fromEntries(
    ACTIVITIES.map((name) => [
      name,
      (call: { readonly pipelineId: string }) =>
        activitiesOf.get(call.pipelineId)?.[name]?.(call as never),
    ]),
  );

  async function startWorker(taskQueue: string, code?: string): Promise<void> {
    const worker = await fixture.workerOf(taskQueue, dispatching, code);
    const work = worker.run();
    workers.set(taskQueue, {
      async stop() {
        worker.shutdown();
        await work;
      },
    });
  }

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
    const taskQueue = queues.get(code) ?? `waits-${randomUUID()}`;
    queues.set(code, taskQueue);
    const restart = () => startWorker(taskQueue, code);
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
    const counted = Object.fromEntries(
      Object.entries({ ...plain, ...meddle({ calls, handle }) }).map(([name, act]) => [
        name,
        (call: Partial<NodeCall>) => {
          calls.push([name, call.node].filter((it) => it !== undefined).join(' '));
          return act(call as never);
        },
      ]),
    );
    activitiesOf.set(pipelineId, counted);
    if (!workers.has(taskQueue)) {
      await restart();
    }
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
      startWorker: restart,
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

  return {
    temporal,
    running,
    stopWorkers,
    async close() {
      await stopWorkers();
      await fixture.close();
    },
  };
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
