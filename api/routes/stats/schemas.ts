import { z } from 'zod';
import { COST_GROUPS } from '../../../db/billing/cost-groups.js';
import { queryInteger, uuid } from '../../http/schemas/fields.js';

export const usageHistoryQuery = z.object({ days: queryInteger({ min: 1, max: 90, initial: 30 }) });

export const pipelineHistoryQuery = z.object({
  limit: queryInteger({ min: 1, max: 100, initial: 20 }),
});

export const costsQuery = z
  .object({
    by: z.enum(COST_GROUPS).describe('`node` needs a `pipeline_id`'),
    days: queryInteger({ min: 1, max: 366, initial: 30 }).describe(
      'The latest so many UTC days before today, and today; of a run, all days count',
    ),
    pipeline_id: uuid.optional(),
    conversation_id: uuid.optional(),
    template_id: uuid.optional(),
    limit: queryInteger({ min: 1, max: 200, initial: 50 }),
  })
  .check(({ value, issues }) => {
    if (value.by === 'node' && value.pipeline_id === undefined) {
      const path = ['pipeline_id'];
      issues.push({ code: 'custom', path, message: 'Field required', input: undefined });
    }
  });
