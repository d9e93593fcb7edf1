export const VENDORS = ['openai', 'anthropic', 'google'] as const;
/** A vendor that bills; also the value of `provider` in a stored key. */
export type Vendor = (typeof VENDORS)[number];
/** Who is reached over the network: a vendor, or a server that somebody has registered (`endpoints.ts`). */
export type RemoteProvider = Vendor | 'endpoint';
export type ProviderName = RemoteProvider | 'simulated';

/** Price class of a model. Source: contract, pipeline §6.1. */
export type ComplexityClass = 'simple' | 'standard' | 'complex';

/** The vendor's own count, in tokens. */
export interface Usage {
  /** All of the input, cached or not. */
  readonly promptTokens: number;
  /** All of the output, thoughts included. */
  readonly completionTokens: number;
  /** Of the prompt: read from the vendor's cache. */
  readonly cacheReadTokens?: number;
  /** Of the prompt: written to the vendor's cache, for five minutes or where no duration is named. */
  readonly cacheWriteTokens?: number;
  /** Of the prompt: written to the vendor's cache for an hour. */
  readonly cacheWrite1hTokens?: number;
  /** Of the completion: thoughts. */
  readonly reasoningTokens?: number;
  /** The vendor's word for how it was served, where prices differ from the standard ones. */
  readonly serviceTier?: string;
}

/** What a model answered. */
export interface ModelReply {
  readonly content: string;
  readonly provider: ProviderName;
  /** The model that was asked for; prices go by it. */
  readonly model: string;
  /** The model that answered, where the vendor names it: an alias is answered by a version. */
  readonly responseModel?: string | undefined;
  readonly usage: Usage;
  /** The vendor's bill is not known: it stated no usage, or no price is known for how it was served. */
  readonly isEstimated?: boolean;
  /** `length`: not complete, mostly cut at the token limit; `refused`: the vendor's safety policy withheld the text. */
  readonly finish: 'stop' | 'length' | 'refused';
  /** The vendor's id of the request, for questions to the vendor. */
  readonly requestId: string | null;
}

/** A reply with what it cost. */
export interface ChargedReply extends ModelReply {
  readonly costUsd: number;
  /** Provider of the first candidate, where a later one answered. */
  readonly fallbackFrom: ProviderName | null;
  /** Vendor calls that this pass made, this one included. */
  readonly calls: number;
}

export function isVendor(value: unknown): value is Vendor {
  return VENDORS.some((vendor) => vendor === value);
}
