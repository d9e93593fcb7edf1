/**
 * A chat turn against bare Temporal. A turn: a message over the socket, one model call (by the
 * simulated provider, which answers at once, and is reserved and settled like any other), the
 * answer over the socket. Bare: a signal, one activity, the answer over Redis.
 */
import { startBare } from './bare/driver.js';
import type { Place } from './place.js';
import { startProduct } from './product.js';
import { chosen, runProgram, type Arguments } from './program.js';
import { cpuTable, speedTable, statementsText } from './report.js';
import { measureLoads, type Load } from './rounds.js';
import { countStatements } from './statements.js';

export interface TurnBench extends Arguments {
  readonly loads: readonly Load[];
}

const LOADS = [
  { users: 1, each: 30 },
  { users: 20, each: 8 },
];
const ROUNDS = 6;
const COUNTED_TURNS = 10;

export async function benchTurns(
  place: Place,
  { loads, rounds, statements }: TurnBench,
): Promise<readonly string[]> {
  const users = Math.max(...loads.map((load) => load.users));
  const product = await startProduct(place);
  const bare = await startBare(place);
  try {
    const turns = await product.turns('AgentForge', users);
    await turns.once(0);
    const counted = await countStatements(place, async () => {
      for (let count = 0; count < COUNTED_TURNS; count += 1) {
        await turns.once(0);
      }
    });
    const commits = Math.round((counted?.writes ?? 0) / COUNTED_TURNS);
    const systems = [
      turns,
      await bare.turns('bare', { users, commits: 0 }),
      await bare.turns('bare with commits', { users, commits }),
    ];
    const watched = [...product.watched, ...bare.watched, ...place.watched];
    const measured = await measureLoads(systems, loads, { rounds, watched });
    return [
      speedTable(measured, [
        { name: 'bare', title: 'bare' },
        { name: 'bare with commits', title: 'with commits' },
      ]),
      cpuTable(measured),
      statementsText(counted, { what: 'turn', done: COUNTED_TURNS, all: statements }),
    ];
  } finally {
    await bare.stop();
    await product.stop();
  }
}

if (import.meta.main) {
  await runProgram('turn', { rounds: ROUNDS }, (place, args) =>
    benchTurns(place, { ...args, loads: chosen(LOADS, args) }),
  );
}
