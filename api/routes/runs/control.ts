/** What an owner may do to a run that works or waits. */
import { listApprovals, listOpenApprovals } from '../../../db/runs/approvals.js';
import { DomainError } from '../../../domain/errors.js';
import { isUuid } from '../../../domain/ids.js';
import {
  MAX_APPROVAL_BYTES,
  approvalBody,
  approvalPath,
  inboxQuery,
  parseInboxCursor,
  pipelinePath,
} from './schemas.js';
import type { AppDeps } from '../../deps.js';
import { defineRoute, type Route } from '../../http/route.js';
import {
  approvalSchema,
  approvalsSchema,
  inboxSchema,
  viewApproval,
  viewInbox,
} from './approval-views.js';
import { error } from '../../http/error-views.js';
import { pipelineStatusSchema } from './views.js';

export type RunControlRouteDeps = Pick<AppDeps, 'db' | 'workflows'>;

const OWN = { tag: 'pipelines', auth: 'user' } as const;
const NOT_FOUND = error('Pipeline run not found');
const AWAY = error('A part of the system is away, or the run is about to begin or to end');

export function createRunControlRoutes(deps: RunControlRouteDeps): readonly Route[] {
  return [
    steerRoute(deps, 'pause', 'Begin no further agent; what is under way ends and is kept'),
    steerRoute(deps, 'resume', 'Let a paused run go on, as soon as no other run is active'),
    inboxRoute(deps),
    approvalsRoute(deps),
    decideRoute(deps),
  ];
}

function steerRoute(
  { workflows }: RunControlRouteDeps,
  verb: 'pause' | 'resume',
  summary: string,
): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'POST',
      path: `/pipelines/{pipeline_id}/${verb}`,
      summary,
      params: pipelinePath,
      responses: {
        202: { description: 'The run was notified', schema: pipelineStatusSchema },
        404: NOT_FOUND,
        409: error('The run has ended'),
        503: AWAY,
      },
    },
    async ({ user, params: { pipeline_id: id } }) => {
      const steer = verb === 'pause' ? workflows.pauseRun : workflows.resumeRun;
      const view = isUuid(id) ? await steer(user.id, id) : null;
      if (view === null) {
        throw notFound();
      }
      return { status: 202, body: view };
    },
  );
}

function inboxRoute({ db }: RunControlRouteDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/approvals',
      summary: 'What own runs wait for, over all runs, the longest wait first',
      query: inboxQuery,
      responses: { 200: { description: 'A page', schema: inboxSchema } },
    },
    async ({ user, query: { limit, after } }) => {
      const cursor = after === undefined ? undefined : parseInboxCursor(after);
      const page = await listOpenApprovals(db, user.id, { limit, after: cursor });
      return { status: 200, body: viewInbox(page) };
    },
  );
}

function approvalsRoute({ db, workflows }: RunControlRouteDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/pipelines/{pipeline_id}/approvals',
      summary: 'What the run asks, or has asked, its owner to approve',
      params: pipelinePath,
      responses: { 200: { description: 'In order', schema: approvalsSchema }, 404: NOT_FOUND },
    },
    async ({ user, params: { pipeline_id: id } }) => {
      const run = isUuid(id) ? await workflows.readPipeline(user.id, id) : null;
      if (run === null) {
        throw notFound();
      }
      const approvals = await listApprovals(db, run.pipeline_id);
      return { status: 200, body: approvals.map(viewApproval) };
    },
  );
}

function decideRoute({ workflows }: RunControlRouteDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'POST',
      path: '/pipelines/{pipeline_id}/approvals/{node}',
      summary: 'Approve or reject an agent that waits; an approval may edit its input',
      params: approvalPath,
      body: approvalBody,
      maxBodyBytes: MAX_APPROVAL_BYTES,
      responses: {
        200: { description: 'Decided', schema: approvalSchema },
        202: {
          description: 'The run was notified, and has not recorded it yet',
          schema: approvalSchema,
        },
        404: NOT_FOUND,
        409: error('The run has ended, or the node does not wait (any more)'),
        503: AWAY,
      },
    },
    async ({ user, params, body }) => {
      if (!isUuid(params.pipeline_id)) {
        throw notFound();
      }
      const approval = await workflows.decideApproval({
        pipelineId: params.pipeline_id,
        node: params.node,
        userId: user.id,
        decision: body.decision,
        input: body.input ?? null,
        comment: body.comment ?? null,
      });
      return { status: approval.state === 'wanted' ? 202 : 200, body: viewApproval(approval) };
    },
  );
}

function notFound(): DomainError {
  return new DomainError('not-found', 'Pipeline run not found');
}
