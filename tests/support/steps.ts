import type { Insertable } from 'kysely';
import { stepIdOf } from '../../domain/ids.js';
import type { AgentResult } from '../../domain/run/results.js';
import { listSteps, resultOfStep } from '../../db/runs/agent-steps.js';
import type { Db } from '../../db/connect.js';
import type { AgentStepsTable } from '../../db/schema.js';

type NewStep = Insertable<AgentStepsTable>;

/** What a run's agents have made so far, in order of completion; late ones left out. */
export async function listResults(db: Db, pipelineId: string): Promise<readonly AgentResult[]> {
  const steps = await listSteps(db, pipelineId);
  return steps.filter(({ seq }) => seq !== null).map(resultOfStep);
}

/** An agent that has ended; by default it has succeeded, at little cost. */
export async function addStep(
  db: Db,
  pipelineId: string,
  step: Partial<NewStep> & { readonly node: string; readonly seq: number | null },
): Promise<void> {
  const { node } = step;
  const plain: NewStep = {
    ...{ id: stepIdOf(pipelineId, node), pipelineId, node, agentName: node, role: 'analyzer' },
    ...{ status: 'success', content: `text of ${node}`, error: null, seq: null },
    ...{ tokensUsed: 10, cost: '0.000001', durationSeconds: 1.5 },
  };
  await db
    .insertInto('agentSteps')
    .values({ ...plain, ...step })
    .execute();
}
