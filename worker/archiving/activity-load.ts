/** How busy this worker is, so that work that may wait is done in quiet times. */
import type { Activities } from '../../activities/index.js';

/** Work that waits for quiet times must not count as load itself. */
const IN_QUIET_TIMES: readonly string[] = [
  'archiveEnded',
  'archiveRun',
  'archiveDiscussion',
  'prune',
] satisfies (keyof Activities)[];

export class ActivityLoad {
  private underWay = 0;
  private quietSinceMs = performance.now();

  /** An attempt of an activity begins. @returns to be called when it ends */
  begin(activityType: string): () => void {
    if (IN_QUIET_TIMES.includes(activityType)) {
      return () => undefined;
    }
    this.underWay += 1;
    return () => {
      this.underWay -= 1;
      this.quietSinceMs = performance.now();
    };
  }

  /** Milliseconds since the last activity has ended; 0 while one is under way. */
  quietForMs(): number {
    return this.underWay > 0 ? 0 : performance.now() - this.quietSinceMs;
  }
}
