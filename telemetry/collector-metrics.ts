import { Counter, Histogram, type Registry } from 'prom-client';

/** Labels are bounded: an outcome is a failure's code or one of a few words, a type one of six. */
export interface CollectionMetrics {
  ended(end: { outcome: string; seconds: number }): void;
  fetched(bytes: number): void;
  /** Personal data was found and replaced. */
  masked(types: readonly string[]): void;
}

const SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 50];

export function createCollectionMetrics(registry: Registry): CollectionMetrics {
  const registers = [registry];
  const collections = new Counter({
    name: 'collections_total',
    help: 'Collections that have ended, by outcome',
    labelNames: ['outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'collection_duration_seconds',
    help: 'Time to collect a page, with the wait for its domain’s turn',
    buckets: SECONDS,
    registers,
  });
  const bytes = new Counter({
    name: 'collected_bytes_total',
    help: 'Bytes of pages, unpacked',
    registers,
  });
  const masks = new Counter({
    name: 'collected_pii_total',
    help: 'Pages in which a kind of personal data was masked',
    labelNames: ['type'],
    registers,
  });
  return {
    ended({ outcome, seconds }) {
      collections.inc({ outcome });
      if (seconds > 0) {
        duration.observe(seconds);
      }
    },
    fetched(count) {
      bytes.inc(count);
    },
    masked(types) {
      types.forEach((type) => {
        masks.inc({ type });
      });
    },
  };
}
