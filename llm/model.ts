/**
 * The model contract: what the rest of AgentForge may ask of a language model, whichever vendor
 * answers. One file per provider keeps it; `routing/` chooses among them, `billing/` charges.
 */
import type { Design, Intent } from '../domain/design/designs.js';
import type { Language } from '../domain/text/languages.js';
import type { ComplexityClass, ModelReply, ProviderName, Usage } from '../domain/agents/models.js';
import type { Endpoint } from '../domain/agents/endpoints.js';
import type { OutputSchema } from '../domain/agents/output-schema.js';
import type { PromptedKind } from '../domain/run/pipeline.js';
import type { QuotedText } from '../domain/agents/prompt-records.js';
import type { AgentResult } from '../domain/run/results.js';

export interface ModelMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** A JSON Schema (draft 2020-12 subset that all three vendors accept) for a structured answer. */
export interface AnswerSchema {
  /** snake_case, at most 64 characters */
  readonly name: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

export const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;
/** How hard a model thinks; each knows some of these words. */
export type Effort = (typeof EFFORTS)[number];

/** What a model takes of a request. */
export interface ModelParameters {
  /** The range that a temperature is brought into; null: the model takes none. */
  readonly temperature: readonly [number, number] | null;
  /** What the upper bound of a reply is called: of servers that speak OpenAI's protocol only. */
  readonly outputCap: 'max_tokens' | 'max_completion_tokens';
  /** How hard the model is asked to think; null: it is not asked. */
  readonly effort: Effort | null;
  /** How many tokens it may think, where the vendor takes a number, 0 for not at all; null: none is sent. */
  readonly thinkingBudget: number | null;
  /** Thoughts count into the upper bound of a reply: so many tokens are asked for beside `maxTokens`. */
  readonly thinkingTokens: number;
  /** How an answer of a schema is asked for; null: by the prompt alone. */
  readonly structuredOutput: 'json_schema' | 'json_object' | null;
  /** Whether a stream is asked for, and its usage; null: the answer comes in one piece. */
  readonly streaming: 'with-usage' | 'plain' | null;
}

/** One call of one concrete model. */
export interface ModelCall {
  readonly model: string;
  readonly messages: readonly ModelMessage[];
  /** 0–2; each vendor file clamps to what its vendor takes. */
  readonly temperature: number;
  /** Upper bound of the reply, in tokens. */
  readonly maxTokens: number;
  /** Asks for the vendor's own structured output. */
  readonly answer?: AnswerSchema;
  /** What the model takes; only that is sent. */
  readonly parameters: ModelParameters;
  /** What the call is for; only the simulated provider reads it. */
  readonly purpose: Purpose;
}

/** What a call is for, with the material in the open that the prompt also carries. */
export type Purpose =
  | { readonly kind: 'intent'; readonly language: Language; readonly request: string }
  | {
      readonly kind: 'designs';
      readonly language: Language;
      readonly request: string;
      readonly intent: Intent;
      /** The designs shown before and what the user said of them; empty at first. */
      readonly previous: readonly Design[];
      readonly feedback: readonly string[];
    }
  | {
      readonly kind: 'critiques';
      readonly language: Language;
      readonly intent: Intent;
      readonly designs: readonly Design[];
      readonly feedback: string;
    }
  | {
      readonly kind: 'agent';
      readonly language: Language;
      readonly node: PromptedKind;
      readonly agentName: string;
      readonly agentDescription: string;
      readonly designName: string;
      readonly designDescription: string;
      readonly upstream: readonly AgentResult[];
      /** What the answer has to fit, where it is not to be a text. */
      readonly outputSchema?: OutputSchema;
    }
  | { readonly kind: 'key-check' };

export interface CallOptions {
  /** Plaintext key of the vendor; empty for the simulated provider. Never logged, never stored. */
  readonly apiKey: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /**
   * Asks the vendor for a stream and takes its text as it comes, never empty. All pieces together
   * are the reply's `content`, unless the vendor withholds it in the end.
   */
  readonly onDelta?: TakeText | undefined;
  /** The server to be asked: of the provider `endpoint` alone. */
  readonly endpoint?: Endpoint | undefined;
}

export type TakeText = (text: string) => void;

/** A reply as its provider gives it: `usage` is null where the provider does not state it. */
export type ProviderReply = Omit<ModelReply, 'usage' | 'isEstimated'> & {
  readonly usage: Usage | null;
};

/**
 * One vendor behind its official SDK, without SDK-side retries.
 *
 * `complete` throws `DomainError`: `model-key-refused`, `model-credit-exhausted`,
 * `model-region-refused`, `model-blocked`, `model-address-refused`, `model-request-invalid` (final); `model-unavailable`,
 * `model-rate-limited` (with `retryAfterSeconds`), `model-timeout`, `model-empty` (retryable);
 * `cancelled` when `signal` aborted. Messages never quote the vendor's raw text.
 */
export interface Provider {
  readonly name: ProviderName;
  complete(call: ModelCall, options: CallOptions): Promise<ProviderReply>;
  /** Lists models, or makes the cheapest possible call, to learn whether the key is accepted. */
  checkKey(options: CallOptions): Promise<KeyCheck>;
}

export type KeyCheck =
  | { readonly kind: 'valid'; readonly models: readonly string[] }
  | { readonly kind: 'invalid' }
  /** The vendor could not be asked; says nothing about the key. */
  | { readonly kind: 'unchecked'; readonly reason: string };

/** A key that may pay for a call, opened; lives only in memory. */
export interface PayingKey {
  readonly provider: ProviderName;
  readonly apiKey: string;
  /** The `user_llm_keys` row, or null for any other key. */
  readonly keyId: string | null;
  /** The server that the key is for: of the provider `endpoint` alone. */
  readonly endpoint?: Endpoint;
  /** Names the stored secret, so that a refusal is not kept for a replaced key. */
  readonly nonce?: Buffer;
}

/** What an activity asks for: one `ModelCall` per candidate is made of it. */
export interface ModelRequest {
  readonly messages: readonly ModelMessage[];
  /** The messages for a model that takes so many tokens; absent: they are short. */
  readonly messagesWithin?: ((tokens: number) => readonly ModelMessage[]) | undefined;
  /** What the messages repeat of earlier steps: kept by its ids with the call. */
  readonly quoted?: readonly QuotedText[];
  readonly temperature: number;
  readonly maxTokens: number;
  readonly answer?: AnswerSchema;
  readonly purpose: Purpose;
  /** The design's `llm_model`, or null for the discussion's own calls. */
  readonly wantedModel: string | null;
  readonly complexity: ComplexityClass;
  readonly timeoutMs: number;
  /** Decided at admission: such a request is answered by the simulated provider alone. */
  readonly simulated: boolean;
}
