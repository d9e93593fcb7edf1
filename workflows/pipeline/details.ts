/**
 * A run as operators read it in the Temporal Web UI. The first line says what to do, if anything;
 * the table follows the run. The payload codec seals all of it.
 */
import {
  textOfAsked,
  type AskedVendor,
  type FailedAttempt,
} from '../../domain/run/failed-attempts.js';
import { adviceOf } from '../../domain/agents/failure-advice.js';
import { failedAttemptText } from './failed-attempt-text.js';
import { awaitedNodes } from '../../domain/run/pipeline-run.js';
import type { RunOutcome } from '../../domain/run/result-rules.js';
import type { WaitReason } from '../../domain/run/results.js';
import { clockOf, plain, tableOf, timeOf, type Column } from '../markdown.js';
import type { NodeView, PipelineEnd } from './pipeline.messages.js';
import { viewOf, type RunProgress } from './view.js';

/** Only said while there is something to stop. */
const HOW_TO_STOP =
  'To stop it, request a cancellation: what is done is kept, and no further call is paid.';

export function detailsOf(progress: RunProgress): string {
  return [headOf(progress), ...bodyOf(progress, viewOf(progress).nodes), HOW_TO_STOP].join('\n\n');
}

/** Its record is being opened. */
export const OPENING_DETAILS = [
  '**Nothing to do yet:** its record is being opened. If this lasts, look at PostgreSQL.',
  HOW_TO_STOP,
].join('\n\n');

/** Its end is being recorded. */
export function closingDetails(progress: RunProgress): string {
  return [
    '**Nothing to do yet:** its work is done, and its end is being recorded. If this lasts, look at PostgreSQL.',
    ...bodyOf(progress, viewOf(progress).nodes.map(whenOver)),
  ].join('\n\n');
}

/** A node's state, or what has become of it. */
type Row = Omit<NodeView, 'state'> & { readonly state: string };

function bodyOf(progress: RunProgress, nodes: readonly Row[]): readonly string[] {
  const { run, spentUsd } = progress;
  const about = [
    `**${plain(run.designName)}**`,
    costOf(spentUsd),
    ...(run.simulated ? ['simulated models, nothing is paid'] : []),
    `limit ${run.timeoutMs / 1_000} s of work`,
  ].join(' · ');
  const failures = failuresOf(progress).map((failure) => `- ${failure}`);
  return [about, tableOf(columnsOf(progress), nodes), ...failures];
}

/** @param progress null where the run never began */
export function finalDetailsOf(
  end: PipelineEnd,
  outcome: RunOutcome,
  progress: RunProgress | null,
): string {
  const [failure] = progress === null ? [] : failuresOf(progress);
  const head = [
    `**Ended: ${end.status}.**`,
    WHY[outcome.kind],
    ...(outcome.kind === 'ended' && failure !== undefined ? [failure] : []),
    ...(outcome.kind === 'ended' && outcome.stopped !== undefined
      ? [`Stopped early: ${outcome.stopped}.`]
      : []),
  ];
  return [
    head.filter((text) => text !== '').join(' '),
    ...(progress === null ? [] : bodyOf(progress, viewOf(progress).nodes.map(whenOver))),
  ].join('\n\n');
}

/** @param node as the run has left it */
function whenOver(node: NodeView): Row {
  switch (node.state) {
    case 'running':
      return { ...node, state: 'cut off' };
    case 'approving':
    case 'approved':
    case 'waiting':
      return { ...node, state: 'not begun' };
    default:
      return node;
  }
}

/**
 * Why a run has failed, as its workflow's failure says it. The message of a failure is not sealed: it
 * holds words of ours only.
 */
export function reasonOfEnd(
  end: PipelineEnd,
  outcome: RunOutcome,
  progress: RunProgress | null,
): string {
  const [code] = progress === null ? [] : failedNodesOf(progress).map(({ errorCode }) => errorCode);
  return outcome.kind === 'ended' && code !== undefined
    ? `${end.status} (${code}): ${adviceOf(code)}`
    : `${end.status}: ${WHY[outcome.kind] || 'Look at the agents in the table of User Metadata.'}`;
}

const WHY: Readonly<Record<RunOutcome['kind'], string>> = {
  ended: '',
  timeout:
    'Run it again with fewer or faster agents, or raise PIPELINE_TIMEOUT_SECONDS: its time was up.',
  cancelled: 'Nothing to do: its owner, an administrator or this page has cancelled it.',
  unbuildable: 'Tell its owner to mend the design: it is no graph that can run.',
  internal: "Look into the worker's log at this time: a mistake of ours ended it.",
};

function headOf(progress: RunProgress): string {
  const { waitingFor, state, failing } = progress;
  if (waitingFor !== null) {
    return WAITS[waitingFor](progress);
  }
  const working = viewOf(progress).nodes.filter((node) => node.state === 'running');
  const failed = working
    .flatMap(({ node }) => failing.get(node) ?? [])
    .toSorted((one, other) => other.attempt - one.attempt);
  const [worst] = failed;
  if (worst !== undefined) {
    const well = working.filter(({ node }) => !failing.has(node));
    return [
      ...failed.slice(0, MAX_NAMED).map(failedAttemptText),
      worst.advice,
      ...(well.length === 0 ? [] : [`${names(well)} at work.`]),
      ...asidesOf(progress),
    ].join(' ');
  }
  if (working.length > 0) {
    const since = Math.min(...working.map(({ node }) => progress.begun.get(node) ?? Infinity));
    const sinceText = Number.isFinite(since) ? ` since ${clockOf(since)}` : '';
    return [
      `**Nothing to do:** ${names(working)} at work${sinceText}.`,
      ...asidesOf(progress),
    ].join(' ');
  }
  return state.stopped === null
    ? '**Nothing to do:** between two steps. If this lasts, look at PostgreSQL.'
    : `**Stopped:** ${state.stopped}.`;
}

/** Failing agents that the first line names. */
const MAX_NAMED = 3;

/** What is also waited for, while agents are at work. */
function asidesOf(progress: RunProgress): readonly string[] {
  const { pausedSinceMs } = progress.inbox;
  const questions = questionsOf(progress);
  return [
    ...(pausedSinceMs === null
      ? []
      : [`Its owner has paused it at ${timeOf(pausedSinceMs)}: nothing else begins.`]),
    ...(questions.length === 0
      ? []
      : [`Its owner is also asked about ${questions.join(' and ')}.`]),
  ];
}

const WAITS: Readonly<Record<WaitReason, (progress: RunProgress) => string>> = {
  approval: (progress) => {
    const asked = names(awaitedOf(progress));
    return `**Ask its owner to decide about ${asked}:** ${ownerOf(progress)} is asked about ${questionsOf(progress).join(' and ')}.`;
  },
  budget: (progress) => {
    const { hold } = progress;
    const until = hold === null ? 'the next day (UTC)' : timeOf(hold.untilMs);
    return `**Raise the owner's budget, or wait until ${until}:** the day's budget of ${ownerOf(progress)} is used up; the run waits ${sinceOf(progress)}, and goes on with the next day's budget then.`;
  },
  pause: (progress) =>
    `**Resume it when its owner agrees:** ${ownerOf(progress)} has paused it; it waits ${sinceOf(progress)} without an end, until it is resumed or cancelled.`,
  slot: (progress) =>
    `**Nothing to do, or end the owner's other run:** this one waits for the slot of ${ownerOf(progress)} ${sinceOf(progress)}, until the other run ends or waits itself, and goes on then.`,
};

function ownerOf({ run }: RunProgress): string {
  return `user \`${run.userId}\``;
}

function sinceOf({ waitingSinceMs }: RunProgress): string {
  return `since ${timeOf(waitingSinceMs)}`;
}

function awaitedOf({ run, state }: RunProgress): readonly Pick<NodeView, 'node'>[] {
  return awaitedNodes(run.graph, state).map((node) => ({ node }));
}

/** Since when, until when, and what then. */
function questionsOf(progress: RunProgress): readonly string[] {
  return awaitedOf(progress).map(({ node }) => {
    const question = progress.questions.get(node);
    if (question === undefined) {
      return plain(node); // about to be asked
    }
    const { sinceMs, deadlineMs, onTimeout } = question;
    const then = onTimeout === 'approve' ? 'counts as approved' : 'counts as rejected';
    return `${plain(node)} since ${timeOf(sinceMs)} until ${timeOf(deadlineMs)} (then it ${then})`;
  });
}

function names(nodes: readonly Pick<NodeView, 'node'>[]): string {
  return nodes.map(({ node }) => plain(node)).join(', ');
}

function failuresOf(progress: RunProgress): readonly string[] {
  return failedNodesOf(progress).map(
    ({ node, errorCode, asked }) =>
      `**${plain(node)}** ${errorCode}${asked}: ${adviceOf(errorCode)}`,
  );
}

/** In the order of the design. */
function failedNodesOf({ run, results }: RunProgress) {
  return run.graph.nodes.flatMap(({ node }) => {
    const result = results.get(node);
    if (result?.status !== 'failed') {
      return [];
    }
    const { errorCode: code, asked = [] } = result;
    const errorCode = code ?? 'internal';
    const text = textOfAsked(
      asked.map((it) => (it.code === errorCode ? { ...it, code: null } : it)),
    );
    return [{ node, errorCode, asked: text === '' ? '' : ` (${plain(text)})` }];
  });
}

function columnsOf({ run, results, begun, failing }: RunProgress): readonly Column<Row>[] {
  const seenOf = ({ node, state }: Row): Seen => ({
    result: results.get(node),
    failed: failing.get(node),
    wanted: run.graph.nodes.find((it) => it.node === node)?.model,
    isRunning: state === 'running',
  });
  return [
    { head: 'Node', cell: ({ node }) => node },
    { head: 'State', cell: ({ state }) => state },
    { head: 'Vendor', cell: (row) => vendorOf(seenOf(row)) },
    { head: 'Model', cell: (row) => modelOf(seenOf(row)) },
    { head: 'Attempts', cell: (row) => attemptsOf(seenOf(row)) },
    { head: 'Money', cell: ({ node }) => costCellOf(results.get(node)?.costUsd) },
    {
      head: 'Duration',
      cell: (row) => durationOf(row, results.get(row.node), begun.get(row.node)),
    },
  ];
}

const NONE = '–';

type Result = ReturnType<RunProgress['results']['get']>;

/** What is known of a node. */
interface Seen {
  readonly result: Result;
  readonly failed: FailedAttempt | undefined;
  readonly wanted: string | undefined;
  readonly isRunning: boolean;
}

function lastAskedOf({ result, failed }: Seen): AskedVendor | undefined {
  return (result?.asked ?? failed?.asked)?.at(-1);
}

function vendorOf(seen: Seen): string {
  return seen.result?.provider ?? lastAskedOf(seen)?.vendor ?? NONE;
}

function modelOf(seen: Seen): string {
  const { result, wanted, isRunning } = seen;
  const asked = result?.model ?? lastAskedOf(seen)?.model;
  return asked ?? (isRunning && wanted !== undefined ? `${wanted} wanted` : NONE);
}

/** Histories of older versions hold results without it. */
function attemptsOf({ result, failed, isRunning }: Seen): string {
  if (result !== undefined) {
    return String(result.attempts ?? NONE);
  }
  return isRunning ? String((failed?.attempt ?? 0) + 1) : NONE;
}

function costCellOf(usd: number | undefined): string {
  return usd === undefined ? NONE : costOf(usd);
}

function costOf(usd: number): string {
  return `$${usd.toFixed(6)}`;
}

function durationOf({ state }: Row, result: Result, begunMs: number | undefined): string {
  if (result !== undefined) {
    return `${result.durationSeconds.toFixed(2)} s`;
  }
  return state === 'running' && begunMs !== undefined ? `since ${clockOf(begunMs)}` : NONE;
}
