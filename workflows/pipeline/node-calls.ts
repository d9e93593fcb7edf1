import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
} from '@temporalio/workflow';
import type { NodeResult } from '../../activities/node/result.js';
import type { BuiltRun } from '../../activities/run/runs.js';
import type { ErrorCode } from '../../domain/errors.js';
import { stepIdOf } from '../../domain/ids.js';
import { summaryOf } from '../../domain/run/summaries.js';
import { attemptTimeoutMs, paid } from '../activity-proxies.js';
import type { BudgetKnowledge } from './budget-wait.js';
import { failNow } from '../failures.js';
import type { PipelineInput } from './pipeline.messages.js';

/** A run whose graph is built: what its record says and what the workflow was given. */
export interface OpenRun extends PipelineInput, Omit<BuiltRun, 'kind'> {}

/**
 * `deferred`: the call did not fit into the day's budget, and is to be made later. `budgetChanges` is
 * how often the budget had been changed when it was begun.
 */
export type CompletedCall =
  | { readonly kind: 'ended'; readonly result: NodeResult }
  | { readonly kind: 'deferred'; readonly node: string; readonly budgetChanges: number };

/** How long a cancelled run waits for its calls in flight to settle their money. */
const SETTLE_MS = 5_000;

/** The calls of a run: several at once, taken in the order in which they end. */
export class NodeCalls {
  private readonly run: OpenRun;
  private readonly ended: CompletedCall[] = [];
  private readonly failures: unknown[] = [];
  private readonly deferrals = new Map<string, number>();
  private open = 0;

  constructor(run: OpenRun) {
    this.run = run;
  }

  start(node: string, { budgetChanges }: BudgetKnowledge): void {
    this.open += 1;
    void runNode(this.run, node, this.deferrals.get(node) ?? 0)
      .then(
        (result) => {
          this.take(
            result === null ? { kind: 'deferred', node, budgetChanges } : { kind: 'ended', result },
          );
        },
        (error: unknown) => void this.failures.push(error),
      )
      .finally(() => (this.open -= 1));
  }

  isIdle(): boolean {
    return this.open === 0 && !this.hasCompleted();
  }

  hasCompleted(): boolean {
    return this.ended.length + this.failures.length > 0;
  }

  /** @throws the failure of a call that is no agent's outcome, and cancellation */
  takeCompleted(): readonly CompletedCall[] {
    if (this.failures.length > 0) {
      throw this.failures[0];
    }
    return this.ended.splice(0);
  }

  private take(end: CompletedCall): void {
    if (end.kind === 'deferred') {
      this.deferrals.set(end.node, (this.deferrals.get(end.node) ?? 0) + 1);
    }
    this.ended.push(end);
  }

  /** Waits, for a bounded time, until no call is in flight. */
  async settle(): Promise<void> {
    if (this.open > 0) {
      await CancellationScope.nonCancellable(() =>
        condition(() => this.open === 0, SETTLE_MS, {
          summary: 'until calls in flight are settled',
        }),
      );
    }
  }
}

/**
 * Runs one node as one activity. A failed agent is an outcome, not a failure of the run: its
 * result comes back with the activity's failure.
 *
 * @returns null where the call did not fit into the day's budget
 */
async function runNode(run: OpenRun, name: string, deferrals: number): Promise<NodeResult | null> {
  const node = run.graph.nodes.find((candidate) => candidate.node === name);
  if (node === undefined) {
    return failNow('internal', `the graph has no node "${name}"`);
  }
  const { pipelineId, userId, conversationId, simulated, modelTimeoutMs: timeoutMs } = run;
  const options = {
    summary: summaryOf(`${node.role}: ${node.agentName}`),
    // a collector's pages may take as long as the run: an attempt that is cut would begin anew
    startToCloseTimeout: Math.max(attemptTimeoutMs(timeoutMs), run.timeoutMs),
  };
  try {
    return await paid.runAgent.executeWithOptions(options, [
      {
        stepId: stepIdOf(pipelineId, name),
        userId,
        pipelineId,
        conversationId,
        node: name,
        position: node.position,
        simulated,
        timeoutMs,
        ...(run.onBudget === undefined ? {} : { onBudget: run.onBudget }),
        ...(deferrals === 0 ? {} : { round: deferrals }),
        ...(run.reuse?.nodes.includes(name) === true ? { reuseFrom: run.reuse.from } : {}),
      },
    ]);
  } catch (error) {
    const result = resultIn(error);
    if (result !== null || isOverBudget(error)) {
      return result;
    }
    throw error;
  }
}

/** Without a result it is no agent's outcome: the run is to wait. */
function isOverBudget(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof ApplicationFailure &&
    error.cause.type === ('over-budget' satisfies ErrorCode)
  );
}

function resultIn(error: unknown): NodeResult | null {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure)) {
    return null;
  }
  const [detail] = error.cause.details ?? [];
  return isResult(detail) ? detail : null;
}

function isResult(detail: unknown): detail is NodeResult {
  return typeof detail === 'object' && detail !== null && 'node' in detail && 'status' in detail;
}
