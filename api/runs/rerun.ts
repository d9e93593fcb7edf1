/** Running again what an earlier run has not answered, or is to answer anew. */
import { listSteps } from '../../db/runs/agent-steps.js';
import type { Db } from '../../db/connect.js';
import { languageOfRun, readRunById, type RunRecord } from '../../db/runs/runs.js';
import { resultOfStep } from '../../db/runs/agent-steps.js';
import { DomainError } from '../../domain/errors.js';
import { isUuid, type UserId } from '../../domain/ids.js';
import { checkGraph, type Graph } from '../../domain/run/pipeline.js';
import {
  changedDesign,
  compareRuns,
  inSpellingOf,
  reusableNodes,
  type ComparedRun,
  type NodeComparison,
  type RerunRequest,
} from '../../domain/run/rerun.js';
import { isFinal } from '../../domain/run/results.js';
import type { Rerun } from '../../db/runs/admission.js';
import type { Design } from '../../domain/design/designs.js';

export interface RerunPlan {
  readonly design: Design;
  readonly language: 'en' | 'ko';
  readonly rerun: Rerun;
}

/** @throws `not-found`, also of a node that the run does not have; `run-not-ended` */
export async function planRerun(
  db: Db,
  { userId, pipelineId }: { userId: UserId; pipelineId: string },
  wanted: RerunRequest,
): Promise<RerunPlan> {
  const run = await readOwnRun(db, userId, pipelineId);
  if (!isFinal(run.status)) {
    throw new DomainError('run-not-ended', 'The run has not ended; cancel it or wait for its end');
  }
  const graph = graphOf(run);
  const request = graph === null ? wanted : inSpellingOf(graph, wanted);
  requireNodes(graph, request);
  const steps = await listSteps(db, run.id);
  const answered = new Map(steps.map(({ node, status }) => [node, status]));
  return {
    design: graph === null ? run.design : changedDesign(run.design, graph, request),
    language: languageOfRun(run),
    rerun: {
      of: run.id,
      simulated: run.simulated,
      reusedNodes: graph === null ? [] : reusableNodes(graph, answered, request),
    },
  };
}

export interface Comparison {
  readonly runs: readonly [RunRecord, RunRecord];
  readonly nodes: readonly NodeComparison[];
}

/** @throws `not-found` */
export async function compare(
  db: Db,
  userId: UserId,
  [leftId, rightId]: readonly [string, string],
): Promise<Comparison> {
  const left = await readOwnRun(db, userId, leftId);
  const right = await readOwnRun(db, userId, rightId);
  const nodes = compareRuns(await comparedRun(db, left), await comparedRun(db, right));
  return { runs: [left, right], nodes };
}

async function comparedRun(db: Db, run: RunRecord): Promise<ComparedRun> {
  const steps = await listSteps(db, run.id);
  const announced = steps.filter(({ seq }) => seq !== null);
  const results = new Map(announced.map((step) => [step.node, resultOfStep(step)]));
  return { design: run.design, graph: graphOf(run), results };
}

async function readOwnRun(db: Db, userId: UserId, pipelineId: string): Promise<RunRecord> {
  const run = isUuid(pipelineId) ? await readRunById(db, pipelineId) : null;
  if (run?.userId !== userId) {
    throw new DomainError('not-found', 'Pipeline run not found');
  }
  return run;
}

function graphOf({ design }: RunRecord): Graph | null {
  const checked = checkGraph(design);
  return checked.kind === 'graph' ? checked.graph : null;
}

function requireNodes(graph: Graph | null, { from, changes }: RerunRequest): void {
  const known = new Set(graph?.nodes.map(({ node }) => node));
  const named = [
    ...(from === null ? [] : [{ field: 'from', node: from }]),
    ...[...changes.keys()].map((node) => ({ field: `changes.${node}`, node })),
  ];
  const unknown = named.find(({ node }) => !known.has(node));
  if (unknown !== undefined) {
    throw new DomainError('not-found', `${unknown.field}: the run has no such node`);
  }
}
