import { readDay } from '../../../db/billing/costs.js';
import { readBudget } from '../../../db/users/users.js';
import { utcDay } from '../../../domain/account/days.js';
import {
  changeProfileBody,
  loginBody,
  refreshBody,
  registerBody,
  setBudgetBody,
  setRoleBody,
  userPath,
} from './schemas.js';
import { changeBudget, changeProfile, changeRole } from '../../auth/profile.js';
import type { Logger } from '../../../telemetry/logger.js';
import { defineRoute, type Route } from '../../http/route.js';
import type { RunControl } from '../../runs/control.js';
import { logIn, refresh, register, type SignInDeps } from '../../auth/sign-in.js';
import { error } from '../../http/error-views.js';
import {
  tokensSchema,
  usageSchema,
  userBudgetSchema,
  userSchema,
  viewUsage,
  viewUser,
  viewUserBudget,
} from './views.js';

export type AuthDeps = SignInDeps & {
  readonly logger: Logger;
  readonly workflows: Pick<RunControl, 'tellBudgetChanged'>;
};

export function createAuthRoutes(deps: AuthDeps): readonly Route[] {
  return [
    ...signInRoutes(deps),
    ...ownRoutes(deps),
    changeProfileRoute(deps),
    changeRoleRoute(deps),
    changeBudgetRoute(deps),
  ];
}

function signInRoutes(deps: SignInDeps): readonly Route[] {
  const open = { method: 'POST', tag: 'auth', auth: 'none', authLimited: true } as const;
  return [
    defineRoute(
      {
        ...open,
        path: '/auth/register',
        summary: 'Create an account',
        body: registerBody,
        responses: {
          201: { description: 'Signed up and in', schema: tokensSchema },
          403: error('Registration is closed'),
          409: error('Email already registered'),
        },
      },
      async ({ body, clientIp }) => {
        const { email, password, display_name: displayName } = body;
        const account = { email, password, displayName };
        return { status: 201, body: await register(deps, account, clientIp) };
      },
    ),
    defineRoute(
      {
        ...open,
        path: '/auth/login',
        summary: 'Sign in',
        body: loginBody,
        responses: {
          200: { description: 'Signed in', schema: tokensSchema },
          401: error('Invalid email or password'),
        },
      },
      async ({ body, clientIp }) => ({
        status: 200,
        body: await logIn(deps, body, clientIp),
      }),
    ),
    defineRoute(
      {
        ...open,
        path: '/auth/refresh',
        summary: 'Exchange a refresh token for a new pair; it can be used once',
        body: refreshBody,
        responses: {
          200: { description: 'Both tokens are new', schema: tokensSchema },
          401: error('The token cannot be used (any more)'),
        },
      },
      async ({ body }) => ({ status: 200, body: await refresh(deps, body.refresh_token) }),
    ),
  ];
}

function ownRoutes({ db }: AuthDeps): readonly Route[] {
  const own = { tag: 'auth', auth: 'user' } as const;
  return [
    defineRoute(
      {
        ...own,
        method: 'GET',
        path: '/auth/me',
        summary: 'Who am I',
        responses: { 200: { description: 'The caller', schema: userSchema } },
      },
      ({ user }) => ({ status: 200, body: viewUser(user, user.isApproved) }),
    ),
    defineRoute(
      {
        ...own,
        method: 'GET',
        path: '/auth/me/usage',
        summary: "Today's cost and limit (UTC day)",
        responses: { 200: { description: 'In US dollars', schema: usageSchema } },
      },
      async ({ user }) => {
        const cost = await readDay(db, user.id, utcDay(new Date()));
        const { role } = user;
        const dailyBudgetUsd = await readBudget(db, user.id);
        return { status: 200, body: viewUsage({ role, dailyBudgetUsd }, cost) };
      },
    ),
  ];
}

function changeProfileRoute(deps: AuthDeps): Route {
  return defineRoute(
    {
      tag: 'auth',
      auth: 'user',
      method: 'PUT',
      path: '/auth/me',
      summary: 'Change the display name or the password; a new password ends the other sessions',
      body: changeProfileBody,
      responses: { 200: { description: 'Changed', schema: userSchema } },
    },
    async ({ user, body }) => {
      const changed = await changeProfile(deps, user, {
        displayName: body.display_name,
        currentPassword: body.current_password,
        newPassword: body.new_password,
      });
      return { status: 200, body: viewUser(changed) };
    },
  );
}

function changeRoleRoute(deps: AuthDeps): Route {
  return defineRoute(
    {
      tag: 'auth',
      auth: 'user',
      action: 'user:set-role',
      method: 'PUT',
      path: '/auth/users/{user_id}/role',
      summary: "Change another user's role",
      params: userPath,
      body: setRoleBody,
      responses: {
        200: { description: 'The user', schema: userSchema },
        400: error('Cannot change your own role'),
        404: error('User not found'),
      },
    },
    async ({ user, params, body }) => {
      const request = { userId: params.user_id, role: body.role };
      const changed = await changeRole(deps, user, request);
      await deps.workflows.tellBudgetChanged(changed.id);
      return { status: 200, body: viewUser(changed) };
    },
  );
}

function changeBudgetRoute(deps: AuthDeps): Route {
  return defineRoute(
    {
      tag: 'auth',
      auth: 'user',
      action: 'user:set-budget',
      method: 'PUT',
      path: '/auth/users/{user_id}/budget',
      summary: "Set what a user may spend a day; null: the role's limit. Runs that wait go on",
      params: userPath,
      body: setBudgetBody,
      responses: {
        200: { description: 'The user', schema: userBudgetSchema },
        404: error('User not found'),
      },
    },
    async ({ user, params, body }) => {
      const request = { userId: params.user_id, budgetUsd: body.daily_budget_usd };
      const changed = await changeBudget(deps, user, request);
      await deps.workflows.tellBudgetChanged(changed.id);
      return { status: 200, body: viewUserBudget(changed) };
    },
  );
}
