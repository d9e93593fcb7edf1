/**
 * A chat turn against bare Temporal. A turn: a message over the socket, one model call (by the
 * simulated provider, which answers at once, and is reserved and settled like any other), the
 * answer over the socket. Bare: a signal, one activity, the answer over Redis, and no commit.
 */
import { startBare } from './bare/driver.js';
import { measureBuilds } from './entries.js';
import { chosen, runContest, type Arguments, type Contest } from './program.js';
import { cpu, p50, perSecond } from './report.js';
import type { Load } from './rounds.js';

export interface TurnBench extends Arguments {
  readonly loads: readonly Load[];
}

const LOADS = [
  { users: 1, each: 30 },
  { users: 20, each: 8 },
];
const ROUNDS = 6;
const COUNTED_TURNS = 10;
const BARE = 'bare, no commits';

export async function benchTurns(
  { products, bare: barePlace }: Contest,
  { loads, rounds, statements }: TurnBench,
): Promise<readonly string[]> {
  const users = Math.max(...loads.map((load) => load.users));
  const bare = await startBare(barePlace);
  try {
    const bareSystem = await bare.turns(BARE, { users, commits: 0 });
    return await measureBuilds(products, (product) => product.turns(users), bareSystem, {
      ...{ loads, rounds },
      counted: { what: 'turn', times: COUNTED_TURNS, all: statements },
      ratios: [
        { title: 'p50 / bare', against: BARE, valueOf: p50 },
        { title: 'per second / bare', against: BARE, valueOf: perSecond },
        { title: 'CPU / bare', against: BARE, valueOf: cpu },
      ],
    });
  } finally {
    await bare.stop();
  }
}

if (import.meta.main) {
  await runContest('turn', { rounds: ROUNDS }, (contest, args) =>
    benchTurns(contest, { ...args, loads: chosen(LOADS, args) }),
  );
}
