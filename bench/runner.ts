/** Runs that are started past the API: their rows are inserted without their user's slot. */
import { randomUUID } from 'node:crypto';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { MAX_AGENTS } from '../domain/run/pipeline.js';
import type { Role } from '../domain/account/permissions.js';
import { pipelineStart } from '../temporal/client/start-options.js';
import { designOf, edgesOf } from '../tests/support/designs.js';
import { until } from '../tests/support/until.js';
import type { Place } from './place.js';
import { STEPS } from './product.js';

export interface Order {
  readonly userId: string;
  /** Decides the priority. */
  readonly role: Role;
  /** Whether the run is started with its priority and its owner's fairness key. */
  readonly isFair: boolean;
  readonly simulated: boolean;
}

export interface Runner {
  /** Runs a chain of agents; resolves when it has ended. */
  runSingle(order: Order): Promise<void>;
  /** Starts runs of as many agents at once as a run may have; resolves when all have begun. */
  startCrowd(order: Order, runs: number): Promise<{ readonly ended: Promise<unknown> }>;
}

const namesOf = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `agent_${index + 1}`);
const CHAIN = designOf(namesOf(STEPS));
/** All but the last begin at once. */
const WIDE = designOf(namesOf(MAX_AGENTS), {
  edges: edgesOf(...namesOf(MAX_AGENTS - 1).map((name) => `${name}>agent_${MAX_AGENTS}`)),
});
const PATIENCE_MS = 60_000;

export function createRunner({ db, env }: Place, client: Client): Runner {
  const taskQueue = env['TEMPORAL_TASK_QUEUE'] ?? '';

  async function insert(order: Order, design: typeof CHAIN): Promise<string> {
    const pipelineId = randomUUID();
    await db
      .insertInto('pipelineExecutions')
      .values({
        id: pipelineId,
        userId: order.userId,
        conversationId: null,
        designName: design.name,
        design: JSON.stringify(design),
        language: 'en',
        simulated: order.simulated,
        holdsSlot: false,
        countedOn: null,
        agentCount: design.agents.length,
        createdAt: new Date(),
      })
      .execute();
    return pipelineId;
  }

  async function start(order: Order, pipelineId: string): Promise<WorkflowHandle> {
    const { userId, role, isFair } = order;
    const { priority, ...options } = pipelineStart(
      { pipelineId, designName: 'A measured one' },
      { userId, role },
      taskQueue,
    );
    return client.workflow.start('pipelineWorkflow', {
      ...options,
      ...(isFair ? { priority } : {}),
      args: [{ pipelineId, userId, conversationId: null }],
    });
  }

  async function hasBegun(pipelineIds: readonly string[]): Promise<boolean> {
    const waiting = await db
      .selectFrom('pipelineExecutions')
      .select('id')
      .where('id', 'in', pipelineIds)
      .where('status', '=', 'pending')
      .execute();
    return waiting.length === 0;
  }

  return {
    async runSingle(order) {
      const run = await start(order, await insert(order, CHAIN));
      await run.result();
    },
    async startCrowd(order, runs) {
      const pipelineIds = await Promise.all(
        Array.from({ length: runs }, () => insert(order, WIDE)),
      );
      const started = await Promise.all(pipelineIds.map((id) => start(order, id)));
      await until('all runs have begun', () => hasBegun(pipelineIds), PATIENCE_MS);
      return { ended: Promise.all(started.map((run) => run.result())) };
    },
  };
}
