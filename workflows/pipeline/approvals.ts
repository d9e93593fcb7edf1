import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import type { Decision } from '../../activities/run/waits.js';
import type { ApprovalRule, GraphNode } from '../../domain/run/pipeline.js';
import { summaryOf } from '../../domain/run/summaries.js';
import type { PipelineInput } from './pipeline.messages.js';
import { waits } from '../activity-proxies.js';
import { failNow } from '../failures.js';
import type { Question } from './view.js';
import type { RunDisplay } from './display.js';
import type { RunInbox } from './inbox.js';

export interface Decided {
  readonly node: string;
  readonly decision: Exclude<Decision, { kind: 'ignored' }>;
}

interface ApprovalsDeps {
  readonly inbox: RunInbox;
  readonly display: RunDisplay;
  /** What is asked at present is kept here. */
  readonly questions: Map<string, Question>;
}

/** The nodes of a run that wait for its owner: several at once, taken as they are decided. */
export class Approvals {
  private readonly run: PipelineInput;
  private readonly inbox: RunInbox;
  private readonly display: RunDisplay;
  private readonly questions: Map<string, Question>;
  private readonly decided: Decided[] = [];
  private readonly failures: unknown[] = [];
  private readonly scope = new CancellationScope();
  private readonly recording = new Set<string>();
  private asking = 0;

  constructor(run: PipelineInput, { inbox, display, questions }: ApprovalsDeps) {
    this.run = run;
    this.inbox = inbox;
    this.display = display;
    this.questions = questions;
  }

  ask(node: GraphNode, rule: ApprovalRule): void {
    void this.scope
      .run(() => this.settle(node, rule))
      .then(
        (decided) => void this.decided.push(decided),
        (error: unknown) => {
          if (!isCancellation(error)) {
            this.failures.push(error);
          }
        },
      )
      .finally(() => {
        this.recording.delete(node.node);
        this.questions.delete(node.node);
      });
  }

  /** Whether a question is not recorded yet, so that its owner could not answer it. */
  isAsking(): boolean {
    return this.asking > 0;
  }

  /** Whether a decision is being recorded that the run has not taken into account yet. */
  isRecording(): boolean {
    return this.recording.size > 0;
  }

  hasCompleted(): boolean {
    return this.decided.length + this.failures.length > 0;
  }

  /** @throws what kept a decision from being recorded */
  takeCompleted(): readonly Decided[] {
    if (this.failures.length > 0) {
      throw this.failures[0];
    }
    return this.decided.splice(0);
  }

  /** What is still open need not be decided any more. */
  close(): void {
    this.inbox.isOver = true;
    this.scope.cancel();
  }

  private async settle({ node, position }: GraphNode, rule: ApprovalRule): Promise<Decided> {
    const call = { pipelineId: this.run.pipelineId, node, position };
    this.asking += 1;
    const { deadlineMs } = await waits.askForApproval
      .executeWithOptions({ summary: summaryOf(`ask about ${node}`) }, [{ ...call, ...rule }])
      .finally(() => (this.asking -= 1));
    const { onTimeout } = rule;
    this.questions.set(node, { sinceMs: Date.now(), deadlineMs, onTimeout });
    this.display.refresh();
    for (;;) {
      await condition(
        () => this.inbox.offers.some((response) => response.node === node),
        Math.max(1, deadlineMs - Date.now()),
        { summary: summaryOf(`approval of ${node}`) },
      );
      const offerId = this.takeResponse(node);
      this.recording.add(node);
      const decision = await waits.takeDecision.executeWithOptions(
        { summary: summaryOf(`record the decision about ${node}`) },
        [{ ...call, offerId }],
      );
      if (decision.kind !== 'ignored') {
        this.inbox.decided.set(node, offerId);
        return { node, decision };
      }
      this.recording.delete(node);
      if (offerId === null) {
        return failNow('run-ended', 'the run was ended from outside');
      }
      this.inbox.ignored.add(offerId);
    }
  }

  /** null: there was no decision, and the deadline is over */
  private takeResponse(node: string): string | null {
    const index = this.inbox.offers.findIndex((response) => response.node === node);
    return index < 0 ? null : (this.inbox.offers.splice(index, 1)[0]?.offerId ?? null);
  }
}
