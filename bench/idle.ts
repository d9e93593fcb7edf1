/**
 * What the product takes while it does nothing: memory and processor time of its processes, memory of
 * each discussion that rests in the worker's cache, and how long it takes to start and to stop.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { startBare, type Bare } from './bare/driver.js';
import { cpuBetween, readCpu, type Watched } from './cpu.js';
import { readMemory } from './memory.js';
import { say, type Place } from './place.js';
import { startProduct, type BenchProduct } from './product.js';
import { runContest, type Contest } from './program.js';
import type { System } from './rounds.js';
import { measureWarmStart } from './starts.js';
import { digits, tableOf } from './table.js';

export interface IdleBench {
  /** After each change, until memory and processor have come to rest. */
  readonly restMs: number;
  readonly discussions: number;
}

const FULL = { restMs: 20_000, discussions: 100 };
const BARE = 'bare';

export async function benchIdle(
  { products, bare }: Contest,
  bench: IdleBench,
): Promise<readonly string[]> {
  const atRest: (readonly string[])[] = [];
  const cached: (readonly string[])[] = [];
  const starts: (readonly string[])[] = [];
  for (const place of products) {
    const { name } = place.build;
    say(`${name} at rest …`);
    const product = await startProduct(place);
    try {
      atRest.push(...(await measureRest(name, product.watched, bench)));
      cached.push(await measureCache(name, { bench, ...cacheOf(product) }));
    } finally {
      await product.stop();
    }
    say(`${name} starts …`);
    const { startMs, stopMs } = await measureWarmStart(place.build);
    starts.push([name, digits(startMs / 1_000), digits(stopMs / 1_000)]);
  }
  cached.push(await measureBareCache(bare, bench));
  const each = `after ${bench.discussions} discussions MB`;
  return [
    tableOf(['at rest', 'RSS MB', 'PSS MB', 'CPU, % of a core'], atRest),
    tableOf(['worker, discussions that rest in its cache', 'before MB', each, 'MB each'], cached),
    tableOf(['warm `npm start`', 'until ready s', 'stop s'], starts),
  ];
}

async function measureRest(
  name: string,
  watched: readonly Watched[],
  { restMs }: IdleBench,
): Promise<readonly (readonly string[])[]> {
  await pause(restMs); // what a start leaves to be done
  const before = readCpu(watched);
  const beganAt = performance.now();
  await pause(restMs);
  const used = cpuBetween(before, readCpu(watched));
  const elapsedMs = performance.now() - beganAt;
  return watched.map((process) => {
    const { rssMb, pssMb } = readMemory(process.pid);
    const percent = (100 * (used.get(process.name) ?? NaN)) / elapsedMs;
    return [`${name}: ${process.name}`, digits(rssMb), digits(pssMb), digits(percent)];
  });
}

interface Cache {
  readonly workerPid: number;
  /** Begins discussions that each have had one turn, and rest. */
  begin(discussions: number): Promise<void>;
}

function cacheOf({ watched, turns }: BenchProduct): Cache {
  return {
    workerPid: pidOfWorker(watched),
    begin: async (discussions) => takeTurns(await turns(discussions), discussions),
  };
}

async function measureBareCache(place: Place, bench: IdleBench): Promise<readonly string[]> {
  const bare: Bare = await startBare(place);
  try {
    return await measureCache(BARE, {
      bench,
      workerPid: pidOfWorker(bare.watched),
      begin: async (discussions) => {
        const turns = await bare.turns(BARE, { users: discussions, commits: 0 });
        await takeTurns(turns, discussions);
      },
    });
  } finally {
    await bare.stop();
  }
}

function pidOfWorker(watched: readonly Watched[]): number {
  return watched.find(({ name }) => name === 'worker')?.pid ?? 0;
}

async function takeTurns({ once }: System, users: number): Promise<void> {
  for (let user = 0; user < users; user += 1) {
    await once(user);
  }
}

/** The first ones warm the worker up, and are not counted. */
async function measureCache(
  name: string,
  { bench, workerPid, begin }: Cache & { readonly bench: IdleBench },
): Promise<readonly string[]> {
  const { restMs, discussions } = bench;
  await begin(discussions);
  await pause(restMs);
  const before = readMemory(workerPid).rssMb;
  await begin(discussions);
  await pause(restMs);
  const after = readMemory(workerPid).rssMb;
  return [name, digits(before), digits(after), digits((after - before) / discussions)];
}

if (import.meta.main) {
  await runContest('idle', { rounds: 1 }, (contest) => benchIdle(contest, FULL));
}
