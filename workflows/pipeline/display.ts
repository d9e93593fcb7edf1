import { setCurrentDetails } from '@temporalio/workflow';
import { detailsOf } from './details.js';
import type { RunProgress } from './view.js';

/** What operators see of a run in the Temporal Web UI. */
export class RunDisplay {
  /** null until the run is open. */
  progress: RunProgress | null = null;

  /** To be called when something of it has changed. */
  refresh(): void {
    if (this.progress !== null) {
      setCurrentDetails(detailsOf(this.progress));
    }
  }
}
