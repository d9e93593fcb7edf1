/**
 * A run as operators read it in the Temporal Web UI. The first line says what to do, if anything;
 * the table follows the run. The payload codec seals all of it.
 */
import { adviceOf } from '../domain/failure-advice.js';
import { awaitedNodes } from '../domain/pipeline-run.js';
import type { RunOutcome } from '../domain/result-rules.js';
import type { WaitReason } from '../domain/results.js';
import { clockOf, plain, tableOf, timeOf, type Column } from './markdown.js';
import type { NodeView, PipelineEnd } from './pipeline.messages.js';
import { viewOf, type RunProgress } from './pipeline-view.js';

export function detailsOf(progress: RunProgress): string {
  return [headOf(progress), ...bodyOf(progress, viewOf(progress).nodes)].join('\n\n');
}

function bodyOf(progress: RunProgress, nodes: readonly NodeView[]): readonly string[] {
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
    ...(progress === null ? [] : bodyOf(progress, viewOf(progress).nodes)),
  ].join('\n\n');
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
  const { waitingFor, state } = progress;
  if (waitingFor !== null) {
    return `**${WAITS[waitingFor](progress)}**`;
  }
  const working = viewOf(progress).nodes.filter((node) => node.state === 'running');
  if (working.length > 0) {
    return `**Nothing to do:** ${names(working.map(({ node }) => node))} at work.`;
  }
  return state.stopped === null ? '**Nothing to do:** going on.' : `**Stopped:** ${state.stopped}.`;
}

const WAITS: Readonly<Record<WaitReason, (progress: RunProgress) => string>> = {
  approval: ({ run, state }) =>
    `Ask its owner to decide about ${names(awaitedNodes(run.graph, state))}: the run waits for an approval.`,
  budget: ({ hold }) =>
    `Raise the owner's budget, or wait${hold === null ? '' : ` until ${timeOf(hold.untilMs)}`}: the day's budget is used up.`,
  pause: () => 'Resume it when its owner agrees: the run was paused.',
  slot: () => "Nothing to do, or end the owner's other run: this one waits for its slot.",
};

function names(nodes: readonly string[]): string {
  return nodes.map(plain).join(', ');
}

function failuresOf(progress: RunProgress): readonly string[] {
  return failedNodesOf(progress).map(
    ({ node, errorCode }) => `**${plain(node)}** ${errorCode}: ${adviceOf(errorCode)}`,
  );
}

/** In the order of the design. */
function failedNodesOf({ run, receipts }: RunProgress) {
  return run.graph.nodes.flatMap(({ node }) => {
    const receipt = receipts.get(node);
    return receipt?.status === 'failed'
      ? [{ node, errorCode: receipt.errorCode ?? 'internal' }]
      : [];
  });
}

function columnsOf({ receipts, begun }: RunProgress): readonly Column<NodeView>[] {
  const receiptOf = ({ node }: NodeView) => receipts.get(node);
  return [
    { head: 'Node', cell: ({ node }) => node },
    { head: 'State', cell: ({ state }) => state },
    { head: 'Model', cell: (row) => modelOf(receiptOf(row)) },
    // histories of older versions hold receipts without it
    { head: 'Attempts', cell: (row) => String(receiptOf(row)?.attempts ?? NONE) },
    { head: 'Money', cell: (row) => costCellOf(receiptOf(row)?.costUsd) },
    { head: 'Duration', cell: (row) => durationOf(row, receiptOf(row), begun.get(row.node)) },
  ];
}

const NONE = '–';

type Receipt = ReturnType<RunProgress['receipts']['get']>;

function modelOf(receipt: Receipt): string {
  return receipt?.model ?? receipt?.provider ?? NONE;
}

function costCellOf(usd: number | undefined): string {
  return usd === undefined ? NONE : costOf(usd);
}

function costOf(usd: number): string {
  return `$${usd.toFixed(6)}`;
}

function durationOf({ state }: NodeView, receipt: Receipt, begunMs: number | undefined): string {
  if (receipt !== undefined) {
    return `${receipt.durationSeconds.toFixed(2)} s`;
  }
  return state === 'running' && begunMs !== undefined ? `since ${clockOf(begunMs)}` : NONE;
}
