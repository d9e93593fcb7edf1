import type { CollectorConfig } from '../config/collector-config.js';
import { isLoopbackAddress } from '../domain/security/loopback-hosts.js';

/** What to tell the operator of a collector that other machines reach and that asks for no secret. */
export function openToAnyoneText({
  secret,
  host,
}: Pick<CollectorConfig, 'secret' | 'host'>): string | null {
  return secret === null && !isLoopbackAddress(host)
    ? 'anyone who reaches this collector may use it: set COLLECTOR_SECRET for it and the workers'
    : null;
}
