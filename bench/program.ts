/** What the programs of bench/ share: their arguments, their servers, their report. */
import { parseArgs } from 'node:util';
import { requireNode } from '../config/node-version.js';
import { PRESENT, readBuilds, type Build } from './builds.js';
import { headerOf } from './report.js';
import { withPlace, withPlaces, type Place } from './place.js';
import type { Load } from './rounds.js';

export interface Arguments {
  readonly rounds: number;
  /** Only these numbers at once, of those that the program measures; null: all. */
  readonly atOnce: readonly number[] | null;
  /** Also lists what is asked of PostgreSQL. */
  readonly statements: boolean;
}

/** Builds of the product beside bare Temporal or a bare route, each with servers of its own. */
export interface Contest {
  /** The present one is the last. */
  readonly products: readonly Place[];
  readonly bare: Place;
}

/** The loads that are asked for. */
export function chosen(
  loads: readonly Load[],
  { atOnce }: Pick<Arguments, 'atOnce'>,
): readonly Load[] {
  return atOnce === null ? loads : loads.filter(({ users }) => atOnce.includes(users));
}

/** Runs a program from the command line: `node … bench/fairness.ts [--rounds 4]`. */
export async function runProgram(
  name: string,
  defaults: { readonly rounds: number },
  measure: (place: Place, args: Arguments) => Promise<readonly string[]>,
): Promise<void> {
  await run(name, defaults, (_builds, args) => withPlace(PRESENT, (place) => measure(place, args)));
}

/** `node … bench/turn.ts [--rounds 4] [--at-once 8] [--statements] [--product <checkout>]`. */
export async function runContest(
  name: string,
  defaults: { readonly rounds: number },
  measure: (contest: Contest, args: Arguments) => Promise<readonly string[]>,
): Promise<void> {
  await run(name, defaults, (builds, args) =>
    withPlace(PRESENT, (bare) =>
      withPlaces(builds, (products) => measure({ products, bare }, args)),
    ),
  );
}

async function run(
  name: string,
  defaults: { readonly rounds: number },
  measure: (builds: readonly Build[], args: Arguments) => Promise<readonly string[]>,
): Promise<void> {
  requireNode();
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: String(defaults.rounds) },
      'at-once': { type: 'string' },
      statements: { type: 'boolean', default: false },
      product: { type: 'string', multiple: true, default: [] },
    },
  });
  const args = {
    rounds: Number(values.rounds),
    atOnce: values['at-once']?.split(',').map(Number) ?? null,
    statements: values.statements,
  };
  process.setMaxListeners(0); // each process that is started ends with us
  endWithServers();
  const now = new Date();
  const sections = await measure(readBuilds(values.product), args);
  const report = [headerOf(commandOf(name), now), ...sections].filter(Boolean);
  process.stdout.write(`${report.join('\n\n')}\n`);
}

/** As it was given. */
export function commandOf(name: string): string {
  const [, , ...given] = process.argv;
  return `npm run bench:${name}${given.length === 0 ? '' : ` -- ${given.join(' ')}`}`;
}

/** Interrupted, a program takes along what it has started. */
export function endWithServers(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => process.exit(1));
  }
}
