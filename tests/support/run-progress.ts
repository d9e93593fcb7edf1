/** The progress of many runs, for tests that wait for a moment of one. */
import { setTimeout as pause } from 'node:timers/promises';
import { LONGEST_RUN_MS, type RunFixture, type FixtureRun } from './run-fixture.js';
import { until } from './until.js';

/** A moment of a run: so many events are stored, and a little later. */
export interface Moment {
  readonly events: number;
  readonly thenMs: number;
}

export type Progress = ReturnType<typeof watchProgress>;

const POLL_MS = 20;

/** Looks at all runs by one query. */
export function watchProgress({ product }: RunFixture) {
  const events = new Map<string, number>();
  /** Runs that have ended, or have waited for a budget. */
  const still = new Set<string>();
  const stopping = new AbortController();
  const look = async () => {
    const rows = await product.db
      .selectFrom('streams')
      .innerJoin('pipelineExecutions as run', 'run.id', 'streams.id')
      .select(['streams.id', 'streams.lastSeq', 'run.endedAt', 'run.waitingFor'])
      .execute();
    rows.forEach(({ id, lastSeq, endedAt, waitingFor }) => {
      events.set(id, lastSeq);
      if (endedAt !== null || waitingFor === 'budget') {
        still.add(id);
      }
    });
  };
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      await look();
      await pause(POLL_MS);
    }
  })();
  return {
    /** Waits for a moment, or until it cannot come any more. @returns false for no moment */
    async reached({ id }: FixtureRun, moment: Moment | null): Promise<boolean> {
      if (moment === null) {
        return false;
      }
      const isThere = () => still.has(id) || (events.get(id) ?? 0) >= moment.events;
      await until(`run ${id} is there`, isThere, LONGEST_RUN_MS).catch(() => undefined);
      await pause(moment.thenMs);
      return true;
    },
    async close() {
      stopping.abort();
      await watching;
    },
  };
}
