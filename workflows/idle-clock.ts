import { CancellationScope, condition, sleep } from '@temporalio/workflow';

export const IDLE = { summary: 'falls asleep without a message' };

/**
 * Tells when nothing has happened for a while. One timer stands for many messages: when it fires it
 * is set again for what is left, so that a message neither starts nor cancels one.
 */
export class IdleClock {
  private readonly idleMs: number;
  private lastWorkMs = Date.now();
  private isRunning = false;

  constructor(idleMs: number) {
    this.idleMs = idleMs;
  }

  /** Something has happened. */
  touch(): void {
    this.lastWorkMs = Date.now();
  }

  /** @returns false after a whole idle time without an awaited thing; the next one begins then */
  async wait(isThere: () => boolean): Promise<boolean> {
    this.start();
    await condition(() => isThere() || this.leftMs() <= 0);
    this.touch();
    return isThere();
  }

  private start(): void {
    if (!this.isRunning) {
      this.isRunning = true;
      void CancellationScope.nonCancellable(() => this.run());
    }
  }

  private async run(): Promise<void> {
    while (this.leftMs() > 0) {
      await sleep(this.leftMs(), IDLE);
    }
    this.isRunning = false;
  }

  private leftMs(): number {
    return this.lastWorkMs + this.idleMs - Date.now();
  }
}
