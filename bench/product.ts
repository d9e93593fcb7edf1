/** The built product as a system to be measured, from where its users are. */
import { z } from 'zod';
import { isArchiveMissing } from '../db/audit/run-archives.js';
import { AGENT_DEFAULTS } from '../domain/design/designs.js';
import { waitUntil } from '../scripts/embedded/wait.js';
import { openChat } from './chat.js';
import type { Watched } from './cpu.js';
import type { Place } from './place.js';
import { startApi, startWorker } from './processes.js';
import type { System } from './rounds.js';
import { createUsers, type BenchUser } from './users.js';

export interface BenchProduct {
  readonly apiUrl: string;
  /** Its processes, and the servers that it works with. */
  readonly watched: readonly Watched[];
  /** A message over the socket, until its answer is there. */
  turns(users: number): Promise<System>;
  /** A run of five agents over HTTP, until its result is there; settled when all have their archive. */
  runs(users: number): Promise<System>;
  stop(): Promise<void>;
}

/** Archives may wait for a quiet minute. */
const ARCHIVED_WITHIN_MS = 180_000;
/** Seldom, since asking costs PostgreSQL time as well. */
const ARCHIVE_POLL_MS = 250;

export async function startProduct(place: Place): Promise<BenchProduct> {
  const [api, worker] = await Promise.all([startApi(place), startWorker(place)]);
  const closing: (() => void)[] = [];
  const { name } = place.build;
  const watched = [
    { name: 'api', pid: api.pid },
    { name: 'worker', pid: worker.pid, threads: true },
    ...place.watched,
  ];
  return {
    apiUrl: api.url,
    watched,
    async turns(users) {
      const people = await createUsers(place, users);
      const chats = await Promise.all(people.map((user) => openChat(place, api.url, user)));
      closing.push(...chats.map(({ close }) => close));
      return {
        name,
        watched,
        // too little to go by: the model answers with a question, always the same one
        once: async (user) => chats[user]?.say('I need some help', 'clarification'),
      };
    },
    async runs(users) {
      const people = await createUsers(place, users);
      return {
        name,
        watched,
        once: (user) => run(api.url, people[user]),
        settled: () => allArchived(place),
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

async function allArchived({ db }: Place): Promise<void> {
  const areThere = async (): Promise<boolean> => !(await isArchiveMissing(db, new Date()));
  const timing = { timeoutMs: ARCHIVED_WITHIN_MS, pollMs: ARCHIVE_POLL_MS };
  if (!(await waitUntil(areThere, timing))) {
    throw new Error(`runs have no archive within ${ARCHIVED_WITHIN_MS} ms`);
  }
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

const Ended = z.object({ status: z.literal('completed') });

async function run(apiUrl: string, user: BenchUser | undefined): Promise<void> {
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
  Ended.parse(answer);
}
