/**
 * Money under fire: more than a thousand calls, ordered at once, over two workers that may make all
 * of them at a time, against budgets that do not cover them, while worker after worker is killed. Then
 * the ledger is held against what the vendor itself has counted. A broken promise ends the program
 * with exit code 1.
 */
import { auditMoney } from './budget/audit.js';
import { watchDays } from './budget/high-water.js';
import { orderRuns, type OrderPlan } from './budget/orders.js';
import { brokenPromises, moneyTable } from './budget/report.js';
import { startFunded } from './budget/fixture.js';
import { MAX_AGENTS } from '../domain/run/pipeline.js';
import type { Place } from './place.js';
import { runProgram } from './program.js';

export interface BudgetBench extends OrderPlan {
  /** How many workers are killed, if the calls last that long. */
  readonly kills: number;
}

export interface BudgetReport {
  readonly table: string;
  /** Empty as long as all is well. */
  readonly broken: readonly string[];
}

/** Nineteen agents of each run begin at once: 54 × 19 calls, over a thousand. */
const USERS = 54;
const ROUNDS = 1;
/** About half of what a run would cost. */
const BUDGET_USD = '0.007';
const KILLS = 6;

export async function benchBudget(place: Place, bench: BudgetBench): Promise<BudgetReport> {
  const readHighWater = await watchDays(place.db);
  const fixture = await startFunded(place);
  try {
    const ordered = orderRuns(fixture, bench);
    const calls = (bench.users * bench.rounds * MAX_AGENTS) / 2; // the day covers about half
    const killed = await fixture.killWorkers({ kills: bench.kills, calls }, ordered);
    const events = { orders: await ordered, killed };
    const { budgetUsd } = bench;
    const money = await auditMoney(fixture, { budgetUsd, highWater: await readHighWater() });
    return { table: moneyTable(money, events), broken: brokenPromises(money, events) };
  } finally {
    await fixture.stop();
  }
}

if (import.meta.main) {
  await runProgram('budget', { rounds: ROUNDS }, async (place, { rounds }) => {
    const bench = { users: USERS, rounds, budgetUsd: BUDGET_USD, kills: KILLS };
    const { table, broken } = await benchBudget(place, bench);
    process.exitCode = broken.length === 0 ? 0 : 1;
    const verdict = broken.map((promise) => `BROKEN: ${promise}`);
    return [table, verdict.length === 0 ? 'All promises are kept.' : verdict.join('\n')];
  });
}
