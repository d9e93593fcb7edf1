import { readRunSnapshots, type RunSnapshot } from '../../db/runs/agent-steps.js';
import type { Db } from '../../db/connect.js';
import type { StreamId } from '../../domain/ids.js';
import { listLive, readLive, type LiveStore, type NodeRef } from '../../events/live-store.js';
import { keyOf, type LiveAgent } from './live-agents.js';

export interface LiveLookup {
  all(): void;
  one(ref: NodeRef): void;
  /** Whether a live event of it may now be older than what is about to be found. */
  has(ref: NodeRef): boolean;
  /** Resolves when nothing is left to look up; null if nothing is. */
  underWay(): Promise<void> | null;
  stop(): void;
}

export interface LookupWork {
  find(refs: readonly NodeRef[] | 'all'): Promise<readonly LiveAgent[]>;
  take(agents: readonly LiveAgent[]): void;
  onFailure(error: unknown): void;
}

const RETRY_MS = 2_000;

/** Looks up as often as asked, one lookup at a time, and again after a failure. */
export function createLiveLookup(work: LookupWork): LiveLookup {
  const wanted = new Map<string, NodeRef>();
  let wantsAll = false;
  let current: ReadonlySet<string> | 'all' = new Set();
  let underWay: Promise<void> | null = null;
  let isStopped = false;
  let hasFailed = false;
  let retry: NodeJS.Timeout | undefined;

  async function lookUp(): Promise<void> {
    while (!isStopped && (wantsAll || wanted.size > 0)) {
      const refs = wantsAll ? 'all' : [...wanted.values()];
      current = wantsAll ? 'all' : new Set(wanted.keys());
      wantsAll = false;
      wanted.clear();
      const found = await work.find(refs);
      current = new Set();
      hasFailed = false;
      if (!isLate()) {
        work.take(found);
      }
    }
  }

  function isLate(): boolean {
    return isStopped;
  }

  function start(): void {
    clearTimeout(retry);
    underWay ??= lookUp()
      .catch((error: unknown) => {
        if (!hasFailed) {
          work.onFailure(error);
        }
        hasFailed = true;
        if (!isStopped) {
          retry = setTimeout(all, RETRY_MS).unref();
        }
      })
      .finally(() => {
        underWay = null;
      });
  }

  function all(): void {
    wantsAll = true;
    start();
  }

  return {
    all,
    one(ref) {
      wanted.set(keyOf(ref), ref);
      start();
    },
    has: (ref) => current === 'all' || current.has(keyOf(ref)) || wanted.has(keyOf(ref)),
    underWay: () => underWay,
    stop() {
      isStopped = true;
      clearTimeout(retry);
    },
  };
}

export interface WantedAgents {
  readonly streamId: StreamId;
  readonly refs: readonly NodeRef[] | 'all';
  /** Those that are known to be at work: looked at again with all others. */
  readonly open: readonly NodeRef[];
}

/** Redis holds the live events of agents; PostgreSQL knows which agents have ended. */
export async function findAgents(
  { db, ...store }: LiveStore & { readonly db: Db },
  { streamId, refs, open }: WantedAgents,
): Promise<readonly LiveAgent[]> {
  const asked = refs === 'all' ? [...(await listLive(store.redis, streamId)), ...open] : refs;
  const entries = await readLive(store, streamId, asked);
  const found = asked.flatMap(({ pipelineId, node }, index) => {
    const known = entries[index] ?? null;
    return known === null ? [] : [{ pipelineId, node, known }];
  });
  const runs = [...new Set(found.map(({ pipelineId }) => pipelineId))];
  const snapshots = await readRunSnapshots(db, runs);
  return found.map((agent) => ({
    ...agent,
    endSeq: endSeqOf(snapshots.get(agent.pipelineId), agent.node),
  }));
}

/** An agent that ended unannounced, or whose run has ended, is over for everybody. */
function endSeqOf(snapshot: RunSnapshot | undefined, node: string): number {
  return snapshot?.ended.get(node) ?? (snapshot?.isOpen === true ? Infinity : 0);
}
