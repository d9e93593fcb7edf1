/** The builds of a contest, started and ready to be measured. */
import type { Place } from './place.js';
import { startProduct, type BenchProduct } from './product.js';
import { statementsText } from './report.js';
import type { System } from './rounds.js';
import { countStatements } from './statements.js';

export interface Entry {
  readonly place: Place;
  readonly system: System;
}

/** Starts each build, measures, and stops them, also where measuring fails. */
export async function withEntries<T>(
  [place, ...rest]: readonly Place[],
  enter: (product: BenchProduct) => Promise<System>,
  measure: (entries: readonly Entry[]) => Promise<T>,
  entries: readonly Entry[] = [],
): Promise<T> {
  if (place === undefined) {
    return measure(entries);
  }
  const product = await startProduct(place);
  try {
    const system = await enter(product);
    return await withEntries(rest, enter, measure, [...entries, { place, system }]);
  } finally {
    await product.stop();
  }
}

/** What one user's work asks of PostgreSQL, `times` of it, one after the other. */
export async function statementsOf(
  { place, system }: Entry,
  { what, times, all }: { what: string; times: number; all: boolean },
): Promise<string> {
  await system.once(0);
  await system.settled?.();
  const asked = await countStatements(place, async () => {
    for (let count = 0; count < times; count += 1) {
      await system.once(0);
    }
    await system.settled?.();
  });
  return statementsText(asked, { name: system.name, what, done: times, all });
}
