import { connectTemporal, type TemporalClient } from '../../temporal/connection.js';
import type { Product } from './product.js';
import { testServers } from './servers.js';

/** @param keys what payloads are sealed with; others show them as they are stored */
export function connectTestTemporal(keys: readonly Buffer[]): Promise<TemporalClient> {
  const { temporalAddress: address, temporalNamespace: namespace } = testServers();
  return connectTemporal({ address, namespace, apiKey: null, tls: null }, keys);
}

/** Sees what the product's own processes see. */
export function temporalOf({ env }: Pick<Product, 'env'>): Promise<TemporalClient> {
  return connectTestTemporal([Buffer.from(env['ENCRYPTION_KEY'] ?? '', 'base64')]);
}
