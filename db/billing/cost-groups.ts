/** What a user's calls cost, from the ledger, by what they were for. */
import { sql, type RawBuilder } from 'kysely';
import type { UserId } from '../../domain/ids.js';
import type { Db } from '../connect.js';

/** What calls are put together by. */
export const COST_GROUPS = ['model', 'day', 'template', 'conversation', 'run', 'node'] as const;
export type CostGroup = (typeof COST_GROUPS)[number];

export interface CostRequest {
  readonly by: CostGroup;
  /** First UTC day, `YYYY-MM-DD`; null: of all days. */
  readonly since: string | null;
  readonly pipelineId?: string | undefined;
  readonly conversationId?: string | undefined;
  readonly templateId?: string | undefined;
  readonly limit: number;
}

/** US dollars, exact decimals. */
export interface CostSums {
  readonly calls: number;
  /** The sum of the four that follow. */
  readonly cost: string;
  readonly settled: string;
  /** Vendors that stated no usage, at the reservation. */
  readonly estimated: string;
  /** Calls of unknown end, at the reservation. */
  readonly unknown: string;
  /** Calls under way. */
  readonly reserved: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface CostItem extends CostSums {
  /** null: calls of none, e.g. of no template */
  readonly key: string | null;
  /** Its title; of a model, its provider. null: it has none, or is not there any more */
  readonly name: string | null;
}

export interface CostGroups {
  /** The dearest first. */
  readonly items: readonly CostItem[];
  /** Groups beyond `limit`. */
  readonly omitted: number;
  readonly total: CostSums;
}

interface Row extends CostItem {
  readonly isTotal: boolean;
  readonly groups: number;
}

export async function readCostGroups(
  db: Db,
  userId: UserId,
  { by, since, pipelineId, conversationId, templateId, limit }: CostRequest,
): Promise<CostGroups> {
  const conditions = [
    since === null ? null : sql`call.date >= ${since}`,
    pipelineId === undefined ? null : sql`call.pipeline_id = ${pipelineId}::uuid`,
    conversationId === undefined ? null : sql`call.conversation_id = ${conversationId}::uuid`,
    templateId === undefined ? null : sql`run.template_id = ${templateId}::uuid`,
  ].filter((condition) => condition !== null);
  const { key, name } = GROUPS[by];
  const { rows } = await sql<Row>`
    with call as (
      select call.*, run.template_id, run.design_name, ${key} as key
      from cost_ledger as call left join pipeline_executions as run on run.id = call.pipeline_id
      where ${sql.join([sql`call.user_id = ${userId}::uuid`, ...conditions], sql` and `)}
    ), summed as (
      select key, grouping(key) = 1 as is_total, min(${name}) as name, count(*)::integer as calls,
        ${costOf('settled')}, ${costOf('estimated')}, ${costOf('unknown')}, ${costOf('reserved')},
        trim_scale(coalesce(sum(cost), 0)) as cost,
        coalesce(sum(prompt_tokens), 0)::double precision as prompt_tokens,
        coalesce(sum(completion_tokens), 0)::double precision as completion_tokens
      from call group by grouping sets ((key), ())
    )
    select *, (select count(*)::integer from summed) - 1 as groups from summed
    order by is_total desc, cost desc, calls desc, key
    limit ${limit + 1}`.execute(db);
  const [total = NOTHING, ...items] = rows;
  return { total, items, omitted: total.groups - items.length };
}

const NOTHING = {
  ...{ calls: 0, cost: '0', settled: '0', estimated: '0', unknown: '0', reserved: '0' },
  ...{ promptTokens: 0, completionTokens: 0, groups: 0 },
};

function costOf(state: 'settled' | 'estimated' | 'unknown' | 'reserved'): RawBuilder<unknown> {
  return sql`trim_scale(coalesce(sum(cost) filter (where state = ${sql.lit(state)}), 0))::text
    as ${sql.ref(state)}`;
}

/** `key` is read where `call` is the ledger, `name` where it is the statement's part of that name. */
const GROUPS: Readonly<
  Record<CostGroup, { readonly key: RawBuilder<unknown>; readonly name: RawBuilder<unknown> }>
> = {
  model: { key: sql`call.model`, name: sql`provider` },
  day: { key: sql`call.date`, name: sql`null::text` },
  template: {
    key: sql`run.template_id::text`,
    name: sql`(select name from pipeline_templates as template
      where template.id = call.template_id and template.user_id = call.user_id)`,
  },
  conversation: {
    key: sql`call.conversation_id::text`,
    name: sql`(select title from conversations where id = call.conversation_id)`,
  },
  run: { key: sql`call.pipeline_id::text`, name: sql`design_name` },
  // a step's id is `<pipeline>:<node>:<iteration>`
  node: {
    key: sql`case when call.pipeline_id is not null
      then regexp_replace(substr(call.step_id, 38), ':[0-9]+$', '') end`,
    name: sql`null::text`,
  },
};
