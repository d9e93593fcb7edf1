import { DomainError } from '../../../domain/errors.js';
import { deleteAccountBody, userPath } from './schemas.js';
import { checkPassword } from '../../auth/profile.js';
import { defineRoute, type Route } from '../../http/route.js';
import type { SignInDeps } from '../../auth/sign-in.js';
import { deleteUser, type DeletionDeps } from '../../auth/user-deletion.js';
import { error } from '../../http/error-views.js';
import { deletionSchema } from './views.js';

export type AccountDeletionDeps = SignInDeps & DeletionDeps;

export function createAccountDeletionRoutes(deps: AccountDeletionDeps): readonly Route[] {
  return [deleteOwnRoute(deps), deleteUserRoute(deps)];
}

const GOING_ON = {
  description: 'The account is closed; the rest is being removed',
  schema: deletionSchema,
};
const DONE = { description: 'Everything is removed', schema: null };

const GOING = { status: 202, body: { status: 'deleting' } } as const;
const GONE = { status: 204, body: null } as const;
const NOT_FOUND = 'User not found';

function deleteOwnRoute(deps: AccountDeletionDeps): Route {
  return defineRoute(
    {
      tag: 'auth',
      auth: 'user',
      method: 'DELETE',
      path: '/auth/me',
      summary: 'Delete the account and everything that belongs to it; it cannot be taken back',
      body: deleteAccountBody,
      responses: { 202: GOING_ON, 204: DONE },
    },
    async ({ user, body }) => {
      await checkPassword(deps, user, body.current_password);
      const outcome = await deleteUser(deps, { userId: user.id, by: user.id });
      if (outcome === 'no-such-user') {
        throw new DomainError('not-authenticated', NOT_FOUND); // since the request was authenticated
      }
      return outcome === 'gone' ? GONE : GOING;
    },
  );
}

function deleteUserRoute(deps: AccountDeletionDeps): Route {
  return defineRoute(
    {
      tag: 'auth',
      auth: 'user',
      action: 'user:delete',
      method: 'DELETE',
      path: '/auth/users/{user_id}',
      summary: 'Delete another user and everything of theirs; it cannot be taken back',
      params: userPath,
      responses: {
        202: GOING_ON,
        204: DONE,
        400: error('Cannot delete your own account here'),
        404: error(NOT_FOUND),
      },
    },
    async ({ user, params: { user_id: userId } }) => {
      if (userId === user.id) {
        throw new DomainError('invalid-input', 'Cannot delete your own account here');
      }
      const outcome = await deleteUser(deps, { userId, by: user.id });
      if (outcome === 'no-such-user') {
        throw new DomainError('not-found', NOT_FOUND);
      }
      return outcome === 'gone' ? GONE : GOING;
    },
  );
}
