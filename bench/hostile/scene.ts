/** One build of the product with stand-in providers, one user who attacks it, and one who only works. */
import { randomUUID } from 'node:crypto';
import { findFreePort } from '../../scripts/embedded/ports.js';
import type { ServerProcess } from '../../scripts/embedded/process.js';
import { startPages, type Pages } from '../../tests/support/pages.js';
import { register, type Person } from '../../tests/support/person.js';
import { registerKeys } from '../../tests/support/vendor-product.js';
import { startStandInVendors, type StandInVendors } from '../../tests/support/vendors/server.js';
import type { Build } from '../builds.js';
import type { Place } from '../place.js';
import { startApi, startCollector, startWorker, type Api, type Worker } from '../processes.js';

export interface Scene {
  readonly place: Place;
  readonly api: Api;
  readonly worker: Worker;
  readonly collector: Api;
  readonly vendors: StandInVendors;
  readonly pages: Pages;
  readonly attacker: Person;
  readonly other: Person;
  /** Whether a call of a provider is made for the attacker. */
  isAttackers(key: string): boolean;
  /** The same with other people, who have no run, no message and no cost yet. */
  withNewPeople(): Promise<Scene>;
  stop(): Promise<void>;
}

const SETTINGS = {
  SIMULATED_MODELS: 'false',
  OPENAI_API_KEY: 'sk-of-the-server',
  DEFAULT_LLM_PROVIDER: 'openai',
  DEFAULT_LLM_MODEL: 'gpt-4o-mini',
  PASSWORD_COST: '12',
  AUTH_RATE_LIMIT: '1000',
  RATE_LIMIT_FREE: '-1',
  COLLECTOR_DELAY_SECONDS: '0',
};

/** @param build the release that is measured */
export async function openScene(base: Place, build: Build): Promise<Scene> {
  const [vendors, pages, collectorPort] = await Promise.all([
    startStandInVendors(),
    startPages(),
    findFreePort(),
  ]);
  const place: Place = {
    ...base,
    build,
    env: {
      ...base.env,
      ...SETTINGS,
      TEMPORAL_TASK_QUEUE: `hostile-${randomUUID()}`, // work that holds a worker must not reach the next
      OPENAI_BASE_URL: vendors.openAiUrl,
      ANTHROPIC_BASE_URL: vendors.anthropicUrl,
      GOOGLE_GEMINI_BASE_URL: vendors.googleUrl,
      COLLECTOR_ALLOW_ADDRESSES: `127.0.0.1:${pages.port}`,
      DATA_COLLECTOR_URL: `http://127.0.0.1:${collectorPort}`,
    },
  };
  const started: ServerProcess[] = [];
  const keep = async <T extends ServerProcess>(starting: Promise<T>): Promise<T> => {
    const server = await starting;
    started.push(server);
    return server;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()));
    await Promise.all([vendors.close(), pages.close()]);
  };
  try {
    const [api, worker, collector] = await Promise.all([
      keep(startApi(place)),
      keep(startWorker(place)),
      keep(startCollector(place, collectorPort)),
    ]);
    const withNewPeople = async (): Promise<Scene> => {
      const [attacker, other] = await Promise.all([
        registerPro(place, api),
        registerPro(place, api),
      ]);
      await registerKeys(attacker);
      const isAttackers = (key: string): boolean => key.includes(attacker.userId);
      const parts = { place, api, worker, collector, vendors, pages, other, stop };
      return { ...parts, attacker, isAttackers, withNewPeople };
    };
    return await withNewPeople();
  } catch (error) {
    await stop();
    throw error;
  }
}

async function registerPro({ db }: Place, { url }: Api): Promise<Person> {
  const person = await register(url);
  await db.updateTable('users').set({ role: 'pro' }).where('id', '=', person.userId).execute();
  return person;
}
