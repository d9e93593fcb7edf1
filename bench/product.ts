/** The built product as a system to be measured, from where its users are. */
import { z } from 'zod';
import { AGENT_DEFAULTS } from '../domain/designs.js';
import { openChat } from './chat.js';
import type { Watched } from './cpu.js';
import type { Place } from './place.js';
import { startApi, startWorker } from './processes.js';
import type { System } from './rounds.js';
import { createUsers, type BenchUser } from './users.js';

export interface BenchProduct {
  readonly watched: readonly Watched[];
  /** A message over the socket, until its answer is there. */
  turns(name: string, users: number): Promise<TalkingSystem>;
  /** A run of five agents over HTTP, until its result is there. */
  runs(name: string, users: number): Promise<RunningSystem>;
  stop(): Promise<void>;
}

export interface TalkingSystem extends System {
  readonly conversationIds: readonly string[];
}

export interface RunningSystem extends System {
  /** Of all that have ended. */
  readonly pipelineIds: readonly string[];
}

export async function startProduct(place: Place): Promise<BenchProduct> {
  const [api, worker] = await Promise.all([startApi(place), startWorker(place)]);
  const closing: (() => void)[] = [];
  return {
    watched: [
      { name: 'api', pid: api.pid },
      { name: 'worker', pid: worker.pid },
    ],
    async turns(name, users) {
      const people = await createUsers(place, users);
      const chats = await Promise.all(people.map((user) => openChat(place, api.url, user)));
      closing.push(...chats.map(({ close }) => close));
      return {
        name,
        conversationIds: chats.map(({ conversationId }) => conversationId),
        // too little to go by: the model answers with a question, always the same one
        once: async (user) => chats[user]?.say('I need some help', 'clarification'),
      };
    },
    async runs(name, users) {
      const people = await createUsers(place, users);
      const pipelineIds: string[] = [];
      return {
        name,
        pipelineIds,
        async once(user) {
          pipelineIds.push(await run(api.url, people[user]));
        },
      };
    },
    async stop() {
      closing.forEach((close) => {
        close();
      });
      await Promise.all([api.stop(), worker.stop()]);
    },
  };
}

/** One after the other. */
export const STEPS = 5;

const AGENTS = Array.from({ length: STEPS }, (_, index) => ({
  ...AGENT_DEFAULTS,
  name: `agent_${index + 1}`,
  role: 'analyzer',
  llm_model: 'gpt-4o-mini',
  description: `does the work of step ${index + 1}`,
}));

const ORDER = JSON.stringify({
  design: { name: 'Five steps', description: 'One after the other', agents: AGENTS },
});

const Ended = z.object({ pipeline_id: z.string(), status: z.literal('completed') });

async function run(apiUrl: string, user: BenchUser | undefined): Promise<string> {
  const response = await fetch(`${apiUrl}/api/v1/pipelines/execute`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${user?.token ?? ''}`,
    },
    body: ORDER,
  });
  const answer: unknown = await response.json();
  if (!response.ok) {
    throw new Error(`a run was refused: ${response.status} ${JSON.stringify(answer)}`);
  }
  return Ended.parse(answer).pipeline_id;
}
