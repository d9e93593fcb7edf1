/** What a node's agent is told of those before it. */
import type { Design } from '../domain/designs.js';
import { DomainError } from '../domain/errors.js';
import type { PipelineId } from '../domain/ids.js';
import { ancestorsOf, checkGraph } from '../domain/pipeline.js';
import type { AgentResult } from '../domain/results.js';
import { resultOfStep, type PriorStep } from './agent-steps.js';

/** Results of the nodes that lead to this one, so that timing elsewhere changes no prompt. */
export function priorsAmong(
  steps: readonly PriorStep[],
  { pipelineId, design, node }: { pipelineId: PipelineId; design: Design; node: string },
): readonly AgentResult[] {
  const checked = checkGraph(design);
  if (checked.kind === 'unbuildable') {
    // its run was refused at its start
    throw new DomainError('internal', `pipeline ${pipelineId} has no graph`);
  }
  const ancestors = ancestorsOf(checked.graph, node);
  return steps.filter(({ seq, node: of }) => seq !== null && ancestors.has(of)).map(resultOfStep);
}
