/**
 * A pipeline of five agents in a row against five regular activities of bare Temporal, naked and
 * with as many PostgreSQL commits. The simulated provider answers at once; its calls are reserved
 * and settled like any other. A user may have one run at a time, so each run has its own user.
 */
import { startBare } from './bare/driver.js';
import type { Place } from './place.js';
import { startProduct, STEPS } from './product.js';
import { chosen, runProgram, type Arguments } from './program.js';
import { cpuTable, speedTable, statementsText } from './report.js';
import { measureLoads, type Load } from './rounds.js';
import { countStatements } from './statements.js';

export interface PipelineBench extends Arguments {
  readonly loads: readonly Load[];
}

/** Together fewer than a user may start in a day. */
const LOADS = [
  { users: 1, each: 10 },
  { users: 8, each: 4 },
  { users: 64, each: 1 },
];
const ROUNDS = 5;
const COUNTED_RUNS = 5;

export async function benchPipelines(
  place: Place,
  { loads, rounds, statements }: PipelineBench,
): Promise<readonly string[]> {
  const product = await startProduct(place);
  const bare = await startBare(place);
  try {
    const runs = await product.runs('AgentForge', Math.max(...loads.map(({ users }) => users)));
    await runs.once(0);
    const counted = await countStatements(place, async () => {
      for (let count = 0; count < COUNTED_RUNS; count += 1) {
        await runs.once(0);
      }
    });
    const commits = Math.round((counted?.writes ?? 0) / COUNTED_RUNS);
    const systems = [
      runs,
      bare.runs('naked', spread(0)),
      bare.runs('with commits', spread(commits)),
    ];
    const watched = [...product.watched, ...bare.watched, ...place.watched];
    const measured = await measureLoads(systems, loads, { rounds, watched });
    return [
      speedTable(measured, [
        { name: 'with commits', title: 'with commits' },
        { name: 'naked', title: 'naked' },
      ]),
      cpuTable(measured),
      statementsText(counted, { what: 'pipeline', done: COUNTED_RUNS, all: statements }),
    ];
  } finally {
    await bare.stop();
    await product.stop();
  }
}

/** Shares the commits among the steps; the first ones take what is left over. */
function spread(commits: number): readonly number[] {
  return Array.from({ length: STEPS }, (_, step) => Math.ceil((commits - step) / STEPS));
}

if (import.meta.main) {
  await runProgram('pipeline', { rounds: ROUNDS }, (place, args) =>
    benchPipelines(place, { ...args, loads: chosen(LOADS, args) }),
  );
}
