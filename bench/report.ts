/** What a program of bench/ prints: Markdown, to be read and to be kept in bench/README.md. */
import { availableParallelism } from 'node:os';
import { chosenTemporal } from '../scripts/embedded/temporal-choice.js';
import { sum } from './numbers.js';
import { slowdown, throughputRatio, type Measured } from './rounds.js';
import type { Statements } from './statements.js';
import { digits, tableOf } from './table.js';

/** When and where: numbers of another machine are not to be compared. */
export function headerOf(command: string, now: Date): string {
  const where = chosenTemporal() === 'server' ? ', real Temporal server' : '';
  return `\`${command}\`, ${now.toISOString().slice(0, 10)}, ${availableParallelism()} cores, Node ${process.versions.node}${where}`;
}

/** How long and how many, and how they compare with the first of `baselines` that measured both. */
export function speedTable(
  measured: readonly Measured[],
  baselines: readonly { readonly name: string; readonly title: string }[],
): string {
  const head = ['system', 'at once', 'p50 ms', 'p95 ms', 'per second'];
  const ratios = baselines.flatMap(({ title }) => [`p50 / ${title}`, `per second / ${title}`]);
  const rows = measured.map((it) => [
    it.name,
    String(it.load.users),
    digits(it.p50Ms),
    digits(it.p95Ms),
    digits(it.perSecond),
    ...baselines.flatMap(({ name }) => ratiosOf(it, find(measured, it, name))),
  ]);
  return tableOf([...head, ...ratios], rows);
}

function find(measured: readonly Measured[], like: Measured, name: string): Measured | undefined {
  return measured.find((it) => it.name === name && it.load.users === like.load.users);
}

function ratiosOf(measured: Measured, baseline: Measured | undefined): readonly string[] {
  return baseline === undefined
    ? ['–', '–']
    : [digits(slowdown(measured, baseline)), digits(throughputRatio(measured, baseline))];
}

/** Milliseconds of processor time per turn or run, process by process. */
export function cpuTable(measured: readonly Measured[]): string {
  const processes = [...new Set(measured.flatMap(({ cpuMs }) => [...cpuMs.keys()]))];
  const rows = measured.map(({ name, load, cpuMs }) => [
    name,
    String(load.users),
    ...processes.map((process) => digits(cpuMs.get(process) ?? NaN)),
    digits(sum([...cpuMs.values()])),
  ]);
  return tableOf(['CPU ms each', 'at once', ...processes, 'all'], rows);
}

const MOST_FREQUENT = 40;

/** @param done how many turns or runs they were for */
export function statementsText(
  statements: Statements | null,
  { what, done, all }: { what: string; done: number; all: boolean },
): string {
  if (statements === null) {
    return '';
  }
  const { count, writes, lines } = statements;
  const rows = [...lines]
    .slice(0, MOST_FREQUENT)
    .map(([line, times]) => `${digits(times / done).padStart(6)}  ${line}`);
  const summary = `PostgreSQL per ${what}: ${digits(count / done)} round trips, ${digits(writes / done)} transactions that write.`;
  return all ? [summary, '', '```text', ...rows, '```'].join('\n') : summary;
}
