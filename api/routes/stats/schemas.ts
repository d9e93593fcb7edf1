import { z } from 'zod';
import { queryInteger } from '../../http/schemas/fields.js';

export const usageHistoryQuery = z.object({ days: queryInteger({ min: 1, max: 90, initial: 30 }) });

export const pipelineHistoryQuery = z.object({
  limit: queryInteger({ min: 1, max: 100, initial: 20 }),
});
