/**
 * Which models there are, what they cost and take, and which of them may answer a request, in which order.
 * A catalog is a plain value: the composition root makes it once, from the built-in lists and the operator's
 * own file, and passes it on. No function here calls a provider.
 */
import { FREE, type Price } from '../../domain/account/bill.js';
import {
  VENDORS,
  isVendor,
  type ComplexityClass,
  type ProviderName,
  type Vendor,
} from '../../domain/agents/models.js';
import type { ModelParameters } from '../model.js';
import { mergeParameters, toUndated, type ListedModel, type ModelCatalog } from './models-file.js';

export interface ModelSettings {
  readonly defaultProvider: Vendor;
  readonly defaultModel: string;
  /** UTC day, `YYYY-MM-DD`; the clock's day if absent. Decides what is retired and which price holds. */
  readonly today?: string;
}

/** The provider and the model of one call that may be made. */
export interface ModelChoice {
  readonly provider: Vendor | 'simulated';
  readonly model: string;
}

export interface ModelPreference {
  /** A design's `llm_model`; null: only the class counts. */
  readonly wantedModel: string | null;
  readonly complexity: ComplexityClass;
}

/** The one model of the simulated provider. */
export const SIMULATED_MODEL = 'simulated';

const VENDOR_NAMES: Readonly<Record<Vendor, RegExp>> = {
  openai: /^(gpt|chatgpt)-|^o\d/,
  anthropic: /^claude-/,
  google: /^gemini-/,
};

const SIMULATED_PARAMETERS: ModelParameters = {
  temperature: null,
  outputCap: 'max_tokens',
  effort: null,
  thinkingBudget: null,
  thinkingTokens: 0,
  structuredOutput: 'json_schema',
  streaming: 'with-usage',
};

/** The vendor that a name belongs to by its prefix, whether or not the model exists. */
export function findVendorByName(name: string): Vendor | null {
  const lower = name.trim().toLowerCase();
  return VENDORS.find((vendor) => VENDOR_NAMES[vendor].test(lower)) ?? null;
}

/**
 * Who may answer, best first (contract, decision 9). Simulated and real never mix: where any
 * vendor is available, the simulated provider is left out.
 */
export function listChoices(
  catalog: ModelCatalog,
  preference: ModelPreference,
  available: readonly ProviderName[],
  settings: ModelSettings,
): readonly ModelChoice[] {
  const vendors = available.filter(isVendor);
  if (vendors.length === 0) {
    return available.includes('simulated')
      ? [{ provider: 'simulated', model: SIMULATED_MODEL }]
      : [];
  }
  const today = settings.today ?? readClockDay();
  const name = toServedName(catalog, preference.wantedModel, settings);
  const first = name === null ? null : findVendorByName(name);
  const order = [first, settings.defaultProvider, ...VENDORS].filter(isVendor);
  const named = name === null ? null : findLiveModel(catalog, name, today);
  return [...new Set(order)]
    .filter((vendor) => vendors.includes(vendor))
    .map((vendor) => ({
      provider: vendor,
      model:
        named?.vendor === vendor
          ? named.id
          : getClassModel(catalog, vendor, preference.complexity, today),
    }));
}

/** What a vendor uses for a class on that day. */
export function getClassModel(
  catalog: ModelCatalog,
  vendor: Vendor,
  complexity: ComplexityClass,
  today: string,
): string {
  const id = catalog.classes[vendor][complexity];
  return findLiveModel(catalog, id, today)?.id ?? id;
}

/** null: the model must not be called, since its cost is not known. */
export function getPrice(
  catalog: ModelCatalog,
  model: string,
  today: string = readClockDay(),
): Price | null {
  if (model === SIMULATED_MODEL) {
    return FREE;
  }
  const listed = findModel(catalog, model);
  return listed?.prices.filter(({ from }) => from <= today).at(-1) ?? null;
}

/**
 * By its exact id, by that id with a date suffix, or by an alias. The id of what is found is the name that the
 * vendor is asked for. Names that merely begin as a listed one are not known: they may have another price.
 */
export function findModel(catalog: ModelCatalog, name: string): ListedModel | undefined {
  const lower = name.trim().toLowerCase();
  const id = catalog.aliases[lower] ?? lower;
  const listed = catalog.models.get(id);
  if (listed !== undefined) {
    return listed;
  }
  const undated = catalog.models.get(toUndated(id));
  return undated === undefined ? undefined : { ...undated, id };
}

/** What the model takes; where its entry says nothing, what its vendor's models take. */
export function findParameters(
  catalog: ModelCatalog,
  provider: Vendor | 'simulated',
  model: string,
): ModelParameters {
  return provider === 'simulated'
    ? SIMULATED_PARAMETERS
    : mergeParameters(catalog.parameters[provider], findModel(catalog, model)?.parameters);
}

/** A sentence for the start-up log when `DEFAULT_LLM_MODEL` cannot serve; null when it can. */
export function checkDefaultModel(catalog: ModelCatalog, settings: ModelSettings): string | null {
  const { defaultModel, today = readClockDay() } = settings;
  const listed = findModel(catalog, defaultModel);
  if (listed === undefined) {
    return `DEFAULT_LLM_MODEL "${defaultModel}" is not a known model; the model of each request's class is used instead`;
  }
  return isRetired(listed, today)
    ? `DEFAULT_LLM_MODEL "${defaultModel}" was retired by its vendor on ${listed.retiresOn ?? ''}; the model of each request's class is used instead`
    : null;
}

/** A name of no vendor is served by the default model, if that one can serve. */
function toServedName(
  catalog: ModelCatalog,
  wanted: string | null,
  settings: ModelSettings,
): string | null {
  if (wanted === null || findVendorByName(wanted) !== null) {
    return wanted;
  }
  return checkDefaultModel(catalog, settings) === null ? settings.defaultModel : null;
}

/** The listed model of that name, or its successor where it is retired; null if the name is not listed. */
function findLiveModel(catalog: ModelCatalog, name: string, today: string): ListedModel | null {
  let model = findModel(catalog, name);
  while (model !== undefined && isRetired(model, today)) {
    model = model.successor === null ? undefined : catalog.models.get(model.successor);
  }
  return model ?? null;
}

function isRetired(model: ListedModel, today: string): boolean {
  return model.retiresOn !== null && model.retiresOn <= today;
}

export function readClockDay(): string {
  return new Date().toISOString().slice(0, 10);
}
