/** Waiting without holding the user's slot, and without the run's time running on. */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { condition, upsertSearchAttributes } from '@temporalio/workflow';
import { isDone } from '../../domain/run/pipeline-run.js';
import type { WaitReason } from '../../domain/run/results.js';
import { waits } from '../activity-proxies.js';
import { isInForce } from './budget-wait.js';
import type { RunProgress } from './view.js';
import { awaitsPerson, isUnderWay, takeCompleted, type RunWork } from './work.js';

/** A lock that is not granted is requested again after this long: the owner's row may be stale. */
const SLOT_TIMEOUT_MS = 600_000;

/** With nothing in flight: waits until the run has something to do, and the slot to do it in. */
export async function waitForWork(work: RunWork): Promise<'work' | 'ended'> {
  const { progress, clock } = work;
  const { graph, pipelineId } = progress.run;
  clock.stop();
  for (;;) {
    const reason = reasonOf(work);
    if (reason !== null) {
      await park(work, reason);
      await untilChanged(work, reason);
      takeCompleted(work);
    } else if (progress.waitingFor === null || isDone(graph, progress.state)) {
      clock.start();
      return 'work'; // the slot was never given back, or is not needed any more
    } else {
      work.inbox.isSlotGranted = false;
      const { kind } = await waits.unparkRun.executeWithOptions(
        { summary: 'take the slot again' },
        [{ pipelineId, round: nextRound(progress) }],
      );
      if (kind !== 'queued') {
        show(work, null);
        clock.start();
        return kind === 'taken' ? 'work' : 'ended';
      }
      show(work, 'slot');
      await condition(() => work.inbox.isSlotGranted || reasonOf(work) !== null, SLOT_TIMEOUT_MS, {
        summary: 'until the slot is asked for again',
      });
    }
  }
}

/**
 * Whether nothing will ever move the run on, once nothing has completed and nothing is to begin: it is not done,
 * nothing is under way, and no decision, budget or signal is waited for.
 */
export function isStuck(work: RunWork): boolean {
  return work.progress.waitingFor === null && reasonOf(work) === null && !isUnderWay(work);
}

function reasonOf(work: RunWork): WaitReason | null {
  const { progress, inbox } = work;
  if (isDone(progress.run.graph, progress.state)) {
    return null;
  }
  if (inbox.pausedSinceMs !== null) {
    return 'pause';
  }
  if (isInForce(progress.hold, inbox)) {
    return 'budget';
  }
  return awaitsPerson(work) ? 'approval' : null;
}

async function park(work: RunWork, reason: WaitReason): Promise<void> {
  const { progress } = work;
  if (progress.waitingFor !== reason) {
    const { pipelineId } = progress.run;
    await waits.parkRun.executeWithOptions({ summary: `give the slot back: ${reason}` }, [
      { pipelineId, reason, round: nextRound(progress) },
    ]);
    show(work, reason);
  }
}

async function untilChanged(work: RunWork, reason: WaitReason): Promise<void> {
  const { progress, approvals } = work;
  const isChanged = (): boolean => approvals.hasCompleted() || reasonOf(work) !== reason;
  if (reason === 'budget' && progress.hold !== null) {
    const leftMs = Math.max(1, progress.hold.untilMs - Date.now());
    await condition(isChanged, leftMs, { summary: 'until the next day (UTC)' });
  } else {
    await condition(isChanged);
  }
}

function nextRound(progress: RunProgress): number {
  progress.round += 1;
  return progress.round;
}

const STATUS = defineSearchAttributeKey('AgentForgeStatus', SearchAttributeType.KEYWORD);

function show({ progress, display }: RunWork, reason: WaitReason | null): void {
  progress.waitingFor = reason;
  progress.waitingSinceMs = Date.now();
  upsertSearchAttributes([
    { key: STATUS, value: reason === null ? 'running' : `waiting-${reason}` },
  ]);
  display.refresh();
}
