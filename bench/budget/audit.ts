/** The ledger against the vendor's own count of what it has done: call by call, exactly. */
import { sql } from 'kysely';
import type { Db } from '../../db/connect.js';
import { billOf } from '../../tests/support/vendor-product.js';
import { callerOf } from '../../tests/support/run-fixture.js';
import type { VendorCall } from '../../tests/support/vendors/server.js';
import { picoOf } from './decimals.js';
import type { HighWater } from './high-water.js';
import type { FundedFixture } from './fixture.js';

export interface Money {
  /** Calls that asked for money: those that got it, and those that were refused. */
  readonly admitted: number;
  readonly refused: number;
  readonly settled: number;
  /** Answers whose vendor stated no usage. */
  readonly estimated: number;
  readonly unknown: number;
  readonly released: number;
  /** Reservations that were never closed. */
  readonly open: number;
  /** All amounts in picodollars, which are exact. */
  readonly settledPico: bigint;
  readonly vendorSettledPico: bigint;
  readonly estimatedPico: bigint;
  readonly unknownPico: bigint;
  /** What the vendor has counted for calls whose answer never arrived. */
  readonly vendorLostPico: bigint;
  /** Settled rows that are not, to the last decimal, what the vendor has counted for that call. */
  readonly wrongRows: number;
  /** Calls that the vendor counts and no row covers. */
  readonly uncovered: number;
  /** Steps that were paid, or called, again after their answer had arrived. */
  readonly paidTwice: number;
  /** Days that are not the sum of their rows. */
  readonly wrongDays: number;
  /** The most that a day was ever charged beyond its limit, and the most that a vendor bills. */
  readonly overshootPico: bigint;
  readonly vendorOvershootPico: bigint;
  readonly chargedPico: bigint;
  readonly limitPico: bigint;
}

interface Row {
  readonly state: 'reserved' | 'settled' | 'estimated' | 'released' | 'unknown';
  readonly userId: string;
  readonly pico: bigint;
  /** Of the vendor's call that it was settled by. */
  readonly callNumber: number | null;
}

export interface AuditOrder {
  readonly budgetUsd: string;
  readonly highWater: readonly HighWater[];
}

export async function auditMoney(
  { place: { db }, vendors, catalog }: FundedFixture,
  { budgetUsd, highWater }: AuditOrder,
): Promise<Money> {
  const steps = await stepsOf(db, vendors.calls, (call) => picoOf(billOf([call], catalog)));
  const rows = steps.flatMap((step) => step.rows);
  const inState = (state: Row['state']) => rows.filter((row) => row.state === state);
  const settled = inState('settled');
  const lost = steps.flatMap(({ lostPico }) => lostPico);
  const limitPico = picoOf(budgetUsd);
  const users = [...new Set(rows.map(({ userId }) => userId))];
  const billed = users.map((userId) =>
    sum(steps.filter((step) => step.userId === userId).flatMap((step) => step.billedPico)),
  );
  return {
    admitted: rows.length,
    refused: await countRefused(db),
    settled: settled.length,
    estimated: inState('estimated').length,
    unknown: inState('unknown').length,
    released: inState('released').length,
    open: inState('reserved').length,
    settledPico: sum(settled.map(({ pico }) => pico)),
    vendorSettledPico: sum(steps.flatMap((step) => step.settledPico)),
    estimatedPico: sum(inState('estimated').map(({ pico }) => pico)),
    unknownPico: sum(inState('unknown').map(({ pico }) => pico)),
    vendorLostPico: sum(lost),
    wrongRows: steps.reduce((count, step) => count + step.wrongRows, 0),
    uncovered: steps.reduce((count, step) => count + step.uncovered, 0),
    paidTwice: steps.filter(({ isPaidTwice }) => isPaidTwice).length,
    wrongDays: await countWrongDays(db),
    overshootPico: beyond(
      limitPico,
      highWater.map(({ mostUsd }) => picoOf(mostUsd)),
    ),
    vendorOvershootPico: beyond(limitPico, billed),
    chargedPico: sum(rows.map(({ pico }) => pico)),
    limitPico: limitPico * BigInt(users.length),
  };
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((all, one) => all + one, 0n);

/** By how much the highest of the amounts exceeds the limit. */
function beyond(limit: bigint, amounts: readonly bigint[]): bigint {
  return amounts.reduce((most, amount) => (amount - limit > most ? amount - limit : most), 0n);
}

/** Everything about the calls of one agent of one run. */
interface Step {
  readonly userId: string;
  readonly rows: readonly Row[];
  /** What the vendor has counted, call by call; for the settled rows; for all others. */
  readonly billedPico: readonly bigint[];
  readonly settledPico: readonly bigint[];
  readonly lostPico: readonly bigint[];
  readonly wrongRows: number;
  readonly uncovered: number;
  readonly isPaidTwice: boolean;
}

async function stepsOf(
  db: Db,
  calls: readonly VendorCall[],
  billedBy: (call: VendorCall) => bigint,
): Promise<readonly Step[]> {
  const rowsByStep = await readRows(db);
  const callsByStep = Map.groupBy(calls, (call) => {
    const { runId, agent } = callerOf(call);
    return `${agent} ${runId}`;
  });
  const names = new Set([...rowsByStep.keys(), ...callsByStep.keys()]);
  return [...names].map((name) =>
    stepOf(rowsByStep.get(name) ?? [], callsByStep.get(name) ?? [], billedBy),
  );
}

function stepOf(
  rows: readonly Row[],
  calls: readonly VendorCall[],
  billedBy: (call: VendorCall) => bigint,
): Step {
  const billed = calls.filter(({ usage }) => usage !== null);
  const settled = rows.filter(({ state }) => state === 'settled');
  const isSettled = ({ number }: VendorCall): boolean =>
    settled.some(({ callNumber }) => callNumber === number);
  const isRight = ({ callNumber, pico }: Row): boolean =>
    billed.some((call) => call.number === callNumber && billedBy(call) === pico);
  const lost = billed.filter((call) => !isSettled(call)).map(billedBy);
  const firstSettled = Math.min(...settled.map(({ callNumber }) => callNumber ?? 0));
  return {
    userId: rows[0]?.userId ?? '',
    rows,
    billedPico: billed.map(billedBy),
    settledPico: billed.filter(isSettled).map(billedBy),
    lostPico: lost,
    wrongRows: settled.filter((row) => !isRight(row)).length,
    uncovered: countUncovered(rows, lost),
    isPaidTwice: settled.length > 1 || calls.some(({ number }) => number > firstSettled),
  };
}

/** Each lost call needs a row of its own that is charged at least as much: the dearest first. */
function countUncovered(rows: readonly Row[], lost: readonly bigint[]): number {
  const dearestFirst = (amounts: readonly bigint[]) =>
    amounts.toSorted((a, b) => (a < b ? 1 : a > b ? -1 : 0));
  const atBound = rows.filter(({ state }) => state === 'unknown' || state === 'estimated');
  const covers = dearestFirst(atBound.map(({ pico }) => pico));
  return dearestFirst(lost).filter((pico, at) => (covers[at] ?? -1n) < pico).length;
}

/** The ledger by agent and order, as the vendor's calls name them. */
async function readRows(db: Db): Promise<ReadonlyMap<string, readonly Row[]>> {
  const { rows } = await sql<{
    state: Row['state'];
    userId: string;
    cost: string;
    requestId: string | null;
    description: string;
  }>`
    select call.state, call.user_id, call.cost::text as cost, call.request_id, (
      select agent ->> 'description' from jsonb_array_elements(run.design::jsonb -> 'agents') as agent
      where agent ->> 'name' = split_part(call.step_id, ':', 2)) as description
    from cost_ledger as call join pipeline_executions as run on run.id = call.pipeline_id`.execute(
    db,
  );
  return Map.groupBy(
    rows.map(({ state, userId, cost, requestId, description }) => ({
      step: description.replace('call of ', '').replace(' in ', ' '),
      ...{ state, userId, pico: picoOf(cost) },
      callNumber: requestId === null ? null : Number(requestId.replace('req-', '')),
    })),
    ({ step }) => step,
  );
}

async function countRefused(db: Db): Promise<number> {
  const { refused } = await db
    .selectFrom('agentSteps')
    .select(({ fn }) => fn.countAll<number>().as('refused'))
    .where('errorCode', '=', 'over-budget')
    .executeTakeFirstOrThrow();
  return refused;
}

async function countWrongDays(db: Db): Promise<number> {
  const { rows } = await sql`
    select 1 from user_daily_costs as day full join (
      select user_id, date, sum(cost) as cost from cost_ledger group by user_id, date
    ) as ledger on ledger.user_id = day.user_id and ledger.date = day.date
    where coalesce(day.total_cost, 0) <> coalesce(ledger.cost, 0)`.execute(db);
  return rows.length;
}
