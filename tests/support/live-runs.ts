/** A run whose agents publish live text, as a worker would, without a workflow behind it. */
import { createPipelineActivities } from '../../activities/run/runs.js';
import { storeEnd } from '../../db/runs/node-ends.js';
import type { Db } from '../../db/connect.js';
import type { StoredEvent } from '../../domain/events.js';
import { stepIdOf } from '../../domain/ids.js';
import type { Bus } from '../../events/bus.js';
import { createLiveWriters, type LiveWriter } from '../../events/live-writer.js';
import type { Redis } from 'ioredis';
import { silentLogger } from '../../telemetry/logger.js';
import { designOf } from './designs.js';
import { TEST_MACS } from './redis.js';
import { admittedRun } from './runs.js';

export interface LiveRun {
  readonly pipelineId: string;
  /** An attempt of an agent begins. */
  agent(node: string, attempt?: number): LiveWriter;
  /** Stores an agent's end, and publishes it unless asked not to. */
  endAgent(node: string, options?: { isTold: boolean }): Promise<void>;
  end(): Promise<void>;
}

export interface RunPlace {
  readonly db: Db;
  readonly bus: Bus;
  readonly redis: Redis;
  readonly userId: string;
  readonly conversationId: string | null;
}

/** Opens a run of the agents `a` and `b`: its `pipeline_started` is stored and published. */
export async function startLiveRun(place: RunPlace): Promise<LiveRun> {
  const { db, bus, redis, userId, conversationId } = place;
  const order = { userId, conversationId, design: designOf(['a', 'b']) };
  const pipelineId = await admittedRun(db, order, new Date());
  const streamId = conversationId ?? pipelineId;
  const openLive = createLiveWriters({ redis, macs: TEST_MACS, logger: silentLogger });
  const publications: Promise<unknown>[] = [];
  const { openRun, closeRun } = createPipelineActivities({
    db,
    now: () => new Date(),
    pipelineTimeoutMs: 60_000,
    modelCallTimeoutMs: 60_000,
    publish: (stream, events) => void publications.push(bus.publish(stream, events)),
    tellDiscussion: () => Promise.resolve(),
    tellSlotGranted: () => Promise.resolve(),
    countRun: () => undefined,
    countMistake: () => undefined,
    wantArchives: () => undefined,
  });

  async function announceEnd(node: string): Promise<readonly StoredEvent[]> {
    const { events } = await storeEnd(
      db,
      {
        ...{ id: stepIdOf(pipelineId, node), pipelineId, node, agentName: node, role: 'analyzer' },
        ...{ status: 'success', content: 'made', error: null, errorCode: null, fields: {} },
        ...{ tokensUsed: 1, durationSeconds: 1, attempts: 1, provider: null, model: null },
        ...{ fallbackFrom: null, truncated: false, unreadSources: null, reusedFrom: null },
        paidSteps: [],
      },
      conversationId,
    );
    return events;
  }

  await openRun({ pipelineId });
  await Promise.all(publications);
  return {
    pipelineId,
    agent: (node, attempt = 1) =>
      openLive({
        streamId,
        silenceMs: 60_000,
        started: {
          pipeline_id: pipelineId,
          agent_name: node,
          node,
          role: 'analyzer',
          model: 'gpt-4o-mini',
          attempt,
          ...(conversationId === null ? {} : { conversation_id: conversationId }),
        },
      }),
    async endAgent(node, { isTold } = { isTold: true }) {
      const events = await announceEnd(node);
      await (isTold ? bus.publish(streamId, events) : null);
    },
    async end() {
      await closeRun({ pipelineId, outcome: { kind: 'ended' } });
      await Promise.all(publications);
    },
  };
}
