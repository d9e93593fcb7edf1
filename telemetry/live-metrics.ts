import { Gauge, type Registry } from 'prom-client';

/** Asked whenever somebody looks at the page. */
export interface LiveCounts {
  /** Runs that have not ended, from their record. */
  countRuns(): Promise<Readonly<Record<'pending' | 'running', number>>>;
  /** Discussions that are awake. */
  countDiscussions(): Promise<number>;
  /** Circuits of vendors and keys that are not closed. */
  countCircuits(): Promise<readonly CircuitCount[]>;
  /** What each of the server's own keys has paid today (UTC), open reservations included. */
  readServerKeyDay(): Promise<readonly ServerKeyDay[]>;
}

interface ServerKeyDay {
  readonly provider: string;
  /** US dollars, exact decimal */
  readonly totalCost: string;
}

interface CircuitCount {
  readonly provider: string;
  readonly open: number;
  readonly halfOpen: number;
}

/** A page is read every few seconds, and must not wait for a store that is away. */
const PATIENCE_MS = 1_000;

/**
 * How much is going on in the whole product. Every worker tells the same numbers, because it asks
 * the common stores: take their maximum over the workers, not their sum. NaN while a store is away.
 */
export function watchLive(registry: Registry, counts: LiveCounts): void {
  const registers = [registry];
  new Gauge({
    name: 'pipelines_active',
    help: 'Pipeline runs that have not ended, of the whole product (maximum over workers, no sum)',
    labelNames: ['status'],
    registers,
    async collect() {
      const now = await inTime(counts.countRuns()).catch(() => UNKNOWN);
      this.set({ status: 'pending' }, now.pending);
      this.set({ status: 'running' }, now.running);
    },
  });
  new Gauge({
    name: 'discussions_active',
    help: 'Discussions that are awake, of the whole product (maximum over workers, no sum)',
    registers,
    async collect() {
      this.set(await inTime(counts.countDiscussions()).catch(() => Number.NaN));
    },
  });
  watchCircuits(registry, counts);
  watchServerKeys(registry, counts);
}

function watchServerKeys(registry: Registry, { readServerKeyDay }: LiveCounts): void {
  new Gauge({
    name: 'llm_server_key_day_dollars',
    help: "What each of the server's own keys has paid today (UTC), of the whole product (maximum over workers, no sum)",
    labelNames: ['provider'],
    registers: [registry],
    async collect() {
      this.reset(); // none is known while PostgreSQL is away
      for (const { provider, totalCost } of await inTime(readServerKeyDay()).catch(() => [])) {
        this.set({ provider }, Number(totalCost));
      }
    },
  });
}

function watchCircuits(registry: Registry, { countCircuits }: LiveCounts): void {
  new Gauge({
    name: 'llm_circuits',
    help: 'Circuits that are not closed, of the whole product (maximum over workers, no sum)',
    labelNames: ['provider', 'state'],
    registers: [registry],
    async collect() {
      this.reset(); // none is published while Redis is away
      for (const { provider, open, halfOpen } of await inTime(countCircuits()).catch(() => [])) {
        this.set({ provider, state: 'open' }, open);
        this.set({ provider, state: 'half-open' }, halfOpen);
      }
    },
  });
}

const UNKNOWN = { pending: Number.NaN, running: Number.NaN } as const;

async function inTime<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Error('no answer in time'));
  }, PATIENCE_MS);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
