import { z } from 'zod';
import { ROLES } from '../../../domain/account/permissions.js';
import { WAIT_REASONS } from '../../../domain/run/results.js';
import { pipelineStatusNames } from '../runs/views.js';
import { queryInteger, text, uuid } from '../../http/schemas/fields.js';

const MAX_PAGE = 100;
const PAGE = 50;
const MAX_DAYS = 366;
const DAYS = 30;
const MAX_SEARCH = 255;
const MAX_REASON = 500;

const limit = queryInteger({ min: 1, max: MAX_PAGE, initial: PAGE });

/** `after` is the last entry of the page before. */
const page = z.object({ limit, after: uuid.optional() });

export const usersQuery = page.extend({
  search: text({ min: 1, max: MAX_SEARCH }).optional(),
  role: z.enum(ROLES).optional(),
  disabled: z.enum(['true', 'false']).optional(),
  awaiting_approval: z.enum(['true', 'false']).optional(),
});

export const runsQuery = page.extend({
  user_id: uuid.optional(),
  status: z.enum(pipelineStatusNames).optional(),
  waiting_for: z.enum(WAIT_REASONS).optional(),
});

export const stuckQuery = page;

export const costsQuery = z.object({
  days: queryInteger({ min: 1, max: MAX_DAYS, initial: DAYS }),
  user_id: uuid.optional(),
  limit,
});

/** Fifteen digits: below what a number keeps exactly. */
const MAX_ID = 999_999_999_999_999;

export const actionsQuery = z.object({
  limit,
  before: z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.int().min(1).max(MAX_ID))
    .optional(),
  actor_id: uuid.optional(),
  subject: text({ min: 1, max: MAX_SEARCH }).optional(),
});

/** For the log: who reads it later shall know why. */
export const disableBody = z
  .object({ reason: text({ min: 1, max: MAX_REASON }) })
  .meta({ id: 'DisableBody' });

export const runPath = z.object({ run_id: uuid });
