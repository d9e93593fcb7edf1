import { stepIdOf } from '../../domain/ids.js';
import type { NewAgentStep } from '../../db/agent-steps.js';
import type { Db } from '../../db/connect.js';

/** An agent that has ended; by default it has succeeded, at little cost. */
export async function addStep(
  db: Db,
  pipelineId: string,
  step: Partial<NewAgentStep> & { readonly node: string; readonly seq: number | null },
): Promise<void> {
  const { node } = step;
  const plain: NewAgentStep = {
    ...{ id: stepIdOf(pipelineId, node), pipelineId, node, agentName: node, role: 'analyzer' },
    ...{ status: 'success', content: `text of ${node}`, error: null, seq: null },
    ...{ tokensUsed: 10, cost: '0.000001', durationSeconds: 1.5 },
  };
  await db
    .insertInto('agentSteps')
    .values({ ...plain, ...step })
    .execute();
}
