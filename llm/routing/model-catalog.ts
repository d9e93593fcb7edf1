/**
 * Which models there are, what they cost, and which of them may answer a request, in which order.
 * A catalog is a plain value: the composition root makes it once, from `models.json` or the operator's
 * own file, and passes it on. No function here calls a provider.
 */
import {
  VENDORS,
  isVendor,
  type ComplexityClass,
  type ProviderName,
  type Vendor,
} from '../../domain/agents/models.js';
import { BUILT_IN_MODELS, type ListedModel, type ModelsFile, type Price } from './models-file.js';

export interface ModelCatalog {
  readonly file: ModelsFile;
  readonly byId: ReadonlyMap<string, ListedModel>;
}

export function createModelCatalog(file: ModelsFile = BUILT_IN_MODELS): ModelCatalog {
  return { file, byId: new Map(file.models.map((model) => [model.id, model])) };
}

export interface ModelSettings {
  readonly defaultProvider: Vendor;
  readonly defaultModel: string;
  /** UTC day, `YYYY-MM-DD`; the clock's day if absent. Decides what is retired and which price holds. */
  readonly today?: string;
}

/** The provider and the model of one call that may be made. */
export interface ModelChoice {
  readonly provider: ProviderName;
  readonly model: string;
}

export interface ModelPreference {
  /** A design's `llm_model`; null: only the class counts. */
  readonly wantedModel: string | null;
  readonly complexity: ComplexityClass;
}

/** The one model of the simulated provider. */
export const SIMULATED_MODEL = 'simulated';

const FREE: Price = { inputUsdPerMillion: '0', outputUsdPerMillion: '0' };

const VENDOR_NAMES: Readonly<Record<Vendor, RegExp>> = {
  openai: /^(gpt|chatgpt)-|^o\d/,
  anthropic: /^claude-/,
  google: /^gemini-/,
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
  const id = catalog.file.classes[vendor][complexity];
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

/** By its id or an alias. */
export function findModel(catalog: ModelCatalog, name: string): ListedModel | undefined {
  const lower = name.trim().toLowerCase();
  return catalog.byId.get(catalog.file.aliases[lower] ?? lower);
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
    model = model.successor === null ? undefined : catalog.byId.get(model.successor);
  }
  return model ?? null;
}

function isRetired(model: ListedModel, today: string): boolean {
  return model.retiresOn !== null && model.retiresOn <= today;
}

function readClockDay(): string {
  return new Date().toISOString().slice(0, 10);
}
