/** What a program of bench/ prints: Markdown, to be read and to be kept in docs/performance.md. */
import { availableParallelism } from 'node:os';
import { chosenTemporal } from '../scripts/embedded/temporal-choice.js';
import { isThread, totalOf } from './cpu.js';
import { median } from './numbers.js';
import { latencyOf, meanCpu, medianOf, medianRatio, type Measured, type Round } from './rounds.js';
import type { Statements } from './statements.js';
import { digits, tableOf } from './table.js';

/** When and where: numbers of another machine are not to be compared. */
export function headerOf(command: string, now: Date): string {
  const where = chosenTemporal() === 'server' ? ', real Temporal server' : '';
  return `\`${command}\`, ${now.toISOString().slice(0, 10)}, ${availableParallelism()} cores, Node ${process.versions.node}${where}`;
}

/** A column of ratios, each to another system in the same rounds. */
export interface Ratio {
  readonly title: string;
  readonly against: string;
  readonly valueOf: (round: Round) => number;
}

export const p50 = ({ latenciesMs }: Round): number => median(latenciesMs);
export const perSecond = (round: Round): number => round.perSecond;
export const perSecondWithBackground = (round: Round): number => round.perSecondWithBackground;
export const cpu = ({ cpuMs }: Round): number => totalOf(cpuMs);

/** Against the other builds of the product. */
export function ratiosToBuilds(names: readonly string[]): readonly Ratio[] {
  return names.flatMap((name) => [
    { title: `p50 / ${name}`, against: name, valueOf: p50 },
    { title: `per second / ${name}`, against: name, valueOf: perSecond },
    { title: `CPU / ${name}`, against: name, valueOf: cpu },
  ]);
}

/** How long and how many, and how they compare. */
export function speedTable(measured: readonly Measured[], ratios: readonly Ratio[]): string {
  const head = ['system', 'at once', 'p50 ms', 'p95 ms', 'per second', 'CPU ms each'];
  const rows = measured.map((it) => [
    it.name,
    String(it.load.users),
    digits(latencyOf(it, 0.5)),
    digits(latencyOf(it, 0.95)),
    digits(medianOf(it, perSecond)),
    digits(medianOf(it, cpu)),
    ...ratios.map((ratio) => digits(ratioOf(measured, it, ratio))),
  ]);
  return tableOf([...head, ...ratios.map(({ title }) => title)], rows);
}

function ratioOf(measured: readonly Measured[], of: Measured, ratio: Ratio): number {
  const against = measured.find(
    ({ name, load }) => name === ratio.against && load.users === of.load.users,
  );
  return against === undefined ? NaN : medianRatio(of, against, ratio.valueOf);
}

/** Milliseconds of processor time each, process by process, and the workers' thread by thread. */
export function cpuTables(measured: readonly Measured[]): string {
  const names = [
    ...new Set(measured.flatMap(({ rounds }) => rounds.flatMap((it) => [...it.cpuMs.keys()]))),
  ];
  const processes = names.filter((name) => !isThread(name));
  const threads = names.filter(isThread);
  const sections = [
    tableOf(
      ['CPU ms each', 'at once', ...processes, 'all'],
      measured.map((it) => [...cpuRow(it, processes), digits(medianOf(it, cpu))]),
    ),
    threads.length === 0
      ? ''
      : tableOf(
          ['CPU ms each', 'at once', ...threads],
          measured.map((it) => cpuRow(it, threads)),
        ),
    restText(measured),
  ];
  return sections.filter(Boolean).join('\n\n');
}

function cpuRow(measured: Measured, names: readonly string[]): readonly string[] {
  const { name, load } = measured;
  return [name, String(load.users), ...names.map((it) => digits(meanCpu(measured, it)))];
}

function restText(measured: readonly Measured[]): string {
  const shares = new Map(measured.map(({ name, restShare }) => [name, restShare]));
  const texts = [...shares].map(([name, share]) => `${name} ${digits(100 * share)} %`);
  return `At rest, of a core, while others have their turn (counted for none): ${texts.join(', ')}.`;
}

const MOST_FREQUENT = 40;

/** @param done how many turns or runs they were for */
export function statementsText(
  statements: Statements | null,
  { name, what, done, all }: { name: string; what: string; done: number; all: boolean },
): string {
  if (statements === null) {
    return '';
  }
  const { count, writes, lines } = statements;
  const rows = [...lines]
    .slice(0, MOST_FREQUENT)
    .map(([line, times]) => `${digits(times / done).padStart(6)}  ${line}`);
  const summary = `PostgreSQL per ${what} (${name}): ${digits(count / done)} round trips, ${digits(writes / done)} transactions that write.`;
  return all ? [summary, '', '```text', ...rows, '```'].join('\n') : summary;
}
