import type { EmbeddedOptions } from '../embedded/embedded.js';
import type { StartSettings } from './settings.js';

/** The ports of the parts that are ours to start: those without an address of their own. */
export function embeddedPorts(settings: StartSettings): EmbeddedOptions['ports'] {
  return {
    ...(settings.DATABASE_URL ? {} : { postgres: settings.POSTGRES_PORT }),
    ...(settings.REDIS_URL ? {} : { redis: settings.REDIS_PORT }),
    ...(settings.TEMPORAL_ADDRESS ? {} : { temporal: settings.TEMPORAL_PORT }),
  };
}
