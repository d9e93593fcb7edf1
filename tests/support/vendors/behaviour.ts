import type { Usage, Vendor } from '../../../domain/agents/models.js';

/** What the stand-in does with one well-formed call. */
export type Behaviour =
  | {
      readonly kind: 'answer';
      /** Replaces the deterministic text. */
      readonly text?: string;
      /** Replaces the structured answer. */
      readonly json?: unknown;
      /** In the vendor's own fields. */
      readonly usage?: Usage;
      readonly finish?: 'stop' | 'length' | 'refused';
      readonly delayMs?: number;
      /** The answer waits until this resolves. */
      readonly hold?: Promise<unknown>;
      /** Of a stream: in how many pieces the text comes. Default: 4. */
      readonly pieces?: number;
      /** Of a stream: each piece, counted from 0, waits until this resolves. */
      readonly pace?: (piece: number) => Promise<unknown> | undefined;
    }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      /** The vendor's own error code, e.g. `insufficient_quota`. */
      readonly code?: string;
      /** The vendor's own sentence. */
      readonly message?: string;
      /** The parameter that it names: OpenAI only. */
      readonly param?: string;
      /** As of an answer. */
      readonly hold?: Promise<unknown>;
    }
  /** Takes the request and never answers. */
  | { readonly kind: 'hang' }
  /** Sends the headers and half of the body, then nothing. */
  | { readonly kind: 'stall' }
  /** Sends half of the body, then cuts the connection. */
  | { readonly kind: 'cut' }
  /** Sends half of a stream, then the vendor's own error event; without a stream: status 500. */
  | { readonly kind: 'break' }
  /** Sends half of a stream, then ends it as if that were all; without a stream: cuts. */
  | { readonly kind: 'end-early' }
  /** 200 with something that is no JSON. */
  | { readonly kind: 'garbage' }
  /** 200 without any choice, block or candidate. */
  | { readonly kind: 'empty' };

/** One behaviour for all calls, or a choice per call; undefined means the default answer. */
export type BehaviourRule = Behaviour | ((call: VendorCall) => Behaviour | undefined);

/** One request that reached the stand-in. */
export interface VendorCall {
  readonly number: number;
  readonly vendor: Vendor;
  readonly kind: 'complete' | 'list-models';
  /** The answer was asked for as a stream. */
  readonly isStreamed: boolean;
  readonly path: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly model: string;
  readonly maxTokens: number | null;
  /** All texts of the prompt, system first, joined by line breaks. */
  readonly prompt: string;
  /** The answer schema as this vendor received it, or null for a text. */
  readonly schema: Readonly<Record<string, unknown>> | null;
  /** What the vendor bills; null as long as it has not answered with 200. */
  usage: Usage | null;
  /** null until answered */
  status: number | null;
  /** The client closed the connection before the answer was complete. */
  aborted: boolean;
}
