import type { Db } from '../../../db/connect.js';
import { readPipelineHistory, readTotals, readUsageHistory } from '../../../db/billing/stats.js';
import { utcDay } from '../../../domain/account/days.js';
import { readCostGroups } from '../../../db/billing/cost-groups.js';
import { costsQuery, pipelineHistoryQuery, usageHistoryQuery } from './schemas.js';
import { defineRoute, type Route } from '../../http/route.js';
import {
  costsSchema,
  pipelineHistorySchema,
  summarySchema,
  usageHistorySchema,
  viewCostGroups,
  viewPastPipeline,
  viewTotals,
  viewUsageDay,
} from './views.js';

const DAY_MS = 86_400_000;

const OWN = { method: 'GET', tag: 'stats', auth: 'user' } as const;

export function createStatsRoutes({ db }: { db: Db }): readonly Route[] {
  return [
    defineRoute(
      {
        ...OWN,
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
        ...OWN,
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
        ...OWN,
        path: '/stats/summary',
        summary: 'How much of everything is mine',
        responses: { 200: { description: 'Counts of own rows', schema: summarySchema } },
      },
      async ({ user }) => ({ status: 200, body: viewTotals(await readTotals(db, user.id)) }),
    ),
    costsRoute(db),
  ];
}

function costsRoute(db: Db): Route {
  return defineRoute(
    {
      ...OWN,
      path: '/stats/costs',
      summary: 'What own calls cost, by model, day, template, conversation, run or node',
      query: costsQuery,
      responses: { 200: { description: 'From the ledger', schema: costsSchema } },
    },
    async ({ user, query }) => {
      const { by, limit, days, pipeline_id: pipelineId } = query;
      const since = utcDay(new Date(Date.now() - days * DAY_MS));
      const groups = await readCostGroups(db, user.id, {
        ...{ by, limit, pipelineId },
        since: pipelineId === undefined ? since : null,
        conversationId: query.conversation_id,
        templateId: query.template_id,
      });
      return { status: 200, body: viewCostGroups(groups) };
    },
  );
}
