/** An API and two workers whose keys a stand-in vendor serves, and the death of one after another. */
import { randomInt } from 'node:crypto';
import { sendSignal, type ServerProcess } from '../../scripts/embedded/process.js';
import {
  startStandInVendors,
  type Behaviour,
  type StandInVendors,
  type VendorCall,
} from '../../tests/support/vendors/server.js';
import type { ModelCatalog } from '../../llm/routing/models-file.js';
import type { Place } from '../place.js';
import { startApi, startWorker } from '../processes.js';
import { writeTieredModels } from './tiered-models.js';

export interface FundedFixture {
  readonly place: Place;
  readonly apiUrl: string;
  readonly vendors: StandInVendors;
  /** What its workers charge. */
  readonly catalog: ModelCatalog;
  /**
   * Kills workers at random moments and starts others in their place, until `work` is done.
   *
   * @returns how many were killed
   */
  killWorkers(killing: Killing, work: Promise<unknown>): Promise<number>;
  stop(): Promise<void>;
}

export interface Killing {
  /** At most so many are killed. */
  readonly kills: number;
  /** How many calls the vendor will get, about; the kills are spread over them. */
  readonly calls: number;
}

export async function startFunded(unfunded: Place): Promise<FundedFixture> {
  const vendors = await startStandInVendors();
  vendors.setBehaviour(behaviourOf);
  const models = await writeTieredModels();
  const place = fundedBy(vendors, unfunded, models.file);
  let started = 0;
  const hire = (): Promise<ServerProcess> => {
    started += 1;
    return startWorker(place, {}, `worker-${started}`);
  };
  const [api, ...workers] = await Promise.all([startApi(place), hire(), hire()]);
  return {
    place,
    apiUrl: api.url,
    vendors,
    catalog: models.catalog,
    async killWorkers({ kills, calls: all }, work) {
      const done = work.then(() => 'done' as const);
      for (let killed = 0; killed < kills; killed += 1) {
        const wanted = vendors.calls.length + randomInt(Math.ceil(all / (kills + 1))) + 1;
        const next = vendors.until((calls) => calls.length >= wanted);
        if ((await Promise.race([next, done])) === 'done') {
          return killed;
        }
        const index = randomInt(workers.length);
        await kill(workers[index]);
        workers[index] = await hire();
      }
      return kills;
    },
    async stop() {
      await Promise.all([api.stop(), ...workers.map((worker) => worker.stop())]);
      await vendors.close();
      await models.remove();
    },
  };
}

const ALL_AT_ONCE = '2000';

/** Everybody's calls are paid by the server's own key. */
function fundedBy(vendors: StandInVendors, place: Place, modelsFile: string): Place {
  const env = {
    ...place.env,
    SIMULATED_MODELS: 'false',
    OPENAI_API_KEY: 'sk-stand-in',
    OPENAI_BASE_URL: vendors.openAiUrl,
    MODELS_FILE: modelsFile,
    // none of them waits for another one's place
    MODEL_CALLS_PER_KEY: ALL_AT_ONCE,
    WORKER_MAX_ACTIVITIES: ALL_AT_ONCE,
  };
  return { ...place, env };
}

async function kill(worker: ServerProcess | undefined): Promise<void> {
  if (worker !== undefined) {
    sendSignal(-worker.pid, 'SIGKILL');
    await worker.ended;
    await worker.stop(); // forgets it
  }
}

const LONGEST_ANSWER_MS = 400;
/** Of a hundred calls: refused, and cut after the vendor has counted its work. */
const REFUSED = 2;
const CUT = 2;

/** A vendor may bill anything up to the very last token that was allowed, cached, written and thought. */
function behaviourOf({ prompt, maxTokens }: VendorCall): Behaviour {
  const luck = randomInt(100);
  if (luck < REFUSED) {
    return { kind: 'status', status: 400 };
  }
  if (luck < REFUSED + CUT) {
    return { kind: 'cut' };
  }
  const promptTokens = randomInt(Math.ceil(prompt.length / 4)) + 1;
  const completionTokens = randomInt(maxTokens ?? 1) + 1;
  const cacheReadTokens = randomInt(promptTokens);
  const cacheWriteTokens = randomInt(promptTokens - cacheReadTokens);
  const reasoningTokens = randomInt(completionTokens);
  const whole = { promptTokens, completionTokens };
  const usage = { ...whole, cacheReadTokens, cacheWriteTokens, reasoningTokens };
  return { kind: 'answer', usage, delayMs: randomInt(LONGEST_ANSWER_MS) };
}
