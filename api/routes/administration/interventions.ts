/** What administrators do to accounts and runs of others. */
import {
  approveAccount,
  disableUser,
  enableUser,
  releaseRun,
  type AdministrationDeps,
} from './actions.js';
import { disableBody, runPath } from './schemas.js';
import { userPath } from '../auth/schemas.js';
import { defineRoute, type Route } from '../../http/route.js';
import { approvedSchema, openedSchema, releaseSchema, shutSchema } from './views.js';
import { error } from '../../http/error-views.js';

const INTERVENE = { tag: 'administration', auth: 'user', method: 'POST' } as const;

export function createInterventionRoutes(deps: AdministrationDeps): readonly Route[] {
  return [disableRoute(deps), enableRoute(deps), approveRoute(deps), releaseRoute(deps)];
}

function disableRoute(deps: AdministrationDeps): Route {
  return defineRoute(
    {
      ...INTERVENE,
      action: 'user:disable',
      path: '/admin/users/{user_id}/disable',
      summary: 'Shut an account at once: credentials, connections and runs; it can be taken back',
      params: userPath,
      body: disableBody,
      responses: {
        200: { description: 'Shut', schema: shutSchema },
        400: error('Cannot disable your own account'),
        404: error('User not found'),
      },
    },
    async ({ user, params: { user_id: userId }, body: { reason } }) => {
      const { ended, left } = await disableUser(deps, { adminId: user.id, userId, reason });
      return { status: 200, body: { user: userId, runs_ended: ended, runs_left: left } };
    },
  );
}

function enableRoute(deps: AdministrationDeps): Route {
  return defineRoute(
    {
      ...INTERVENE,
      action: 'user:enable',
      path: '/admin/users/{user_id}/enable',
      summary: 'Open an account again; its user signs in anew',
      params: userPath,
      responses: {
        200: { description: 'Open', schema: openedSchema },
        404: error('User not found'),
      },
    },
    async ({ user, params: { user_id: userId } }) => {
      await enableUser(deps, { adminId: user.id, userId });
      return { status: 200, body: { user: userId } };
    },
  );
}

function approveRoute(deps: AdministrationDeps): Route {
  return defineRoute(
    {
      ...INTERVENE,
      action: 'user:approve',
      path: '/admin/users/{user_id}/approve',
      summary: 'Approve an account that has registered under REGISTRATION=approval',
      params: userPath,
      responses: {
        200: { description: 'Approved', schema: approvedSchema },
        404: error('User not found'),
        409: error('The account is approved already'),
      },
    },
    async ({ user, params: { user_id: userId } }) => {
      await approveAccount(deps, { adminId: user.id, userId });
      return { status: 200, body: { user: userId } };
    },
  );
}

function releaseRoute(deps: AdministrationDeps): Route {
  return defineRoute(
    {
      ...INTERVENE,
      action: 'run:release',
      path: '/admin/runs/{run_id}/release',
      summary: 'Let go of a run that makes no progress: hand on its slot, or end it',
      params: runPath,
      responses: {
        200: { description: 'Done, or asked for', schema: releaseSchema },
        404: error('Pipeline run not found'),
        409: error('The run has ended'),
      },
    },
    async ({ user, params: { run_id: pipelineId } }) => {
      const request = { adminId: user.id, pipelineId };
      return { status: 200, body: { outcome: await releaseRun(deps, request) } };
    },
  );
}
