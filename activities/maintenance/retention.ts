import type { Db } from '../../db/connect.js';
import { PRUNE } from '../../db/retention.js';
import {
  cutoffOf,
  type RetentionAges,
  type RetentionKind,
} from '../../domain/account/retention.js';

export interface RetentionActivities {
  /** Removes what is too old of one kind, for a few seconds; safe to repeat. */
  prune(call: { kind: RetentionKind }): Promise<Pruning>;
}

export interface Pruning {
  readonly removed: number;
  /** false: there is more */
  readonly isDone: boolean;
}

export interface RetentionDeps {
  readonly db: Db;
  readonly now: () => Date;
  readonly retention: RetentionAges;
  countRemoved(kind: RetentionKind, rows: number): void;
}

/** Less than a worker that stops waits for its activities. */
const SLICE_MS = 4_000;
/** Rows of one transaction: what goes along with them must stay far from a statement's limit. */
const BATCH: Readonly<Record<RetentionKind, number>> = {
  conversations: 20,
  runs: 50,
  replies: 200,
  events: 1_000,
  'ledger-days': 50,
  'refresh-tokens': 1_000,
};

export function createRetentionActivities(deps: RetentionDeps): RetentionActivities {
  return {
    async prune({ kind }) {
      const before = cutoffOf(kind, deps.retention, deps.now());
      if (before === null) {
        return { removed: 0, isDone: true };
      }
      const sliceEnds = performance.now() + SLICE_MS;
      const limit = BATCH[kind];
      let removed = 0;
      do {
        const rows = await PRUNE[kind](deps.db, { before, limit });
        deps.countRemoved(kind, rows);
        removed += rows;
        if (rows < limit) {
          return { removed, isDone: true };
        }
      } while (performance.now() < sliceEnds);
      return { removed, isDone: false };
    },
  };
}
