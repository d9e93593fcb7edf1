import type { Db } from '../../../db/connect.js';
import { readPipelineHistory, readTotals, readUsageHistory } from '../../../db/billing/stats.js';
import { utcDay } from '../../../domain/account/days.js';
import { pipelineHistoryQuery, usageHistoryQuery } from './schemas.js';
import { defineRoute, type Route } from '../../http/route.js';
import {
  pipelineHistorySchema,
  summarySchema,
  usageHistorySchema,
  viewPastPipeline,
  viewTotals,
  viewUsageDay,
} from './views.js';

const DAY_MS = 86_400_000;

export function createStatsRoutes({ db }: { db: Db }): readonly Route[] {
  const own = { method: 'GET', tag: 'stats', auth: 'user' } as const;
  return [
    defineRoute(
      {
        ...own,
        path: '/stats/usage-history',
        summary: 'Cost and messages by UTC day, ascending',
        query: usageHistoryQuery,
        responses: { 200: { description: 'Days with either', schema: usageHistorySchema } },
      },
      async ({ user, query }) => {
        const since = utcDay(new Date(Date.now() - query.days * DAY_MS));
        const days = await readUsageHistory(db, { userId: user.id, since });
        return { status: 200, body: days.map(viewUsageDay) };
      },
    ),
    defineRoute(
      {
        ...own,
        path: '/stats/pipeline-history',
        summary: 'Own runs, newest first',
        query: pipelineHistoryQuery,
        responses: { 200: { description: 'The latest runs', schema: pipelineHistorySchema } },
      },
      async ({ user, query }) => {
        const runs = await readPipelineHistory(db, { userId: user.id, limit: query.limit });
        return { status: 200, body: runs.map(viewPastPipeline) };
      },
    ),
    defineRoute(
      {
        ...own,
        path: '/stats/summary',
        summary: 'How much of everything is mine',
        responses: { 200: { description: 'Counts of own rows', schema: summarySchema } },
      },
      async ({ user }) => ({ status: 200, body: viewTotals(await readTotals(db, user.id)) }),
    ),
  ];
}
