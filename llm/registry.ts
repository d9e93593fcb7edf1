/**
 * Which models there are, what they cost, and which of them may answer a request, in which order.
 * The data is in `models.json`; nothing here calls anybody.
 */
import {
  VENDORS,
  isVendor,
  type ComplexityClass,
  type ProviderName,
  type Usage,
  type Vendor,
} from '../domain/models.js';
import { BUILT_IN_MODELS, type Catalog, type ListedModel, type Price } from './catalog.js';

export type { Price } from './catalog.js';

export interface ModelSettings {
  readonly defaultProvider: Vendor;
  readonly defaultModel: string;
  /** UTC day, `YYYY-MM-DD`; the clock's day if absent. Decides what is retired and which price holds. */
  readonly today?: string;
}

export interface Candidate {
  readonly provider: ProviderName;
  readonly model: string;
}

export interface ModelWish {
  /** A design's `llm_model`; null: only the class counts. */
  readonly wantedModel: string | null;
  readonly complexity: ComplexityClass;
}

/** The one model of the simulated provider. */
export const SIMULATED_MODEL = 'simulated';

const FREE: Price = { inputUsdPerMillion: '0', outputUsdPerMillion: '0' };
let catalog = BUILT_IN_MODELS;
let byId = indexOf(BUILT_IN_MODELS);

/** Replaces the models of this process: once, at its start, before anything is asked. */
export function useModels(replacement: Catalog): void {
  catalog = replacement;
  byId = indexOf(replacement);
}

const COMPLEX_WORDS = /분석|비교|추론|설계|아키텍처|debug|optimize|architect/;
const STANDARD_WORDS = /생성|작성|변환|요약|번역|create|generate|summarize/;
const COMPLEX_LENGTH = 500;
const STANDARD_LENGTH = 100;

/** Price class of a request that names none. Source: contract, pipeline §6.2. */
export function complexityOfText(text: string): ComplexityClass {
  const lower = text.toLowerCase();
  const words = lower.split(/\s+/).filter((word) => word !== '').length;
  if (COMPLEX_WORDS.test(lower) || words > COMPLEX_LENGTH) {
    return 'complex';
  }
  return STANDARD_WORDS.test(lower) || words > STANDARD_LENGTH ? 'standard' : 'simple';
}

/** The vendor that a name belongs to by its prefix, whether or not the model exists. */
export function vendorOfName(name: string): Vendor | null {
  const lower = name.trim().toLowerCase();
  if (/^(gpt|chatgpt)-|^o\d/.test(lower)) {
    return 'openai';
  }
  if (lower.startsWith('claude-')) {
    return 'anthropic';
  }
  return lower.startsWith('gemini-') ? 'google' : null;
}

/**
 * Who may answer, best first (contract, decision 9). Simulated and real never mix: where any
 * vendor is available, the simulated provider is left out.
 */
export function candidatesFor(
  wish: ModelWish,
  available: readonly ProviderName[],
  settings: ModelSettings,
): readonly Candidate[] {
  const vendors = available.filter(isVendor);
  if (vendors.length === 0) {
    return available.includes('simulated')
      ? [{ provider: 'simulated', model: SIMULATED_MODEL }]
      : [];
  }
  const today = todayOf(settings);
  const name = servedName(wish.wantedModel, settings);
  const first = name === null ? null : vendorOfName(name);
  const order = [first, settings.defaultProvider, ...VENDORS].filter(isVendor);
  const named = name === null ? null : liveModel(name, today);
  return [...new Set(order)]
    .filter((vendor) => vendors.includes(vendor))
    .map((vendor) => ({
      provider: vendor,
      model: named?.vendor === vendor ? named.id : modelOfClass(vendor, wish.complexity, today),
    }));
}

/** What a vendor uses for a class on that day. */
export function modelOfClass(vendor: Vendor, complexity: ComplexityClass, today: string): string {
  const id = catalog.classes[vendor][complexity];
  return liveModel(id, today)?.id ?? id;
}

/** null: the model must not be called, since nobody knows what it costs. */
export function priceOf(model: string, today: string = clockDay()): Price | null {
  if (model === SIMULATED_MODEL) {
    return FREE;
  }
  const listed = listedModel(model);
  return listed?.prices.filter(({ from }) => from <= today).at(-1) ?? null;
}

const MILLION = 1_000_000;

/** US dollars, for display; the ledger computes in exact decimals. */
export function costOf(price: Price, usage: Usage): number {
  const input = (usage.promptTokens * Number(price.inputUsdPerMillion)) / MILLION;
  return input + (usage.completionTokens * Number(price.outputUsdPerMillion)) / MILLION;
}

/** Whether the vendor refuses a temperature for this model. */
export function isReasoningModel(model: string): boolean {
  return listedModel(model)?.reasons ?? false;
}

/** Thoughts that are asked for and reserved beside the cap of an answer, in tokens. */
export function thinkingTokensOf(model: string): number {
  return listedModel(model)?.thinkingTokens ?? 0;
}

/** Source: contract, decision 23. */
const UNKNOWN_CONTEXT_TOKENS = 100_000;

/** Prompt and answer together. */
export function contextTokensOf(model: string): number {
  return listedModel(model)?.contextTokens ?? UNKNOWN_CONTEXT_TOKENS;
}

/** A sentence for the start-up log when `DEFAULT_LLM_MODEL` cannot serve; null when it can. */
export function checkDefaultModel(settings: ModelSettings): string | null {
  const { defaultModel } = settings;
  const listed = listedModel(defaultModel);
  if (listed === undefined) {
    return `DEFAULT_LLM_MODEL "${defaultModel}" is not a known model; the model of each request's class is used instead`;
  }
  return isRetired(listed, todayOf(settings))
    ? `DEFAULT_LLM_MODEL "${defaultModel}" was retired by its vendor on ${listed.retiresOn ?? ''}; the model of each request's class is used instead`
    : null;
}

/** A name of no vendor is served by the default model, if that one can serve. */
function servedName(wanted: string | null, settings: ModelSettings): string | null {
  if (wanted === null || vendorOfName(wanted) !== null) {
    return wanted;
  }
  return checkDefaultModel(settings) === null ? settings.defaultModel : null;
}

function listedModel(name: string): ListedModel | undefined {
  const lower = name.trim().toLowerCase();
  return byId.get(catalog.aliases[lower] ?? lower);
}

/** The listed model of that name, or what has taken its place; null if the name is not listed. */
function liveModel(name: string, today: string): ListedModel | null {
  let model = listedModel(name);
  while (model !== undefined && isRetired(model, today)) {
    model = model.successor === null ? undefined : byId.get(model.successor);
  }
  return model ?? null;
}

function indexOf({ models }: Catalog): ReadonlyMap<string, ListedModel> {
  return new Map(models.map((model) => [model.id, model]));
}

function isRetired(model: ListedModel, today: string): boolean {
  return model.retiresOn !== null && model.retiresOn <= today;
}

function todayOf(settings: ModelSettings): string {
  return settings.today ?? clockDay();
}

function clockDay(): string {
  return new Date().toISOString().slice(0, 10);
}
