/** Runs that are ordered over HTTP, by users whose budgets do not cover them. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { AGENT_DEFAULTS } from '../../domain/design/designs.js';
import { MAX_AGENTS } from '../../domain/run/pipeline.js';
import { FINAL_STATUSES } from '../../domain/run/results.js';
import { until } from '../../tests/support/until.js';
import { createUsers, type BenchUser } from '../users.js';
import type { FundedFixture } from './fixture.js';
import { TIERED_MODEL } from './tiered-models.js';

export interface Order {
  readonly userId: string;
  /** null: refused at once, because the day was used up */
  readonly pipelineId: string | null;
  /** Whether its run has come to an end. */
  readonly hasEnded: boolean;
}

export interface OrderPlan {
  readonly users: number;
  /** One run after the other, for each user. */
  readonly rounds: number;
  readonly budgetUsd: string;
}

/** All users at once. */
export async function orderRuns(
  fixture: FundedFixture,
  plan: OrderPlan,
): Promise<readonly Order[]> {
  const { users, rounds, budgetUsd } = plan;
  const people = await createUsers(fixture.place, users);
  await fixture.place.db.updateTable('users').set({ dailyBudgetUsd: budgetUsd }).execute();
  const orders = await Promise.all(
    people.map(async (user) => {
      const own: Order[] = [];
      for (let round = 0; round < rounds; round += 1) {
        own.push(await orderRun(fixture, user));
      }
      return own;
    }),
  );
  return orders.flat();
}

const NAMES = Array.from({ length: MAX_AGENTS }, (_, index) => `agent_${index + 1}`);
const MAX_TOKENS = 1_000;

/** All but the second begin at once; names its calls, so that the vendor's can be told apart. */
function designOf(orderId: string) {
  const agents = NAMES.map((name) => ({
    ...AGENT_DEFAULTS,
    name,
    role: 'analyzer',
    llm_model: TIERED_MODEL,
    description: `call of ${name} in ${orderId}`,
    max_tokens: MAX_TOKENS,
    retry_count: 2,
  }));
  const edges = [{ source: NAMES[0], target: NAMES[1] }];
  return { name: 'Twenty at once', description: 'More than the day covers', agents, edges };
}

const REFUSED = 429;
const Accepted = z.object({ pipeline_id: z.string() });

async function orderRun(fixture: FundedFixture, { id: userId, token }: BenchUser): Promise<Order> {
  const response = await fetch(`${fixture.apiUrl}/api/v1/pipelines/execute`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
      prefer: 'respond-async',
    },
    body: JSON.stringify({ design: designOf(randomUUID()) }),
  });
  const answer: unknown = await response.json();
  if (response.status === REFUSED) {
    return { userId, pipelineId: null, hasEnded: true };
  }
  if (!response.ok) {
    throw new Error(`a run was not taken: ${response.status} ${JSON.stringify(answer)}`);
  }
  const { pipeline_id: pipelineId } = Accepted.parse(answer);
  return { userId, pipelineId, hasEnded: await comesToAnEnd(fixture, pipelineId) };
}

const LONGEST_RUN_MS = 120_000;

async function comesToAnEnd({ place }: FundedFixture, pipelineId: string): Promise<boolean> {
  const find = () =>
    place.db
      .selectFrom('pipelineExecutions')
      .select('id')
      .where('id', '=', pipelineId)
      .where('status', 'in', FINAL_STATUSES)
      .executeTakeFirst();
  return until(`run ${pipelineId} has ended`, find, LONGEST_RUN_MS).then(
    () => true,
    () => false,
  );
}
