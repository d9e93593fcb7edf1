/** Collections as the contract shows them. Source: contract, pipeline §3.3. */
import type { Collection, Compliance } from './collection.js';
import type { CollectedData } from './collections.js';

export function viewCompliance(compliance: Compliance) {
  return {
    status: compliance.status,
    robots_allowed: compliance.robotsAllowed,
    robots_reason: compliance.robotsReason,
    has_pii: compliance.piiTypes.length > 0,
    pii_types: compliance.piiTypes,
    rate_limit_seconds: compliance.delayMs / 1_000,
  };
}

export function viewCollection(collection: Collection) {
  return {
    id: collection.id,
    status: collection.status,
    source_type: collection.sourceType,
    url: collection.url,
    created_at: collection.createdAt,
    compliance: collection.compliance === null ? null : viewCompliance(collection.compliance),
    error: collection.error,
  };
}

export function viewData({ collection, chunks }: CollectedData) {
  const { id, status, url, title, sourceType } = collection;
  return {
    id,
    status,
    data: chunks.map((content, index) => ({ content, index, metadata: { url, title } })),
    total_items: chunks.length,
    metadata: { url, source_type: sourceType },
  };
}
