/**
 * A pipeline of five agents in a row against five regular activities of bare Temporal with PostgreSQL
 * commits. The simulated provider answers at once; its calls are reserved and settled like any other.
 * A user may have one run at a time, so each run has its own user.
 */
import { startBare } from './bare/driver.js';
import { measureBuilds } from './entries.js';
import { STEPS } from './product.js';
import { chosen, runContest, type Arguments, type Contest } from './program.js';
import { cpu, perSecond, perSecondWithBackground } from './report.js';
import type { Load } from './rounds.js';

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
/** As many as release 0.5.0 made, however many the present one makes: the goal must not move with us. */
const BARE_COMMITS = 19;
const BARE = `bare, ${BARE_COMMITS} commits`;

export async function benchPipelines(
  { products, bare: barePlace }: Contest,
  { loads, rounds, statements }: PipelineBench,
): Promise<readonly string[]> {
  const bare = await startBare(barePlace);
  try {
    const bareSystem = bare.runs(BARE, spread(BARE_COMMITS));
    const users = Math.max(...loads.map((load) => load.users));
    return await measureBuilds(products, (product) => product.runs(users), bareSystem, {
      ...{ loads, rounds },
      counted: { what: 'pipeline, archives included', times: COUNTED_RUNS, all: statements },
      ratios: [
        { title: 'per second / bare', against: BARE, valueOf: perSecond },
        { title: 'with archives / bare', against: BARE, valueOf: perSecondWithBackground },
        { title: 'CPU / bare', against: BARE, valueOf: cpu },
      ],
    });
  } finally {
    await bare.stop();
  }
}

/** Shares the commits among the steps; the first ones take what is left over. */
function spread(commits: number): readonly number[] {
  return Array.from({ length: STEPS }, (_, step) => Math.ceil((commits - step) / STEPS));
}

if (import.meta.main) {
  await runContest('pipeline', { rounds: ROUNDS }, (contest, args) =>
    benchPipelines(contest, { ...args, loads: chosen(LOADS, args) }),
  );
}
