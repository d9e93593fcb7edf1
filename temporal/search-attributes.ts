import type { Connection } from '@temporalio/client';
import proto from '@temporalio/proto'; // CommonJS whose names Node cannot see
import { SEARCH_ATTRIBUTES, type SearchAttributeName } from '../domain/run/search-attributes.js';

const { IndexedValueType } = proto.temporal.api.enums.v1;
const TYPES = {
  Keyword: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  Double: IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE,
};
/** Source: gRPC status codes: ALREADY_EXISTS. */
const ALREADY_EXISTS = 6;

/**
 * Makes our search attributes known to a cluster; those that it knows are left alone, so it may
 * be called at every start and by several processes at once.
 *
 * @throws the gRPC error of a cluster that does not let us: register them by hand then.
 */
export async function registerSearchAttributes(
  connection: Connection,
  namespace: string,
): Promise<readonly SearchAttributeName[]> {
  const { operatorService } = connection;
  const known = await operatorService.listSearchAttributes({ namespace });
  const missing = Object.entries(SEARCH_ATTRIBUTES).filter(
    ([name]) => !(name in known.customAttributes),
  );
  if (missing.length > 0) {
    const searchAttributes = Object.fromEntries(missing.map(([name, kind]) => [name, TYPES[kind]]));
    await operatorService
      .addSearchAttributes({ namespace, searchAttributes })
      .catch(ignoreAlreadyExists);
  }
  return missing.map(([name]) => name).filter(isOurs);
}

function isOurs(name: string): name is SearchAttributeName {
  return name in SEARCH_ATTRIBUTES;
}

function ignoreAlreadyExists(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === ALREADY_EXISTS)) {
    throw error;
  }
}
