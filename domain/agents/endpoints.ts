/** OpenAI-compatible servers that a user, or an administrator for all, has registered. */
import type { Price } from '../account/bill.js';

export const MAX_ENDPOINT_MODELS = 50;

export interface EndpointModel {
  /** As the server calls it. */
  readonly id: string;
  /** null: free */
  readonly price: Price | null;
  /** null: not known */
  readonly contextTokens: number | null;
}

/** What the check has found that a server does not do as OpenAI does. */
export interface EndpointQuirks {
  /** How it is asked for an answer of a schema; null: by the prompt alone. */
  readonly structuredOutput: 'json_schema' | 'json_object' | null;
  /** Whether it sends streams, and their usage. */
  readonly streaming: 'with-usage' | 'plain' | null;
  readonly outputCap: 'max_tokens' | 'max_completion_tokens';
  /** Whether it takes a temperature. */
  readonly temperature: boolean;
  /** Whether it states what a call has used. */
  readonly statesUsage: boolean;
}

/** Of a server that was not checked yet: what compatible servers know. */
export const USUAL_QUIRKS: EndpointQuirks = {
  structuredOutput: 'json_schema',
  streaming: 'with-usage',
  outputCap: 'max_tokens',
  temperature: true,
  statesUsage: true,
};

export interface Endpoint {
  readonly id: string;
  readonly name: string;
  /** With the version: `http://10.0.0.5:11434/v1`. */
  readonly baseUrl: string;
  readonly models: readonly EndpointModel[];
  readonly quirks: EndpointQuirks;
  /** Of an administrator, for all; else of one user. */
  readonly isShared: boolean;
}

/** A name as designs write it: `endpoint/model`, where the model's own name may hold further slashes. */
export interface EndpointModelName {
  readonly endpoint: string;
  readonly model: string;
}

/** @returns null for a name that names no endpoint */
export function parseEndpointModel(name: string): EndpointModelName | null {
  const trimmed = name.trim();
  const at = trimmed.indexOf('/');
  return at < 1 || at === trimmed.length - 1
    ? null
    : { endpoint: trimmed.slice(0, at).toLowerCase(), model: trimmed.slice(at + 1) };
}

export function nameEndpointModel({ name }: Pick<Endpoint, 'name'>, { id }: EndpointModel): string {
  return `${name}/${id}`;
}
