import { DomainError } from '../../../domain/errors.js';
import {
  AWAITING_APPROVAL,
  mayDo,
  needsApproval,
  type Action,
} from '../../../domain/account/permissions.js';
import type { ApiMiddleware } from './state.js';

/** Lets through whose role, as the database has it, may take the action. */
export function authorize(action: Action): ApiMiddleware {
  return async (ctx, next) => {
    if (ctx.state.user === null || !mayDo(ctx.state.user.role, action)) {
      throw new DomainError('not-permitted', 'Insufficient permissions');
    }
    if (!ctx.state.user.isApproved && needsApproval(action)) {
      throw new DomainError('not-permitted', AWAITING_APPROVAL);
    }
    await next();
  };
}
