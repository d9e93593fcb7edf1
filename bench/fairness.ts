/**
 * How long one user's 200 queued agents hold up another user's single run, with the product's
 * priorities and fairness keys and without. Ten runs of twenty agents at once are more than a user
 * may have: they are inserted without the user's slot, and started like any other.
 */
import { connectTemporal } from '../temporal/connection.js';
import { startStandInVendors } from '../tests/support/vendors/server.js';
import { median } from './numbers.js';
import type { Place } from './place.js';
import { startWorker } from './processes.js';
import { runProgram, type Arguments } from './program.js';
import { createRunner, type Order, type Runner } from './runner.js';
import { digits, tableOf } from './table.js';
import { createUsers } from './users.js';

export interface FairnessBench extends Arguments {
  readonly scenes: readonly Scene[];
  /** Of twenty agents each. */
  readonly crowdRuns: number;
}

export interface Scene {
  readonly title: string;
  /** How many agents the worker works on at once. */
  readonly slots: number;
  /** How long a model takes to answer; null: the simulated one answers at once. */
  readonly modelMs: number | null;
}

const SCENES: readonly Scene[] = [
  { title: 'simulated model, 100 at once', slots: 100, modelMs: null },
  { title: 'model of 250 ms, 10 at once', slots: 10, modelMs: 250 },
];
const CROWD_RUNS = 10;
const ROUNDS = 3;

interface Way {
  readonly name: string;
  /** What the crowd's owner and the single run's owner are started with. */
  readonly crowd: Pick<Order, 'role' | 'isFair'> | null;
  readonly single: Pick<Order, 'role' | 'isFair'>;
}

const WAYS: readonly Way[] = [
  { name: 'alone', crowd: null, single: { role: 'free', isFair: true } },
  {
    name: 'beside 200, without priority and fairness',
    crowd: { role: 'free', isFair: false },
    single: { role: 'free', isFair: false },
  },
  {
    name: 'beside 200, fairness by user',
    crowd: { role: 'free', isFair: true },
    single: { role: 'free', isFair: true },
  },
  {
    name: 'beside 200, and in a higher tier',
    crowd: { role: 'free', isFair: true },
    single: { role: 'pro', isFair: true },
  },
];

export async function benchFairness(
  place: Place,
  { scenes, crowdRuns, rounds }: FairnessBench,
): Promise<readonly string[]> {
  const vendors = await startStandInVendors();
  const temporal = await connectTemporal(
    { address: place.temporalAddress, namespace: 'default', apiKey: null, tls: null },
    [Buffer.from(place.env['ENCRYPTION_KEY'] ?? '', 'base64')],
  );
  try {
    const runner = createRunner(place, temporal.client);
    const sections: string[] = [];
    for (const scene of scenes) {
      vendors.setBehaviour({ kind: 'answer', delayMs: scene.modelMs ?? 0 });
      const worker = await startWorker(place, {
        WORKER_MAX_ACTIVITIES: String(scene.slots),
        OPENAI_API_KEY: 'sk-stand-in',
        OPENAI_BASE_URL: vendors.openAiUrl,
      });
      try {
        const samples = await measureScene(place, runner, { scene, crowdRuns, rounds });
        sections.push(`${scene.title}:`, tableOfScene(samples));
      } finally {
        await worker.stop();
      }
    }
    return sections;
  } finally {
    await temporal.close();
    await vendors.close();
  }
}

interface Sample {
  readonly singleMs: number;
  /** Until the last of the crowd has ended; null without one. */
  readonly crowdMs: number | null;
}

type Samples = ReadonlyMap<Way, readonly Sample[]>;

async function measureScene(
  place: Place,
  runner: Runner,
  { scene, crowdRuns, rounds }: { scene: Scene; crowdRuns: number; rounds: number },
): Promise<Samples> {
  const samples = new Map<Way, Sample[]>(WAYS.map((way) => [way, []]));
  const [crowd, single] = await createUsers(place, 2);
  if (crowd === undefined || single === undefined) {
    throw new Error('two users were asked for');
  }
  const owners = { crowdId: crowd.id, singleId: single.id };
  const simulated = scene.modelMs === null;
  for (let round = -1; round < rounds; round += 1) {
    for (const way of WAYS) {
      const sample = await measureWay(runner, way, { ...owners, simulated, crowdRuns });
      if (round >= 0) {
        samples.get(way)?.push(sample);
      }
    }
  }
  return samples;
}

async function measureWay(
  runner: Runner,
  way: Way,
  {
    crowdId,
    singleId,
    simulated,
    crowdRuns,
  }: { crowdId: string; singleId: string; simulated: boolean; crowdRuns: number },
): Promise<Sample> {
  const beganAt = performance.now();
  const crowd =
    way.crowd === null
      ? null
      : await runner.startCrowd({ ...way.crowd, userId: crowdId, simulated }, crowdRuns);
  const startedAt = performance.now();
  await runner.runSingle({ ...way.single, userId: singleId, simulated });
  const singleMs = performance.now() - startedAt;
  await crowd?.ended;
  return { singleMs, crowdMs: crowd === null ? null : performance.now() - beganAt };
}

function tableOfScene(samples: Samples): string {
  const aloneMs = median(singlesOf(samples, WAYS[0]));
  const rows = [...samples].map(([way, its]) => {
    const singles = singlesOf(samples, way);
    return [
      way.name,
      digits(median(singles)),
      digits(Math.max(...singles)),
      digits(median(singles) - aloneMs),
      digits(median(its.map(({ crowdMs }) => crowdMs ?? NaN))),
    ];
  });
  const head = ['a run of five agents', 'p50 ms', 'longest ms', 'delay ms', 'the 200 take ms'];
  return tableOf(head, rows);
}

function singlesOf(samples: Samples, way: Way | undefined): readonly number[] {
  return (way === undefined ? undefined : samples.get(way))?.map(({ singleMs }) => singleMs) ?? [];
}

if (import.meta.main) {
  await runProgram('fairness', { rounds: ROUNDS }, (place, args) =>
    benchFairness(place, { ...args, scenes: SCENES, crowdRuns: CROWD_RUNS }),
  );
}
