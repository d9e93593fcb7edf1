import type { Usage, Vendor } from '../../../domain/agents/models.js';
import type { VendorCall } from './behaviour.js';

/** What a vendor's wire format has to offer the server. */
export interface Wire {
  readonly vendor: Vendor;
  /** Null when the path is not one of the vendor's. */
  routeOf(method: string, path: string): VendorCall['kind'] | null;
  keyOf(headers: Readonly<Record<string, string>>, url: URL): string;
  /** What a required header lacks, or null. */
  missingHeader(headers: Readonly<Record<string, string>>): string | null;
  /** Throws a zod error when the SDK's request is not well-formed. */
  read(body: unknown, path: string): ReadRequest;
  answer(answer: WireAnswer): unknown;
  empty(answer: WireAnswer): unknown;
  /** The same answer as events, as text on the wire. */
  stream(answer: WireAnswer): WireStream;
  models(): unknown;
  error(failure: WireFailure): unknown;
  /** Status and code with which the vendor refuses a key. */
  readonly badKey: { readonly status: number; readonly code: string };
  readonly requestIdHeader: string;
}

export type ReadRequest = Pick<
  VendorCall,
  'model' | 'maxTokens' | 'prompt' | 'schema' | 'isStreamed'
>;

export interface WireStream {
  /** What comes before the text. */
  readonly head: string;
  piece(text: string): string;
  /** How it ended, with the usage. */
  readonly tail: string;
  /** The vendor's error event. */
  readonly error: string;
}

/** One server-sent event. */
export function sse(data: unknown, event?: string): string {
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;
}

export interface WireAnswer {
  readonly id: string;
  readonly model: string;
  readonly text: string;
  readonly usage: Usage;
  readonly finish: 'stop' | 'length' | 'refused';
}

export interface WireFailure {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly param?: string;
  readonly retryAfterSeconds?: number;
}

type Schema = Readonly<Record<string, unknown>>;

/** OpenAI's strict mode and Anthropic's structured outputs refuse open objects. */
export function isClosedSchema(schema: Schema): boolean {
  const properties = schema['properties'] as Record<string, Schema> | undefined;
  const items = schema['items'] as Schema | undefined;
  const isOpen =
    schema['type'] === 'object' &&
    (schema['additionalProperties'] !== false ||
      JSON.stringify(schema['required']) !== JSON.stringify(Object.keys(properties ?? {})));
  return (
    !isOpen &&
    Object.values(properties ?? {}).every(isClosedSchema) &&
    (items === undefined || isClosedSchema(items))
  );
}
