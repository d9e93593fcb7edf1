/** Bare Temporal as a system to be measured: its client is the driver itself. */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { connectTemporal } from '../../temporal/connection.js';
import type { Watched } from '../cpu.js';
import type { Place } from '../place.js';
import { startBareWorker } from '../processes.js';
import type { System } from '../rounds.js';
import { MESSAGE_SIGNAL, type BareRun, type BareTurns } from './messages.js';

export interface Bare {
  readonly watched: readonly Watched[];
  /** Signal, one activity with so many PostgreSQL commits, the answer over Redis. */
  turns(name: string, options: { users: number; commits: number }): Promise<System>;
  /** One run of as many activities as numbers of commits. */
  runs(name: string, commits: readonly number[]): System;
  stop(): Promise<void>;
}

export async function startBare(place: Place): Promise<Bare> {
  await sql`create table if not exists bare_steps (
    id bigint generated always as identity primary key, note text not null)`.execute(place.db);
  const taskQueue = `bare-${randomUUID()}`;
  const worker = await startBareWorker(place, taskQueue);
  const temporal = await connectTemporal(
    { address: place.temporalAddress, namespace: 'default', apiKey: null, tls: null },
    [Buffer.from(place.env['ENCRYPTION_KEY'] ?? '', 'base64')],
  );
  const { client } = temporal;
  const answers = listen(place.redisUrl);
  const started: string[] = [];
  const watched: readonly Watched[] = [
    { name: 'worker', pid: worker.pid, threads: true },
    ...place.watched,
  ];
  return {
    watched,
    async turns(name, { users, commits }) {
      const talks = Array.from({ length: users }, () => `bare-${randomUUID()}`);
      for (const channel of talks) {
        const args: [BareTurns] = [{ channel, commits }];
        await client.workflow.start('bareTurns', { workflowId: channel, taskQueue, args });
        await answers.subscribe(channel);
        started.push(channel);
      }
      return {
        name,
        watched,
        async once(user) {
          const messageId = randomUUID();
          const answer = answers.next(messageId);
          await client.workflow.getHandle(talks[user] ?? '').signal(MESSAGE_SIGNAL, messageId);
          await answer;
        },
      };
    },
    runs: (name, commits) => ({
      name,
      watched,
      async once() {
        const args: [BareRun] = [{ commits }];
        const workflowId = `bare-${randomUUID()}`;
        await client.workflow.execute('bareRun', { workflowId, taskQueue, args });
      },
    }),
    async stop() {
      await Promise.all(started.map((id) => client.workflow.getHandle(id).terminate()));
      answers.close();
      await temporal.close();
      await worker.stop();
    },
  };
}

/** Hears the answers, which are the ids of their messages. */
function listen(redisUrl: string) {
  const redis = new Redis(redisUrl);
  const waiting = new Map<string, () => void>();
  redis.on('message', (_channel: string, messageId: string) => {
    waiting.get(messageId)?.();
    waiting.delete(messageId);
  });
  return {
    subscribe: (channel: string) => redis.subscribe(`agentforge:bare:${channel}`),
    next: (messageId: string) =>
      new Promise<void>((resolve) => {
        waiting.set(messageId, resolve);
      }),
    close: () => {
      redis.disconnect();
    },
  };
}
