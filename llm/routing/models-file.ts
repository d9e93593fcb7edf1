/**
 * Which models AgentForge calls, what they cost and what they take. Three lists, each over the one before it:
 * `llm/prices.json` (copied from a data package by `npm run models:update`), `llm/models.json` (what that package
 * lacks) and the operator's own file in the form of `llm/models.json`.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { VENDORS, type Vendor } from '../../domain/agents/models.js';
import { EFFORTS, type ModelParameters } from '../model.js';
import ownModels from '../models.json' with { type: 'json' };
import copiedPrices from '../prices.json' with { type: 'json' };

const day = z.iso.date({ error: 'Invalid day: write YYYY-MM-DD' });
/** As a text, so that no float touches money; the ledger keeps six decimals. */
const usd = z
  .string({ error: 'Invalid price: write a text such as "2.50"' })
  .regex(/^\d{1,9}(\.\d{1,6})?$/, 'Invalid price: write a text such as "2.50"');
const modelId = z.string().regex(/^[^\sA-Z]{1,255}$/, 'Invalid id: write it in lower case');
const tokens = z.int().min(0).max(100_000_000);

const rates = {
  inputUsdPerMillion: usd,
  outputUsdPerMillion: usd,
  cacheReadUsdPerMillion: usd.optional(),
  cacheWriteUsdPerMillion: usd.optional(),
  cacheWrite1hUsdPerMillion: usd.optional(),
  reasoningUsdPerMillion: usd.optional(),
};
/** Rates of the whole call, where its prompt has more tokens. */
const tiers = z.array(z.strictObject({ promptTokensOver: tokens, ...rates })).optional();

const price = {
  /** In force from this UTC day on, until the next entry's. */
  from: day,
  ...rates,
  tiers,
  /** By the vendor's word for a service tier that is not the standard one: `priority`, `flex`. */
  serviceTiers: z.record(z.string(), z.strictObject({ ...rates, tiers })).optional(),
};
const CopiedPrice = z.strictObject(price);
const OwnPrice = z.strictObject({
  ...price,
  /** Page of the vendor that states the price. */
  source: z.url({ protocol: /^https$/ }),
  /** Day on which that page was last compared with this entry. */
  asOf: day,
});

/** What models take; see `ModelParameters`. */
const parameters = z.strictObject({
  temperature: z.tuple([z.number(), z.number()]).nullable(),
  outputCap: z.enum(['max_tokens', 'max_completion_tokens']),
  effort: z.enum(EFFORTS).nullable(),
  thinkingBudget: z.int().min(0).max(65_536).nullable(),
  thinkingTokens: z.int().min(0).max(32_768),
  structuredOutput: z.enum(['json_schema', 'json_object']).nullable(),
  streaming: z.enum(['with-usage', 'plain']).nullable(),
});

const Model = z.strictObject({
  id: modelId,
  vendor: z.enum(VENDORS),
  /** In place of those of the lists before. */
  prices: z.array(OwnPrice).min(1).optional(),
  /** First UTC day on which the vendor no longer answers for this model. */
  retiresOn: day.nullable().optional(),
  /** What takes its place from that day on. */
  successor: modelId.nullable().optional(),
  /** What the vendor states of prompt and answer together, and of the answer alone. */
  contextTokens: tokens.min(1_000).nullable().optional(),
  outputTokens: tokens.min(1_000).nullable().optional(),
  /** Where they differ from the vendor's. */
  parameters: parameters.partial().optional(),
  note: z.string().optional(),
});
type Model = z.infer<typeof Model>;
type PartialParameters = NonNullable<Model['parameters']>;

const classes = z.strictObject({ simple: modelId, standard: modelId, complex: modelId });

const ModelsFile = z.strictObject({
  /** Pages that the entries were compared with, and when. */
  sources: z.array(z.strictObject({ page: z.url(), asOf: day, states: z.string() })).optional(),
  models: z.array(Model).default([]),
  /** What a vendor's models take, where an entry says nothing else. */
  parameters: z.partialRecord(z.enum(VENDORS), parameters.partial()).default({}),
  /** What a vendor uses for a class; a retired entry is replaced by its successor. */
  classes: z.partialRecord(z.enum(VENDORS), classes.partial()).default({}),
  /** Other names of listed models. */
  aliases: z.record(modelId, modelId).default({}),
});
/** The content of `llm/models.json`, or of the operator's file. */
export type ModelsFile = Readonly<z.infer<typeof ModelsFile>>;

export const PricesFile = z.strictObject({
  package: z.string(),
  version: z.string(),
  models: z.array(
    z.strictObject({
      id: modelId,
      vendor: z.enum(VENDORS),
      contextTokens: tokens.nullable(),
      prices: z.array(CopiedPrice).min(1),
    }),
  ),
});
export type PricesFile = Readonly<z.infer<typeof PricesFile>>;

export interface ListedModel {
  readonly id: string;
  readonly vendor: Vendor;
  /** In the order of their days. */
  readonly prices: readonly z.infer<typeof CopiedPrice>[];
  readonly retiresOn: string | null;
  readonly successor: string | null;
  /** null: not known */
  readonly contextTokens: number | null;
  readonly outputTokens: number | null;
  /** Where they differ from the vendor's. */
  readonly parameters: PartialParameters;
}

export type Classes = Readonly<Record<Vendor, z.infer<typeof classes>>>;

/** All lists in one; a plain value. */
export interface ModelCatalog {
  readonly models: ReadonlyMap<string, ListedModel>;
  readonly parameters: Readonly<Record<Vendor, ModelParameters>>;
  readonly classes: Classes;
  readonly aliases: Readonly<Record<string, string>>;
}

/** A models file that cannot be used; the message names the file and the field. */
export class ModelsFileError extends Error {
  override readonly name = 'ModelsFileError';
}

const BuiltInFile = ModelsFile.extend({
  parameters: z.record(z.enum(VENDORS), parameters),
  classes: z.record(z.enum(VENDORS), classes),
});
type BuiltInFile = Readonly<z.infer<typeof BuiltInFile>>;

const NOTHING_KNOWN = {
  prices: [],
  retiresOn: null,
  successor: null,
  contextTokens: null,
  outputTokens: null,
  parameters: {},
} as const;

/** What comes with AgentForge. */
export const BUILT_IN_MODELS: ModelCatalog = createBuiltIn(
  PricesFile.parse(copiedPrices),
  BuiltInFile.parse(ownModels),
);

/** The built-in list with the operator's file over it. @throws ModelsFileError */
export function readModelsFile(file: string): ModelCatalog {
  const parsed = ModelsFile.safeParse(readJson(file));
  if (!parsed.success) {
    throw new ModelsFileError(`${file}: correct ${describe(parsed.error.issues)}`);
  }
  const list = overlay(BUILT_IN_MODELS, parsed.data);
  const problems = findContradictions(parsed.data, list);
  if (problems.length > 0) {
    throw new ModelsFileError(`${file}: correct ${describe(problems)}`);
  }
  return list;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ModelsFileError(`${file} cannot be read as JSON (${why})`, { cause });
  }
}

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function describe(problems: readonly Problem[]): string {
  return problems
    .map(({ path, message }) => `${path.map(String).join('.') || 'the whole'}: ${message}`)
    .join('; ');
}

function createBuiltIn(prices: PricesFile, own: BuiltInFile): ModelCatalog {
  const copied = prices.models.map((model): [string, ListedModel] => [
    model.id,
    { ...NOTHING_KNOWN, ...model },
  ]);
  const { parameters: ofVendors, classes: ofClasses } = own;
  return overlay(
    { models: new Map(copied), parameters: ofVendors, classes: ofClasses, aliases: {} },
    own,
  );
}

function overlay(catalog: ModelCatalog, file: ModelsFile): ModelCatalog {
  const models = new Map(catalog.models);
  for (const model of file.models) {
    models.set(model.id, overlayModel(models.get(model.id), model));
  }
  return {
    models,
    parameters: mapVendors((vendor) =>
      mergeParameters(catalog.parameters[vendor], file.parameters[vendor]),
    ),
    classes: mapVendors((vendor) => mergeClasses(catalog.classes[vendor], file.classes[vendor])),
    aliases: { ...catalog.aliases, ...file.aliases },
  };
}

function mapVendors<T>(make: (vendor: Vendor) => T): Readonly<Record<Vendor, T>> {
  return { openai: make('openai'), anthropic: make('anthropic'), google: make('google') };
}

function overlayModel(before: ListedModel | undefined, model: Model): ListedModel {
  const { id, vendor, prices, retiresOn, successor, contextTokens, outputTokens } = model;
  const base = before ?? NOTHING_KNOWN;
  return {
    id,
    vendor,
    prices: prices ?? base.prices,
    retiresOn: retiresOn === undefined ? base.retiresOn : retiresOn,
    successor: successor === undefined ? base.successor : successor,
    contextTokens: contextTokens === undefined ? base.contextTokens : contextTokens,
    outputTokens: outputTokens === undefined ? base.outputTokens : outputTokens,
    parameters: { ...base.parameters, ...model.parameters },
  };
}

/** What is not given stays as it is; null is given. */
export function mergeParameters(
  base: ModelParameters,
  over: PartialParameters = {},
): ModelParameters {
  const { temperature, effort, thinkingBudget, structuredOutput, streaming } = over;
  return {
    temperature: temperature === undefined ? base.temperature : temperature,
    outputCap: over.outputCap ?? base.outputCap,
    effort: effort === undefined ? base.effort : effort,
    thinkingBudget: thinkingBudget === undefined ? base.thinkingBudget : thinkingBudget,
    thinkingTokens: over.thinkingTokens ?? base.thinkingTokens,
    structuredOutput: structuredOutput === undefined ? base.structuredOutput : structuredOutput,
    streaming: streaming === undefined ? base.streaming : streaming,
  };
}

function mergeClasses(
  base: Classes[Vendor],
  over: ModelsFile['classes'][Vendor] = {},
): Classes[Vendor] {
  return {
    simple: over.simple ?? base.simple,
    standard: over.standard ?? base.standard,
    complex: over.complex ?? base.complex,
  };
}

/** What a file says wrongly, by its own paths. */
function findContradictions(file: ModelsFile, list: ModelCatalog): readonly Problem[] {
  const places = new Map(
    file.models.map(({ id }, at): [string, number] => [id, at]).toReversed(), // the first wins
  );
  return [
    ...file.models.flatMap((model, at) => [
      ...(places.get(model.id) === at
        ? []
        : [{ path: ['models', at, 'id'], message: `"${model.id}" is listed twice` }]),
      ...findContradictionsOfModel(model, list).map(({ path, message }) => ({
        path: ['models', at, ...path],
        message,
      })),
    ]),
    ...VENDORS.flatMap((vendor) =>
      Object.entries(file.classes[vendor] ?? {})
        .filter(([, id]) => !isPricedModelOf(list, vendor, id))
        .map(([name, id]) => ({
          path: ['classes', vendor, name],
          message: `"${id}" is no model of ${vendor} that is listed with a price`,
        })),
    ),
    ...Object.entries(file.aliases)
      .filter(([, id]) => !isListed(list, id))
      .map(([name, id]) => ({ path: ['aliases', name], message: `"${id}" is not listed` })),
  ];
}

function isListed({ models }: ModelCatalog, id: string): boolean {
  return models.has(id) || models.has(toUndated(id));
}

/** A day, as vendors write it at the end of a version's name. */
const DATE_SUFFIX = /-(?:\d{8}|\d{4}-\d{2}-\d{2})$/;

/** The name that a dated one is a version of; itself where it has no date. */
export function toUndated(id: string): string {
  return id.replace(DATE_SUFFIX, '');
}

function isPricedModelOf(list: ModelCatalog, vendor: Vendor, id: string | undefined): boolean {
  const model = list.models.get(id ?? '');
  return model?.vendor === vendor && model.prices.length > 0;
}

function findContradictionsOfModel(model: Model, list: ModelCatalog): readonly Problem[] {
  const { prices = [], successor = null } = model;
  const isInOrder = prices.every(
    ({ from }, index) => index === 0 || (prices[index - 1]?.from ?? '') < from,
  );
  return [
    ...(isInOrder ? [] : [{ path: ['prices'], message: 'must be in the order of their days' }]),
    ...prices.flatMap((entry, at) =>
      areTiersInOrder(entry.tiers)
        ? []
        : [{ path: ['prices', at, 'tiers'], message: 'must be in the order of their sizes' }],
    ),
    ...(successor === null || isSuccessorFit(model.id, list)
      ? []
      : [
          {
            path: ['successor'],
            message: 'must be another listed model of the vendor, and no circle',
          },
        ]),
  ];
}

function areTiersInOrder(sizes: readonly { readonly promptTokensOver: number }[] = []): boolean {
  return sizes.every(
    ({ promptTokensOver }, index) =>
      index === 0 || (sizes[index - 1]?.promptTokensOver ?? 0) < promptTokensOver,
  );
}

/** Follows the successors to their end, of one vendor all along and none of them twice. */
function isSuccessorFit(id: string, { models }: ModelCatalog): boolean {
  const vendor = models.get(id)?.vendor;
  const seen = new Set([id]);
  let next = models.get(id)?.successor ?? null;
  while (next !== null) {
    const found = models.get(next);
    if (found === undefined || found.vendor !== vendor || seen.has(next)) {
      return false;
    }
    seen.add(next);
    next = found.successor;
  }
  return true;
}
