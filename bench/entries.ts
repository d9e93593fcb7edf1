/** The builds of a contest, started and ready to be measured. */
import type { Place } from './place.js';
import { startProduct, type BenchProduct } from './product.js';
import { cpuTables, ratiosToBuilds, speedTable, statementsText, type Ratio } from './report.js';
import { measureLoads, type Load, type System } from './rounds.js';
import { countStatements } from './statements.js';

interface Entry {
  readonly place: Place;
  readonly system: System;
}

/** How builds are measured against bare. */
export interface Measuring {
  readonly loads: readonly Load[];
  readonly rounds: number;
  /** What is counted of each build's statements. */
  readonly counted: { readonly what: string; readonly times: number; readonly all: boolean };
  /** Before those of one build against another. */
  readonly ratios: readonly Ratio[];
}

/**
 * Starts each build, measures them beside bare, and stops them, also where measuring fails.
 *
 * @returns tables and texts in Markdown
 */
export async function measureBuilds(
  places: readonly Place[],
  enter: (product: BenchProduct) => Promise<System>,
  bare: System,
  { loads, rounds, counted, ratios }: Measuring,
): Promise<readonly string[]> {
  const started: BenchProduct[] = [];
  try {
    const entries: Entry[] = [];
    for (const place of places) {
      const product = await startProduct(place);
      started.push(product);
      entries.push({ place, system: await enter(product) });
    }
    const statements: string[] = [];
    for (const entry of entries) {
      statements.push(await statementsOf(entry, counted));
    }
    const systems = entries.map(({ system }) => system);
    const measured = await measureLoads([...systems, bare], loads, rounds);
    const others = systems.slice(0, -1).map(({ name }) => name);
    return [
      speedTable(measured, [...ratios, ...ratiosToBuilds(others)]),
      cpuTables(measured),
      ...statements,
    ];
  } finally {
    await Promise.all(started.map((product) => product.stop()));
  }
}

/** What one user's work asks of PostgreSQL, `times` of it, one after the other. */
async function statementsOf(
  { place, system }: Entry,
  { what, times, all }: Measuring['counted'],
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
