import { CancellationScope, sleep } from '@temporalio/workflow';

/** The limit of a run: it counts only while the run works, not while it waits for somebody. */
export class ActiveClock {
  isTimeUp = false;
  private leftMs: number;
  private startedAt = 0;
  private timer: CancellationScope | null = null;
  private readonly onTimeUp: () => void;

  constructor(limitMs: number, onTimeUp: () => void) {
    this.leftMs = limitMs;
    this.onTimeUp = onTimeUp;
  }

  start(): void {
    if (this.timer !== null) {
      return;
    }
    const timer = new CancellationScope();
    this.timer = timer;
    this.startedAt = Date.now();
    void timer
      .run(() => sleep(this.leftMs, { summary: 'time limit of the run' }))
      .then(() => {
        this.isTimeUp = true;
        this.onTimeUp();
      })
      .catch(() => undefined);
  }

  stop(): void {
    if (this.timer !== null) {
      this.timer.cancel();
      this.timer = null;
      this.leftMs = Math.max(1, this.leftMs - (Date.now() - this.startedAt));
    }
  }
}
