/**
 * Money. Amounts are computed and compared by PostgreSQL in exact decimals; JavaScript only carries
 * them as text. A transaction that changes what a call costs changes its user's day by the same amount,
 * so a day is the sum of its ledger at all times.
 * Locks are taken in one order, so that transactions never deadlock: the day, then the day
 * of the server's key if that pays, then its calls by id, then the reply. What a call costs changes only while its day is locked.
 */
import { randomUUID } from 'node:crypto';
import { sql, type RawBuilder } from 'kysely';
import type { BillLine } from '../../domain/account/bill.js';
import type {
  AnsweredCall,
  CallEstimate,
  BillingContext,
  Ledger,
  OverBudget,
  Reservation,
  StepFailures,
} from '../../domain/account/costs.js';
import { utcDay } from '../../domain/account/days.js';
import { DomainError } from '../../domain/errors.js';
import type { StepId, UserId } from '../../domain/ids.js';
import type { ChargedReply, Usage } from '../../domain/agents/models.js';
import { dailyLimitUsd, ROLES } from '../../domain/account/permissions.js';
import { toStorableText } from '../../domain/text/storable-text.js';
import { keepingPrompt } from './call-prompts.js';
import type { Db } from '../connect.js';
import { UNENDED_STATUSES } from '../index-conditions.js';
import {
  chargingServerDay,
  lockingServerDay,
  lockingServerDayOf,
  makeServerDay,
  movingServerDay,
} from './server-key-days.js';
import { findReply, replyOf, type ReplyRow } from './model-replies.js';
import { retryTransaction } from '../transactions.js';

export interface LedgerLimits {
  /** What each of the server's vendor keys may cost a UTC day, an exact decimal; null: no limit. */
  readonly serverKeyDailyUsd?: string | null;
}

/** The ledger of one process; `clock` says which UTC day pays. */
export function createLedger(
  db: Db,
  clock: () => Date,
  { serverKeyDailyUsd = null }: LedgerLimits = {},
): Ledger {
  return {
    findReply: (stepId) => findReply(db, stepId),
    reserve: (billing, estimate) =>
      reserve(db, { charge: billing, estimate, serverKeyDailyUsd, now: clock() }),
    settle: (billing, call) =>
      retryTransaction(() => settle(db, billing, { ...call, now: clock() })),
    release: (callId, outcome) =>
      retryTransaction(() => release(db, callId, { ...outcome, now: clock() })),
    settleFailure: (callId, outcome) =>
      retryTransaction(() => settleFailure(db, callId, { ...outcome, now: clock() })),
    leaveUnknown: (callId, outcome) => leaveUnknown(db, callId, { ...outcome, now: clock() }),
    countFailedAttempt: (callId) => countFailedAttempt(db, callId),
    readFailures: (stepId) => readFailures(db, stepId),
  };
}

/** States in which a call may still end; both are charged. */
const OPEN_STATES = ['reserved', 'unknown'] as const;

interface CallRequest {
  readonly charge: BillingContext;
  readonly estimate: CallEstimate;
  readonly serverKeyDailyUsd: string | null;
  readonly now: Date;
}

type SettledCall = AnsweredCall & { readonly now: Date };

interface Outcome {
  readonly errorCode: string;
  readonly now: Date;
}

async function reserve(db: Db, request: CallRequest): Promise<Reservation | OverBudget> {
  const first = await chargeCall(db, request);
  if (!first.isDay) {
    await makeDay(db, request);
    await makeServerDay(db, request.estimate, request.now);
  }
  const charged = first.isDay ? first : await chargeCall(db, request);
  const { callId, maxTokens } = charged;
  if (charged.isRunOver) {
    throw new DomainError('cancelled', 'the run has ended');
  }
  if (!charged.isDay) {
    throw new DomainError(
      'not-found',
      `user ${request.charge.userId} is being deleted, or disabled`,
    );
  }
  return callId === null || maxTokens === null
    ? ((await findReservation(db, request)) ?? {
        kind: 'over-budget',
        limit: charged.isServerBound ? 'server-key' : 'user',
      })
    : { callId, maxTokens };
}

/** Not of a user who is being deleted, or whose account is disabled. */
async function makeDay(db: Db, { charge: billing, now }: CallRequest): Promise<void> {
  await db
    .insertInto('userDailyCosts')
    .columns(['userId', 'date', 'updatedAt'])
    .expression((query) =>
      query
        .selectFrom('users')
        .select(['id', sql.val(utcDay(now)).as('date'), sql<Date>`${now}::timestamptz`.as('now')])
        .where('id', '=', billing.userId)
        .where('deletedAt', 'is', null)
        .where('disabledAt', 'is', null),
    )
    .onConflict((conflict) => conflict.constraint('uq_user_daily_cost').doNothing())
    .execute();
}

interface ChargedCall {
  /** False where a day that pays has no row yet, or the user may not spend: nothing was done. */
  readonly isDay: boolean;
  /** null: it does not fit, or was charged before */
  readonly callId: string | null;
  readonly maxTokens: number | null;
  /** Whether the server's key leaves less than the user's budget. */
  readonly isServerBound: boolean;
  /** The run has ended, and has perhaps given its count back: it makes no further call. */
  readonly isRunOver: boolean;
}

/**
 * Locks the day and charges the upper bound of the call to it, if it fits; `max_tokens` gives way.
 * One statement is one transaction, so the lock, which all calls of a user queue for, is held no
 * longer than it takes.
 */
async function chargeCall(db: Db, request: CallRequest): Promise<ChargedCall> {
  const { charge: billing, estimate, now, serverKeyDailyUsd } = request;
  const date = utcDay(now);
  const isServerKey = estimate.isServerKey === true;
  const { rows } = await retryTransaction(() =>
    sql<ChargedCall>`
    with day as (
      select day.id, day.total_cost,
        coalesce(daily_budget_usd, (${LIMITS_USD}::jsonb ->> role)::numeric) as limit_usd
      from user_daily_costs as day join users on users.id = day.user_id
      where day.user_id = ${billing.userId}::uuid and day.date = ${date} and deleted_at is null
        and disabled_at is null
      for no key update of day
    ),
    ${lockingServerDay(estimate, { date, dailyUsd: serverKeyDailyUsd })},
    ${givingUpEarlierAttempts(request)},
    ${lockingRun(billing)},
    ${affordableTokens(estimate)},
    call as (
      insert into cost_ledger (
        id, step_id, run_id, attempt, call_number, user_id, pipeline_id, conversation_id, date,
        provider, model, state, cost, reserved, input_usd_per_million, output_usd_per_million,
        max_tokens, is_server_key, created_at)
      select ${randomUUID()}::uuid, ${billing.stepId}, ${billing.runId}, ${billing.attempt}::integer,
        ${estimate.callNumber}::integer, ${billing.userId}::uuid, ${billing.pipelineId}::uuid,
        ${billing.conversationId}::uuid, ${date}, ${estimate.provider}, ${estimate.model},
        'reserved', prompt_cost + tokens * token_cost, prompt_cost + tokens * token_cost,
        ${estimate.inputUsdPerMillion}::numeric, ${estimate.outputUsdPerMillion}::numeric,
        tokens, ${isServerKey}, ${now}::timestamptz
      from affordable where tokens >= ${estimate.minTokens} and not exists (select from run_over)
      on conflict on constraint uq_cost_ledger_call do nothing
      returning id, max_tokens, cost, user_id, pipeline_id, conversation_id
    ),
    ${keepingPrompt(estimate, now)},
    charged as (
      update user_daily_costs as paying
      set total_cost = paying.total_cost + call.cost, updated_at = ${now}::timestamptz
      from day, call where paying.id = day.id
    ),
    ${chargingServerDay}
    select exists (select from ${isServerKey ? sql`server_day` : sql`day`}) as is_day,
      coalesce((select is_server_bound from price), false) as is_server_bound,
      exists (select from run_over) as is_run_over,
      call.id as call_id, call.max_tokens
    from (values (1)) as always left join call on true`.execute(db),
  );
  return (
    rows[0] ?? {
      isDay: false,
      callId: null,
      maxTokens: null,
      isServerBound: false,
      isRunOver: false,
    }
  );
}

/**
 * After `day` and `server_day`: the most tokens that both still afford; -1 where they do not even afford
 * the prompt. What costs nothing always fits. `div` truncates exactly: a rounded quotient could overshoot.
 */
function affordableTokens(estimate: CallEstimate) {
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
    affordable as (
      select prompt_cost, token_cost, (case
        when left_usd is null then ${estimate.maxTokens}::integer
        when left_usd < prompt_cost then -1
        when token_cost = 0 then ${estimate.maxTokens}::integer
        else least(${estimate.maxTokens}::integer, div(left_usd - prompt_cost, token_cost))
        end)::integer as tokens
      from price
    )`;
}

/** Of the roles; what is missing is unlimited. */
const LIMITS_USD = JSON.stringify(
  Object.fromEntries(ROLES.map((role) => [role, dailyLimitUsd(role, null)])),
);

/**
 * Waits for an end of the run that is being written. Once the run has ended, nothing is reserved for
 * it: it gave its count of the day back where it had made no call.
 */
function lockingRun({ pipelineId }: BillingContext) {
  return sql`
    run as (
      select status from pipeline_executions where id = ${pipelineId}::uuid for key share
    ),
    run_over as (select from run where status not in ${UNENDED_STATUSES})`;
}

/** The outcome of calls that a lost worker had open is never known: they stay charged. */
function givingUpEarlierAttempts({ charge: billing, now }: CallRequest) {
  return sql`
    given_up as (
      update cost_ledger set state = 'unknown', closed_at = ${now}::timestamptz
      where id in (
        select id from cost_ledger
        where step_id = ${billing.stepId} and exists (select from day) -- which is locked first
        order by id for update
      )
      and state = 'reserved' and (run_id <> ${billing.runId} or attempt < ${billing.attempt}::integer)
    )`;
}

/**
 * What this very call has reserved before.
 *
 * @throws `internal` if that call is over: another one under its name would not be charged.
 */
async function findReservation(db: Db, { charge: billing, estimate }: CallRequest) {
  const call = await db
    .selectFrom('costLedger')
    .select(['id', 'state', 'maxTokens'])
    .where('stepId', '=', billing.stepId)
    .where('runId', '=', billing.runId)
    .where('attempt', '=', billing.attempt)
    .where('callNumber', '=', estimate.callNumber)
    .executeTakeFirst();
  if (call === undefined) {
    return null;
  }
  if (!OPEN_STATES.some((state) => state === call.state)) {
    throw new DomainError('internal', `call ${call.id} of step ${billing.stepId} is over`);
  }
  return { callId: call.id, maxTokens: call.maxTokens };
}

async function settle(db: Db, billing: BillingContext, call: SettledCall): Promise<ChargedReply> {
  const { callId, reply, bill, now } = call;
  const { promptTokens, completionTokens } = reply.usage;
  const { rows } = await sql<ReplyRow>`
    with ${closingOf(callId, {
      cost: bill === null ? sql`reserved` : sumBill(bill),
      set: sql`state = ${bill === null ? 'estimated' : 'settled'}, ${settingUsage(reply.usage, bill)},
        request_id = ${reply.requestId}, closed_at = ${now}::timestamptz`,
    })}
    insert into model_replies (step_id, user_id, content, provider, model, finish, request_id,
      prompt_tokens, completion_tokens, cost, fallback_from, calls, created_at)
    select ${billing.stepId}, user_id, ${toStorableText(reply.content)}, ${reply.provider},
      ${reply.model}, ${reply.finish}, ${reply.requestId}, ${promptTokens}::integer,
      ${completionTokens}::integer, cost, ${call.fallbackFrom},
      ${call.calls}::integer, ${now}::timestamptz
    from closed
    on conflict (step_id) do nothing
    returning *`.execute(db);
  // nothing to store: it was settled before, or the step has another reply
  const stored = rows[0] === undefined ? await findReply(db, billing.stepId) : replyOf(rows[0]);
  if (stored === null) {
    const why = `call ${callId} of step ${billing.stepId} was not reserved, or its user is deleted`;
    throw new DomainError('internal', why);
  }
  return stored;
}

async function release(db: Db, callId: string, outcome: Outcome): Promise<void> {
  await sql`
    with ${closingOf(callId, {
      cost: sql`0`,
      set: sql`state = 'released', error_code = ${outcome.errorCode}, closed_at = ${outcome.now}::timestamptz`,
    })}
    select from closed`.execute(db);
}

async function settleFailure(
  db: Db,
  callId: string,
  {
    usage,
    bill,
    errorCode,
    now,
  }: Outcome & { readonly usage: Usage; readonly bill: readonly BillLine[] },
): Promise<void> {
  await sql`
    with ${closingOf(callId, {
      cost: sumBill(bill),
      set: sql`state = 'settled', error_code = ${errorCode}, ${settingUsage(usage, bill)},
        closed_at = ${now}::timestamptz`,
    })}
    select from closed`.execute(db);
}

function settingUsage(usage: Usage, bill: readonly BillLine[] | null) {
  return sql`prompt_tokens = ${usage.promptTokens}::integer,
    completion_tokens = ${usage.completionTokens}::integer,
    service_tier = ${usage.serviceTier ?? null},
    bill = ${bill === null ? null : JSON.stringify(bill)}::jsonb`;
}

/** Exactly: a rate has six decimals at most, the column twelve. */
function sumBill(bill: readonly BillLine[]) {
  return sql`(
    select coalesce(sum(tokens * "usdPerMillion"), 0) * 0.000001
    from jsonb_to_recordset(${JSON.stringify(bill)}::jsonb) as line (tokens numeric, "usdPerMillion" numeric))`;
}

interface Closing {
  readonly cost: RawBuilder<unknown>;
  readonly set: RawBuilder<unknown>;
}

/**
 * Moves a call that is still open (or whose end was unknown) to its end, and its day with it: the
 * day that it was reserved on, however late it is. A call that has ended is left as it is, and
 * `closed` is empty.
 */
function closingOf(callId: string, { cost, set }: Closing) {
  return sql`
    day as (
      select day.id from user_daily_costs as day
      join cost_ledger as call on call.user_id = day.user_id and call.date = day.date
      where call.id = ${callId}::uuid
      for no key update of day
    ),
    ${lockingServerDayOf(callId)},
    before as (select cost from cost_ledger where id = ${callId}::uuid),
    closed as (
      update cost_ledger set cost = ${cost}, ${set}
      where id = ${callId}::uuid and state in ('reserved', 'unknown')
        and exists (select from day) -- which is locked first
        and (select count(*) from server_day) >= 0 -- and then this
      returning user_id, cost
    ),
    charged as (
      update user_daily_costs as paying
      set total_cost = paying.total_cost - before.cost + closed.cost, updated_at = now()
      from day, before, closed where paying.id = day.id
    ),
    ${movingServerDay}`;
}

async function leaveUnknown(db: Db, callId: string, outcome: Outcome): Promise<void> {
  await db
    .updateTable('costLedger')
    .set({
      state: 'unknown',
      errorCode: outcome.errorCode,
      closedAt: outcome.now,
    })
    .where('id', '=', callId)
    .where('state', 'in', OPEN_STATES)
    .execute();
}

/** Counts the attempt that ended with this call as a failed one of its step. */
async function countFailedAttempt(db: Db, callId: string): Promise<void> {
  await db.updateTable('costLedger').set({ passFailed: true }).where('id', '=', callId).execute();
}

/** Which calls of a step have failed: they count against `retry_count`. */
async function readFailures(db: Db, stepId: StepId): Promise<StepFailures> {
  const { rows } = await sql<StepFailures>`
    select count(*) filter (where pass_failed)::integer as passes,
      count(*) filter (where error_code = 'model-empty')::integer as empty_answers,
      (array_agg(json_build_object('code', error_code, 'provider', provider) order by created_at desc, attempt desc, call_number desc)
        filter (where pass_failed and error_code is not null))[1] as last
    from cost_ledger where step_id = ${stepId}`.execute(db);
  return rows[0] ?? { passes: 0, emptyAnswers: 0, last: null };
}

/**
 * What the user's UTC day has cost so far, open reservations included.
 *
 * @returns US dollars, an exact decimal
 */
export async function readDay(db: Db, userId: UserId, date: string): Promise<string> {
  const day = await db
    .selectFrom('userDailyCosts')
    .select(sql<string>`trim_scale(total_cost)::text`.as('totalCost'))
    .where('userId', '=', userId)
    .where('date', '=', date)
    .executeTakeFirst();
  return day?.totalCost ?? '0';
}

const SWEEP_BATCH = 500;

/**
 * Marks reservations that were made before `olderThan` and never closed as `unknown`; they stay
 * charged. Several sweepers at once do not wait for each other.
 *
 * @returns how many; call again when it is a full batch.
 */
export async function sweepStaleReservations(
  db: Db,
  olderThan: Date,
  batch = SWEEP_BATCH,
): Promise<number> {
  const { rows } = await sql`
    update cost_ledger set state = 'unknown', closed_at = now()
    where id in (
      select id from cost_ledger
      where state = 'reserved' and created_at < ${olderThan}::timestamptz
      order by created_at limit ${batch} for update skip locked
    )
    returning id`.execute(db);
  return rows.length;
}
