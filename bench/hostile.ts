/**
 * Throws inputs that once held a process, or got in, at the whole product, while another user works.
 * It prints what that user felt, and asserts nothing. With `--product <checkout>` another release
 * that was built there is measured first, so that before and after come from one machine and one hour.
 */
import { parseArgs } from 'node:util';
import { requireNode } from '../config/node-version.js';
import { PRESENT, readBuilds, type Build } from './builds.js';
import { INPUTS, type HostileInput } from './hostile/inputs.js';
import { measure, reasonOf, type Felt } from './hostile/measure.js';
import { openScene, type Scene } from './hostile/scene.js';
import { quantile } from './numbers.js';
import { say, withPlace, type Place } from './place.js';
import { commandOf, endWithServers } from './program.js';
import { headerOf } from './report.js';
import { digits, tableOf } from './table.js';

export async function benchHostile(
  place: Place,
  {
    builds,
    inputs,
  }: { readonly builds: readonly Build[]; readonly inputs: readonly HostileInput[] },
): Promise<readonly string[]> {
  const rows: (readonly string[])[] = [];
  for (const build of builds) {
    rows.push(...(await measureBuild(place, build, inputs)));
  }
  const byInput = inputs.flatMap(({ name }) => rows.filter(([input]) => input === name));
  return [tableOf(HEAD, byInput)];
}

/** A product that does not come back is stopped, and the next input meets a new one. */
async function measureBuild(
  place: Place,
  build: Build,
  inputs: readonly HostileInput[],
): Promise<readonly (readonly string[])[]> {
  const rows: (readonly string[])[] = [];
  let scene: Scene | null = null;
  for (const input of inputs) {
    scene = scene === null ? await openScene(place, build) : await scene.withNewPeople();
    say(`${build.name}: ${input.name} …`);
    const felt = await measure(scene, input.throwAt);
    rows.push([input.name, build.name, ...cellsOf(felt)]);
    if (!felt.isBack) {
      await scene.stop();
      scene = null;
    }
  }
  await scene?.stop();
  return rows;
}

const HEAD = [
  'input',
  'release',
  'API loop p99 / max ms',
  'worker loop p99 / max ms',
  "other's request p50 / max ms",
  "other's run max ms",
  'API + MB',
  'worker + MB',
  'answer',
];

function answered(times: readonly number[]): readonly number[] {
  return times.filter(Number.isFinite);
}

function longest(times: readonly number[]): string {
  const failed = times.length - answered(times).length;
  const most = digits(Math.max(...answered(times)));
  return failed === 0 ? most : `${most}, ${failed} failed`;
}

function cellsOf(felt: Felt): readonly string[] {
  const { api, worker, requestsMs, runsMs, apiMemoryMb, workerMemoryMb, answer, isBack } = felt;
  return [
    `${digits(api.p99Ms)} / ${digits(api.maxMs)}`,
    `${digits(worker.p99Ms)} / ${digits(worker.maxMs)}`,
    `${digits(quantile(answered(requestsMs), 0.5))} / ${longest(requestsMs)}`,
    longest(runsMs),
    digits(Math.max(0, apiMemoryMb)),
    digits(Math.max(0, workerMemoryMb)),
    isBack ? answer : `${answer}; not back within 20 s`,
  ];
}

if (import.meta.main) {
  requireNode();
  const { values } = parseArgs({
    options: {
      product: { type: 'string', multiple: true, default: [] },
      only: { type: 'string' },
    },
  });
  endWithServers();
  const inputs = INPUTS.filter(({ name }) => name.includes(values.only ?? ''));
  const now = new Date();
  process.on('unhandledRejection', (error) => {
    say(`left behind: ${reasonOf(error)}`); // an input that was given up may still fail
  });
  const sections = await withPlace(PRESENT, (place) =>
    benchHostile(place, { builds: readBuilds(values.product), inputs }),
  );
  process.stdout.write(`${[headerOf(commandOf('hostile'), now), ...sections].join('\n\n')}\n`);
  process.exit(); // sockets of inputs that were given up may still be open
}
