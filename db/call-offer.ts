import { sql } from 'kysely';
import type { CallEstimate } from '../domain/costs.js';

/**
 * Part of the statement that charges a call (costs.ts), after `day` and `server_day`: the most tokens
 * that both still afford; -1 where they do not even afford the prompt. What
 * costs nothing always fits. `div` truncates exactly: a rounded quotient could overshoot.
 */
export function offerOf(estimate: CallEstimate) {
  const paying =
    estimate.isServerKey === true
      ? sql`day cross join server_day`
      : sql`day left join server_day on true`; // which is empty
  return sql`
    price as (
      select ${estimate.promptTokens}::numeric * input.usd as prompt_cost, output.usd as token_cost,
        case when input.usd + output.usd = 0 then null
          else least(limit_usd - total_cost, server_day.left_usd) end as left_usd,
        server_day.left_usd < coalesce(limit_usd - total_cost, 'infinity') as is_server_bound
      from ${paying},
        lateral (select ${estimate.inputUsdPerMillion}::numeric(20, 6) * 0.000001 as usd) as input,
        lateral (select ${estimate.outputUsdPerMillion}::numeric(20, 6) * 0.000001 as usd) as output
    ),
    offer as (
      select prompt_cost, token_cost, (case
        when left_usd is null then ${estimate.maxTokens}::integer
        when left_usd < prompt_cost then -1
        when token_cost = 0 then ${estimate.maxTokens}::integer
        else least(${estimate.maxTokens}::integer, div(left_usd - prompt_cost, token_cost))
        end)::integer as tokens
      from price
    )`;
}
