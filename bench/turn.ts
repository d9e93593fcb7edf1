/**
 * A chat turn against bare Temporal. A turn: a message over the socket, one model call (by the
 * simulated provider, which answers at once, and is reserved and settled like any other), the
 * answer over the socket. Bare: a signal, one activity, the answer over Redis, and no commit.
 */
import { startBare } from './bare/driver.js';
import { statementsOf, withEntries } from './entries.js';
import { chosen, runContest, type Arguments, type Contest } from './program.js';
import { cpu, cpuTables, p50, perSecond, ratiosToBuilds, speedTable } from './report.js';
import { measureLoads, type Load } from './rounds.js';

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
    return await withEntries(
      products,
      (product) => product.turns(users),
      async (entries) => {
        const counted: string[] = [];
        for (const entry of entries) {
          counted.push(
            await statementsOf(entry, { what: 'turn', times: COUNTED_TURNS, all: statements }),
          );
        }
        const others = entries.slice(0, -1).map(({ system }) => system.name);
        const measured = await measureLoads(
          [...entries.map(({ system }) => system), bareSystem],
          loads,
          rounds,
        );
        return [
          speedTable(measured, [
            { title: 'p50 / bare', against: BARE, valueOf: p50 },
            { title: 'per second / bare', against: BARE, valueOf: perSecond },
            { title: 'CPU / bare', against: BARE, valueOf: cpu },
            ...ratiosToBuilds(others),
          ]),
          cpuTables(measured),
          ...counted,
        ];
      },
    );
  } finally {
    await bare.stop();
  }
}

if (import.meta.main) {
  await runContest('turn', { rounds: ROUNDS }, (contest, args) =>
    benchTurns(contest, { ...args, loads: chosen(LOADS, args) }),
  );
}
