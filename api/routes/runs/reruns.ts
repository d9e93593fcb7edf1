/** Running again, and comparing what came of it. */
import { awaitRun } from '../../runs/await-run.js';
import { MAX_DESIGN_BYTES } from './design-schemas.js';
import { comparisonPath, pipelinePath, prefer, rerunBody } from './schemas.js';
import type { AppDeps } from '../../deps.js';
import { compare, planRerun } from '../../runs/rerun.js';
import { defineRoute, type Route } from '../../http/route.js';
import { comparisonSchema, viewComparison } from './comparison-views.js';
import { error } from '../../http/error-views.js';
import { pipelineStatusSchema } from './views.js';

export type RerunDeps = Pick<AppDeps, 'db' | 'workflows' | 'config'>;

const OWN = { tag: 'pipelines', auth: 'user' } as const;
const NOT_FOUND = error('Pipeline run not found');

export function createRerunRoutes(deps: RerunDeps): readonly Route[] {
  return [rerunRoute(deps), compareRoute(deps)];
}

function rerunRoute(deps: RerunDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'POST',
      action: 'pipeline:start',
      yields: { pipeline_id: '/pipeline_id' },
      path: '/pipelines/{pipeline_id}/rerun',
      summary: 'Run again from a node, or with changes; answers before it are taken over, unpaid',
      params: pipelinePath,
      headers: prefer,
      body: rerunBody,
      maxBodyBytes: MAX_DESIGN_BYTES,
      responses: {
        200: { description: 'The new run has ended', schema: pipelineStatusSchema },
        202: { description: 'It goes on; ask at `Location`', schema: pipelineStatusSchema },
        400: error('No usable LLM key'),
        404: error('Pipeline run, or node, not found'),
        409: error('The run has not ended, or only one of the two would be simulated'),
        429: error('Cost limit, runs per day, another active run, or rate limit'),
      },
    },
    async (call) => {
      const { user, params, body } = call;
      const plan = await planRerun(
        deps.db,
        { userId: user.id, pipelineId: params.pipeline_id },
        { from: body.from ?? null, changes: new Map(Object.entries(body.changes ?? {})) },
      );
      const starter = { userId: user.id, role: user.role, onBudget: body.on_budget };
      return awaitRun(deps, await deps.workflows.startPipeline({ ...starter, ...plan }), call);
    },
  );
}

function compareRoute({ db }: RerunDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/pipelines/{pipeline_id}/compare/{other}',
      summary: "Two runs side by side: each node's output, cost, tokens and duration",
      params: comparisonPath,
      responses: { 200: { description: 'Both', schema: comparisonSchema }, 404: NOT_FOUND },
    },
    async ({ user, params }) => {
      const compared = await compare(db, user.id, [params.pipeline_id, params.other]);
      return { status: 200, body: viewComparison(compared) };
    },
  );
}
