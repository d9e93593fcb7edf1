import { nextUtcDay } from '../../domain/account/days.js';
import type { RunInbox } from './inbox.js';

export type BudgetKnowledge = Pick<RunInbox, 'budgetChanges'>;

/** Since when and until when the day's budget holds a run up. */
export interface BudgetHold {
  /** Budget changes that were known at its beginning; another one ends the hold. */
  readonly changes: number;
  /** Milliseconds since 1970: a little after the next UTC day has begun. */
  readonly untilMs: number;
}

/** The clocks of server and workers may differ by this much. */
const MIN_DELAY_MS = 5_000;
/** Not all runs that wait for the day to turn ask at the same moment. */
const MAX_MORE_DELAY_MS = 30_000;

/**
 * To be told what was known of the budget when the call was begun that did not fit: of a change
 * since then its refusal may not have known.
 */
export function holdForBudget({ budgetChanges: changes }: BudgetKnowledge): BudgetHold {
  const delayMs = MIN_DELAY_MS + Math.floor(Math.random() * MAX_MORE_DELAY_MS);
  return { changes, untilMs: nextUtcDay(new Date()).getTime() + delayMs };
}

export function isInForce(hold: BudgetHold | null, { budgetChanges }: BudgetKnowledge): boolean {
  return hold !== null && budgetChanges === hold.changes && Date.now() < hold.untilMs;
}
