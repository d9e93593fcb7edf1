/** What the programs of bench/ share: their arguments, their servers, their report. */
import { parseArgs } from 'node:util';
import { requireNode } from '../config/node-version.js';
import { headerOf } from './report.js';
import { withPlace, type Place } from './place.js';
import type { Load } from './rounds.js';

export interface Arguments {
  readonly rounds: number;
  /** Only these numbers at once, of those that the program measures; null: all. */
  readonly atOnce: readonly number[] | null;
  /** Also lists what is asked of PostgreSQL. */
  readonly statements: boolean;
}

/** The loads that are asked for. */
export function chosen(
  loads: readonly Load[],
  { atOnce }: Pick<Arguments, 'atOnce'>,
): readonly Load[] {
  return atOnce === null ? loads : loads.filter(({ users }) => atOnce.includes(users));
}

/** Runs a program from the command line: `node … bench/turn.ts [--rounds 4] [--at-once 8] [--statements]`. */
export async function runProgram(
  name: string,
  defaults: { readonly rounds: number },
  measure: (place: Place, args: Arguments) => Promise<readonly string[]>,
): Promise<void> {
  requireNode();
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: String(defaults.rounds) },
      'at-once': { type: 'string' },
      statements: { type: 'boolean', default: false },
    },
  });
  const args = {
    rounds: Number(values.rounds),
    atOnce: values['at-once']?.split(',').map(Number) ?? null,
    statements: values.statements,
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => process.exit(1)); // whatever was started ends with us
  }
  const now = new Date();
  const sections = await withPlace((place) => measure(place, args));
  const report = [headerOf(`npm run bench:${name}`, now), ...sections].filter(Boolean);
  process.stdout.write(`${report.join('\n\n')}\n`);
}
