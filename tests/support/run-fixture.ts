/**
 * Runs without an API: the built workers, a stand-in vendor whom the server's key pays, and orders
 * that go straight to the database and to Temporal, so that a test can give very many of them.
 */
import { randomUUID } from 'node:crypto';
import { createRunControl, type RunControl } from '../../api/runs/control.js';
import { setUserBudget } from '../../db/users/users.js';
import type { RunRequest } from '../../db/runs/admission.js';
import type { AgentSpec, Design } from '../../domain/design/designs.js';
import { pipelineWorkflowId } from '../../domain/ids.js';
import { isFinal } from '../../domain/run/results.js';
import { silentLogger } from '../../telemetry/logger.js';
import type { TemporalClient } from '../../temporal/connection.js';
import { pipelineStart } from '../../temporal/client/start-options.js';
import { startProduct, type Product, type ProductOptions } from './product.js';
import { admittedRun } from './runs.js';
import { createTestUser } from './servers.js';
import { temporalOf } from './temporal.js';
import { until } from './until.js';
import { startStandInVendors, type StandInVendors, type VendorCall } from './vendors/server.js';

export interface FixtureRun {
  readonly id: string;
  readonly userId: string;
  readonly design: Design;
}

export interface RunFixture {
  readonly product: Product;
  readonly vendors: StandInVendors;
  readonly client: TemporalClient['client'];
  readonly control: RunControl;
  /** @param budgetUsd what the user may spend a day */
  createUser(budgetUsd?: string): Promise<string>;
  /** Admits a run and starts its workflow. @throws `refused: <code>` */
  start(userId: string, design: Design, order?: Partial<RunRequest>): Promise<FixtureRun>;
  handleOf(run: FixtureRun): ReturnType<TemporalClient['client']['workflow']['getHandle']>;
  /** Resolves when the run's record and its workflow have ended. */
  ended(run: FixtureRun): Promise<void>;
  close(): Promise<void>;
}

export const LONGEST_RUN_MS = 120_000;

export async function openRunFixture(options: ProductOptions = {}): Promise<RunFixture> {
  const vendors = await startStandInVendors();
  const product = await startProduct({
    apis: 0,
    ...options,
    env: {
      SIMULATED_MODELS: 'false',
      OPENAI_API_KEY: 'sk-stand-in',
      OPENAI_BASE_URL: vendors.openAiUrl,
      MODEL_CALLS_PER_KEY: '1000', // one key pays for everybody
      ...options.env,
    },
  });
  const { db, env } = product;
  const temporal = await temporalOf(product);
  const { client } = temporal;
  const handleOf = ({ id }: FixtureRun) => client.workflow.getHandle(pipelineWorkflowId(id));
  return {
    product,
    vendors,
    client,
    control: createRunControl({
      db,
      temporal: { client, taskQueue: env['TEMPORAL_TASK_QUEUE'] ?? '' },
      logger: silentLogger,
    }),
    handleOf,
    async createUser(budgetUsd) {
      const { id: userId } = await createTestUser(db, { role: 'pro' });
      if (budgetUsd !== undefined) {
        await setUserBudget(db, { userId, budgetUsd });
      }
      return userId;
    },
    async start(userId, drawn, order = {}) {
      const { pipelineId: id = randomUUID() } = order;
      const design = { ...drawn, agents: drawn.agents.map((agent) => calledFor(id, agent)) };
      await admittedRun(db, { ...order, userId, pipelineId: id, design }, new Date());
      await client.workflow.start('pipelineWorkflow', {
        ...pipelineStart(
          { pipelineId: id, designName: design.name },
          { userId, role: 'pro' },
          env['TEMPORAL_TASK_QUEUE'] ?? '',
        ),
        args: [{ pipelineId: id, userId, conversationId: null }],
      });
      return { id, userId, design };
    },
    async ended(run) {
      await until(`run ${run.id} has ended`, () => isEnded(product, run), LONGEST_RUN_MS);
      await handleOf(run)
        .result()
        .catch(() => undefined); // a cancelled run is shown as such
    },
    async close() {
      await product.stop();
      await temporal.close();
      await vendors.close();
    },
  };
}

async function isEnded({ db }: Product, { id }: FixtureRun): Promise<boolean> {
  const { status } = await db
    .selectFrom('pipelineExecutions')
    .select('status')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  return isFinal(status);
}

/** So that the vendor's calls tell whose they are. */
function calledFor(runId: string, agent: AgentSpec): AgentSpec {
  return { ...agent, description: `call of ${agent.name} in ${runId}` };
}

export interface Caller {
  readonly runId: string;
  readonly agent: string;
}

/** Which agent of which run has made a call. */
export function callerOf({ prompt }: VendorCall): Caller {
  const [, agent = '', runId = ''] = /call of (\w+) in ([0-9a-f-]{36})/.exec(prompt) ?? [];
  return { runId, agent };
}

/** The vendor's calls of a run, by agent. */
export function callsOf({ vendors }: RunFixture, run: FixtureRun): readonly string[] {
  return vendors.calls
    .map(callerOf)
    .filter(({ runId }) => runId === run.id)
    .map(({ agent }) => agent);
}
