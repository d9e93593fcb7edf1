/** Looking through what belongs to everybody, for administrators. */
import { z } from 'zod';
import { listAdminActions } from '../../../db/audit/admin-actions.js';
import {
  listRuns,
  listUsers,
  readCostDays,
  readTopSpenders,
} from '../../../db/users/administration.js';
import { utcDay } from '../../../domain/account/days.js';
import { findStuck, type AdministrationDeps } from './actions.js';
import { actionsQuery, costsQuery, runsQuery, stuckQuery, usersQuery } from './schemas.js';
import { defineRoute, type Route } from '../../http/route.js';
import {
  actionSchema,
  costsSchema,
  listedRunSchema,
  listedUserSchema,
  stuckSchema,
  viewAction,
  viewCosts,
  viewListedRun,
  viewListedUser,
} from './views.js';

const READ = {
  tag: 'administration',
  auth: 'user',
  action: 'admin:read',
  method: 'GET',
} as const;

export function createAdministrationRoutes(deps: AdministrationDeps): readonly Route[] {
  return [
    usersRoute(deps),
    runsRoute(deps),
    stuckRoute(deps),
    costsRoute(deps),
    actionsRoute(deps),
  ];
}

function usersRoute({ db }: AdministrationDeps): Route {
  return defineRoute(
    {
      ...READ,
      path: '/admin/users',
      summary:
        'Accounts, newest first; by a part of address or name, by role, by whether they work or await approval',
      query: usersQuery,
      responses: { 200: { description: 'A page', schema: z.array(listedUserSchema) } },
    },
    async ({ query }) => {
      const { awaiting_approval: awaiting, disabled, ...rest } = query;
      const flags = { disabled: flagOf(disabled), awaitingApproval: flagOf(awaiting) };
      const users = await listUsers(db, { ...rest, ...flags }, new Date());
      return { status: 200, body: users.map(viewListedUser) };
    },
  );
}

function flagOf(text: 'true' | 'false' | undefined): boolean | undefined {
  return text === undefined ? undefined : text === 'true';
}

function runsRoute({ db }: AdministrationDeps): Route {
  return defineRoute(
    {
      ...READ,
      path: '/admin/runs',
      summary: 'Runs of everybody, newest first',
      query: runsQuery,
      responses: { 200: { description: 'A page', schema: z.array(listedRunSchema) } },
    },
    async ({ query }) => {
      const { user_id: userId, waiting_for: waitingFor, ...rest } = query;
      const runs = await listRuns(db, { ...rest, userId, waitingFor });
      return { status: 200, body: runs.map(viewListedRun) };
    },
  );
}

function stuckRoute(deps: AdministrationDeps): Route {
  return defineRoute(
    {
      ...READ,
      path: '/admin/stuck',
      summary: 'Runs that make no progress by themselves, oldest first, each with the reason',
      query: stuckQuery,
      weight: 1,
      responses: { 200: { description: 'Those of one page of open runs', schema: stuckSchema } },
    },
    async ({ query }) => {
      const { stuck, next } = await findStuck(deps, query);
      const runs = stuck.map(({ run, ...rest }) => ({ ...viewListedRun(run), ...rest }));
      return { status: 200, body: { runs, next } };
    },
  );
}

const DAY_MS = 86_400_000;

function costsRoute({ db }: AdministrationDeps): Route {
  return defineRoute(
    {
      ...READ,
      path: '/admin/costs',
      summary: 'What everybody, or one user, has cost by UTC day, and who has spent most',
      query: costsQuery,
      responses: { 200: { description: 'Ascending days', schema: costsSchema } },
    },
    async ({ query: { days, user_id: userId, limit } }) => {
      const since = utcDay(new Date(Date.now() - (days - 1) * DAY_MS));
      const [byDay, users] = await Promise.all([
        readCostDays(db, { since, userId }),
        readTopSpenders(db, { since, userId, limit }),
      ]);
      return { status: 200, body: viewCosts(byDay, users) };
    },
  );
}

function actionsRoute({ db }: AdministrationDeps): Route {
  return defineRoute(
    {
      ...READ,
      path: '/admin/actions',
      summary: 'What administrators have done to what is not theirs, newest first',
      query: actionsQuery,
      responses: { 200: { description: 'A page', schema: z.array(actionSchema) } },
    },
    async ({ query: { actor_id: actorId, ...page } }) => {
      const actions = await listAdminActions(db, { ...page, actorId });
      return { status: 200, body: actions.map(viewAction) };
    },
  );
}
