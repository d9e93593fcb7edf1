/** Runs: parse, ask, show. A client that hangs up ends its waiting, never the run. */
import { listOwnRuns } from '../../../db/runs/run-pages.js';
import { findRunnableDesign } from '../../../db/runs/templates.js';
import type { Design } from '../../../domain/design/designs.js';
import { DomainError } from '../../../domain/errors.js';
import { languageOf } from '../../../domain/text/languages.js';
import type { BudgetRule, PipelineStatusView } from '../../../domain/run/results.js';
import { MAX_DESIGN_BYTES, designBody } from './design-schemas.js';
import { isUuid } from '../../../domain/ids.js';
import {
  executeDirectBody,
  executePipelineBody,
  pipelinePath,
  prefer,
  runPageQuery,
} from './schemas.js';
import { parseTimeCursor } from '../../http/schemas/fields.js';
import { parseInput } from '../../http/schemas/problems.js';
import { awaitRun } from '../../runs/await-run.js';
import type { Admission, AppDeps } from '../../deps.js';
import { defineRoute, type Route, type SignedInUser } from '../../http/route.js';
import { error, errorSchema } from '../../http/error-views.js';
import { pipelineResultSchema, pipelineStatusSchema, runPageSchema, viewRunPage } from './views.js';

export type PipelineDeps = Pick<AppDeps, 'db' | 'workflows' | 'config'>;

const OWN = { tag: 'pipelines', auth: 'user' } as const;
const NOT_FOUND = error('Pipeline run not found');

export function createPipelineRoutes(deps: PipelineDeps): readonly Route[] {
  return [
    listRoute(deps),
    executeRoute(deps),
    executeDirectRoute(deps),
    statusRoute(deps),
    resultRoute(deps),
    cancelRoute(deps),
  ];
}

function listRoute({ db }: PipelineDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/pipelines',
      summary: 'Own runs, newest first, page by page; filters narrow them down',
      query: runPageQuery,
      responses: { 200: { description: 'A page', schema: runPageSchema } },
    },
    async ({ user, query }) => {
      const { status, from, to, after, ...rest } = query;
      const page = await listOwnRuns(db, user.id, {
        ...rest,
        statuses: status,
        from: from === undefined ? undefined : new Date(from),
        to: to === undefined ? undefined : new Date(to),
        after: parseTimeCursor(after),
      });
      return { status: 200, body: viewRunPage(page) };
    },
  );
}

const STARTS = {
  ...OWN,
  method: 'POST',
  action: 'pipeline:start',
  yields: { pipeline_id: '/pipeline_id' },
  headers: prefer,
  responses: {
    200: { description: 'The run has ended, with this result', schema: pipelineStatusSchema },
    202: { description: 'The run goes on; ask at `Location`', schema: pipelineStatusSchema },
    400: error('No usable LLM key'),
    404: error('Template or conversation not found'),
    409: error('The discussion has not confirmed a design, or its last run waits'),
    429: error('Cost limit, runs per day, another active run, or rate limit'),
  },
} as const;

function executeRoute(deps: PipelineDeps): Route {
  return defineRoute(
    {
      ...STARTS,
      path: '/pipelines/execute',
      summary: 'Run a design, or what a discussion has confirmed',
      body: executePipelineBody,
      maxBodyBytes: MAX_DESIGN_BYTES,
    },
    async (call) => {
      const { user, body } = call;
      const admission =
        body.conversation_id == null
          ? await start(deps, user, { design: designOf(body.design), onBudget: body.on_budget })
          : await deps.workflows.runConfirmed({
              userId: user.id,
              role: user.role,
              conversationId: body.conversation_id,
              onBudget: body.on_budget,
            });
      return awaitRun(deps, admission, call);
    },
  );
}

function executeDirectRoute(deps: PipelineDeps): Route {
  return defineRoute(
    {
      ...STARTS,
      path: '/pipelines/execute-direct',
      summary: "Run a design, or a template's design",
      body: executeDirectBody,
      maxBodyBytes: MAX_DESIGN_BYTES,
    },
    async (call) => {
      const { user, body } = call;
      const { template_id: templateId, on_budget: onBudget } = body;
      const order =
        templateId == null
          ? { design: designOf(body.design), onBudget }
          : {
              design: await designOfTemplate(deps, { userId: user.id, templateId }),
              templateId,
              onBudget,
            };
      return awaitRun(deps, await start(deps, user, order), call);
    },
  );
}

function statusRoute({ workflows }: PipelineDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/pipelines/{pipeline_id}/status',
      summary: 'How a run stands',
      params: pipelinePath,
      responses: { 200: { description: 'Now', schema: pipelineStatusSchema }, 404: NOT_FOUND },
    },
    async ({ user, params }) => ({
      status: 200,
      body: await readRun(workflows, user, params.pipeline_id),
    }),
  );
}

function resultRoute({ workflows }: PipelineDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/pipelines/{pipeline_id}/result',
      summary: 'The result of an ended run',
      params: pipelinePath,
      responses: {
        200: { description: 'The run has ended', schema: pipelineResultSchema },
        202: { description: 'Pipeline still running', schema: errorSchema },
        404: NOT_FOUND,
      },
    },
    async ({ user, params }) => {
      const run = await readRun(workflows, user, params.pipeline_id);
      return run.result === null
        ? { status: 202, body: { detail: 'Pipeline still running' } }
        : { status: 200, body: run.result };
    },
  );
}

function cancelRoute({ workflows }: PipelineDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'POST',
      path: '/pipelines/{pipeline_id}/cancel',
      summary: 'Cancel a run; what is done is kept',
      params: pipelinePath,
      responses: {
        200: { description: 'It had already ended', schema: pipelineStatusSchema },
        202: { description: 'Asked to end', schema: pipelineStatusSchema },
        404: NOT_FOUND,
      },
    },
    async ({ user, params }) => {
      const asked = isUuid(params.pipeline_id)
        ? await workflows.cancelPipeline(user.id, params.pipeline_id)
        : null;
      if (asked === null) {
        throw notFound();
      }
      return { status: asked.kind === 'asked' ? 202 : 200, body: asked.view };
    },
  );
}

async function readRun(
  workflows: PipelineDeps['workflows'],
  user: SignedInUser,
  pipelineId: string,
): Promise<PipelineStatusView> {
  const run = isUuid(pipelineId) ? await workflows.readPipeline(user.id, pipelineId) : null;
  if (run === null) {
    throw notFound();
  }
  return run;
}

async function start(
  { workflows }: PipelineDeps,
  user: SignedInUser,
  order: { design: Design; templateId?: string; onBudget: BudgetRule },
): Promise<Admission> {
  const language = languageOf(wordsOf(order.design));
  return workflows.startPipeline({ userId: user.id, role: user.role, language, ...order });
}

/** All that a person writes in the editor; its own texts for a design are the same for everybody. */
function wordsOf({ name, description, agents }: Design): string {
  const told = agents.flatMap((agent) => [agent.description, agent.custom_prompt ?? '']);
  return [name, description, ...told].join(' ');
}

/** A call's body has been parsed, so that one of its two ways is there. */
function designOf(design: Design | null | undefined): Design {
  if (design == null) {
    throw new DomainError('internal', 'a parsed order names neither a design nor its place');
  }
  return design;
}

/** @throws `not-found`; InvalidInput when the template's document is no design. */
async function designOfTemplate(
  { db }: PipelineDeps,
  key: { userId: string; templateId: string },
): Promise<Design> {
  const document = await findRunnableDesign(db, key);
  if (document === undefined) {
    throw new DomainError('not-found', 'Template not found');
  }
  return parseInput(designBody, document, 'design_data');
}

function notFound(): DomainError {
  return new DomainError('not-found', 'Pipeline run not found');
}
