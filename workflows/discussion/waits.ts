/** What a discussion does between two turns: it waits for work, for a new history, or falls asleep. */
import {
  CancellationScope,
  condition,
  isCancellation,
  patched,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { DiscussionState } from '../../domain/discussion/state.js';
import { records } from '../activity-proxies.js';
import type { DiscussionInput, RunNotice, UserMessage } from './discussion.messages.js';

/** Waiting work of one discussion, filled by signals and emptied between turns. */
export interface Inbox {
  readonly messages: UserMessage[];
  readonly admitted: RunNotice[];
  readonly ended: RunNotice[];
}

/** `renew`: it continues as new, so that a replay stays cheap. */
export type Next = 'work' | 'renew' | 'sleep';

/** A long history is left in a quiet moment, where no user waits for it. */
const CALM = { quietMs: 2_000, summary: 'begins a new history when it is quiet' };
const IDLE_SUMMARY = 'falls asleep without a message';
/** A discussion that is never quiet begins a new history at so many times its limit. */
const MOST_TIMES = 5;

export class Waits {
  private readonly input: DiscussionInput;
  private readonly inbox: Inbox;
  private readonly idle: QuietClock;
  private readonly calm = new QuietClock(CALM);

  constructor(input: DiscussionInput, inbox: Inbox) {
    this.input = input;
    this.inbox = inbox;
    this.idle = new QuietClock({ quietMs: input.idleMs, summary: IDLE_SUMMARY });
  }

  /** A cancelled or long idle discussion ends, but never with work left. */
  async next({ run }: DiscussionState): Promise<Next> {
    this.calm.touch();
    for (;;) {
      this.idle.touch();
      if (isHistoryLong(this.input, MOST_TIMES) && canCarry(this.inbox)) {
        return 'renew';
      }
      const next = await this.look(run);
      if (next !== null) {
        return next;
      }
    }
  }

  /** @returns null to wait on: the run of the discussion goes on */
  private async look(run: DiscussionState['run']): Promise<Next | null> {
    try {
      await this.change();
      if (isEmpty(this.inbox) && this.isToRenew()) {
        return 'renew';
      }
      const isAwake = !isEmpty(this.inbox) || (await isActive(run));
      return isEmpty(this.inbox) ? (isAwake ? null : 'sleep') : 'work';
    } catch (error) {
      if (isCancellation(error) && !isEmpty(this.inbox)) {
        return 'work';
      }
      throw error;
    }
  }

  /** Returns when there is work, or it has been quiet for long enough to renew or to sleep. */
  private async change(): Promise<void> {
    while (!this.hasChanged()) {
      this.idle.start();
      const isLong = isHistoryLong(this.input);
      if (isLong) {
        this.calm.start();
      }
      await condition(() => this.hasChanged() || isHistoryLong(this.input) !== isLong);
    }
  }

  private hasChanged(): boolean {
    return !isEmpty(this.inbox) || this.idle.isQuiet || this.isToRenew();
  }

  private isToRenew(): boolean {
    return isHistoryLong(this.input) && this.calm.isQuiet;
  }
}

/** Runs that began before this have a timer for each wait. */
const ONE_TIMER = '2026-11-one-idle-timer';
/** Runs that were woken by nothing else before this wait on: what is rejected makes histories long, too. */
const RENEW_IDLE = '2026-12-renew-idle';

/** As it was before 0.7.0: a history that is long is left after the next turn. */
export class WaitsBefore {
  private readonly input: DiscussionInput;
  private readonly inbox: Inbox;
  private readonly idle: QuietClock | null;
  private hasWorked = false;

  constructor(input: DiscussionInput, inbox: Inbox) {
    this.input = input;
    this.inbox = inbox;
    const { idleMs: quietMs } = input;
    this.idle = patched(ONE_TIMER) ? new QuietClock({ quietMs, summary: IDLE_SUMMARY }) : null;
  }

  async next({ run }: DiscussionState): Promise<Next> {
    if (this.hasWorked) {
      this.idle?.touch();
      if (isHistoryLong(this.input) && canCarry(this.inbox)) {
        return 'renew';
      }
    }
    this.hasWorked = true;
    try {
      return (await this.hasWork(run)) ? 'work' : 'sleep';
    } catch (error) {
      if (isCancellation(error) && !isEmpty(this.inbox)) {
        return 'work';
      }
      throw error;
    }
  }

  private async hasWork(run: DiscussionState['run']): Promise<boolean> {
    if (!isEmpty(this.inbox) || (await this.isWoken())) {
      return true;
    }
    return (await isActive(run)) || !isEmpty(this.inbox);
  }

  private async isWoken(): Promise<boolean> {
    const { input, inbox, idle } = this;
    const isToWake = (): boolean =>
      !isEmpty(inbox) || (isHistoryLong(input) && patched(RENEW_IDLE));
    if (idle === null) {
      return condition(isToWake, input.idleMs, { summary: IDLE_SUMMARY });
    }
    idle.start();
    await condition(() => isToWake() || idle.isQuiet);
    idle.touch();
    return isToWake();
  }
}

/**
 * Whether nothing has happened for a while. One timer stands for many messages: when it fires it is
 * set again for what is left, so that a message neither starts nor cancels one.
 */
class QuietClock {
  private readonly quietMs: number;
  private readonly summary: string;
  private lastWorkMs = Date.now();
  private isRunning = false;

  /** @param options `summary` says in the Web UI what the timer is for. */
  constructor({ quietMs, summary }: { readonly quietMs: number; readonly summary: string }) {
    this.quietMs = quietMs;
    this.summary = summary;
  }

  /** Something has happened. */
  touch(): void {
    this.lastWorkMs = Date.now();
  }

  get isQuiet(): boolean {
    return this.leftMs <= 0;
  }

  /** From now on the workflow is woken when it is quiet. */
  start(): void {
    if (!this.isRunning) {
      this.isRunning = true;
      void CancellationScope.nonCancellable(() => this.run());
    }
  }

  private async run(): Promise<void> {
    while (this.leftMs > 0) {
      await sleep(this.leftMs, { summary: this.summary });
    }
    this.isRunning = false;
  }

  private get leftMs(): number {
    return this.lastWorkMs + this.quietMs - Date.now();
  }
}

/** The record decides: a lost notice must neither keep nor end a discussion. */
async function isActive(run: DiscussionState['run']): Promise<boolean> {
  if (run?.kind !== 'admitted' || run.ended) {
    return false;
  }
  return (await records.readRun({ pipelineId: run.pipelineId })).isActive;
}

function isEmpty(inbox: Inbox): boolean {
  return inbox.messages.length + inbox.admitted.length + inbox.ended.length === 0;
}

function isHistoryLong({ maxHistoryEvents }: DiscussionInput, times = 1): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > times * maxHistoryEvents;
}

/** Well below Temporal's limit of 2 MiB for an input, in any script. */
const MAX_CARRIED_CHARACTERS = 262_144;

/** Messages that wait go along, so that a discussion in a hurry continues as new, too. */
function canCarry({ messages }: Inbox): boolean {
  const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
  return characters <= MAX_CARRIED_CHARACTERS;
}
