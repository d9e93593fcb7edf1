import type { Redis } from 'ioredis';
import type pg from 'pg';

/** As little as an activity can do. */
export interface BareActivities {
  reply(call: { channel: string; messageId: string; commits: number }): Promise<void>;
  step(call: { commits: number }): Promise<{ tokens: number }>;
}

export function createBareActivities({ redis, pool }: BareDeps): BareActivities {
  const commit = async (times: number): Promise<void> => {
    for (let count = 0; count < times; count += 1) {
      await pool.query('insert into bare_steps (note) values ($1)', ['a step']);
    }
  };
  return {
    async reply({ channel, messageId, commits }) {
      await commit(commits);
      await redis.publish(`agentforge:bare:${channel}`, messageId);
    },
    async step({ commits }) {
      await commit(commits);
      return { tokens: commits };
    },
  };
}

export interface BareDeps {
  readonly redis: Redis;
  readonly pool: pg.Pool;
}
