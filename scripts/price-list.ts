/**
 * The prices of the three vendors, as `@pydantic/genai-prices` lists them. Only its data is read: neither its
 * arithmetic, which is of floats, nor its update over the network.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { findProvider, type ModelInfo, type ModelPrice } from '@pydantic/genai-prices';
import { format, resolveConfig } from 'prettier';
import { z } from 'zod';
import type { Rates } from '../domain/account/bill.js';
import { VENDORS, type Vendor } from '../domain/agents/models.js';
import { findVendorByName } from '../llm/routing/model-catalog.js';
import { PricesFile } from '../llm/routing/models-file.js';

const PACKAGE = '@pydantic/genai-prices';

type CopiedModel = PricesFile['models'][number];
type CopiedPrice = CopiedModel['prices'][number];

export interface PriceList {
  readonly list: PricesFile;
  /** The text of `llm/prices.json` as it has to be. */
  readonly text: string;
}

export async function makePriceList(): Promise<PriceList> {
  const list = PricesFile.parse({
    package: PACKAGE,
    version: await readVersion(),
    models: VENDORS.flatMap(copyVendor),
  });
  const settings = await resolveConfig(import.meta.filename);
  const text = await format(JSON.stringify(list), { ...settings, parser: 'json' });
  return { list, text };
}

async function readVersion(): Promise<string> {
  const entry = pathToFileURL(createRequire(import.meta.url).resolve(PACKAGE));
  const text = await readFile(new URL('../package.json', entry), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

function copyVendor(vendor: Vendor): readonly CopiedModel[] {
  const provider = findProvider({ providerId: vendor });
  if (provider === undefined) {
    throw new Error(`${PACKAGE} does not list ${vendor}`);
  }
  return provider.models.flatMap((model) => copyModel(vendor, model));
}

/** Prices of anything but texts: a model that has one is not called. */
const OTHER_OUTPUT = /^output_(?!mtok$|reasoning_mtok$)|_hours$|_gpixels$|_kpages$|_mchars$/;
/** OpenAI's models that Chat Completions does not serve. */
const OTHER_INTERFACE =
  /-(?:pro|codex|image|search|deep-research|audio|realtime|transcribe|tts|instruct)\b/;
/** Models of one account, which the package names by a pattern. */
const OF_AN_ACCOUNT = /:|\.ft-/;
/** What the package says of a price that is not the vendor's own. */
const RESOLD = /openrouter/i;

/** The day from which the first price of a model holds, as far as we know. */
const BEGINNING = '2024-01-01';

/** Nothing for a model that the vendor does not sell for texts under this id. */
function copyModel(vendor: Vendor, model: ModelInfo): readonly CopiedModel[] {
  const { id, prices, context_window: contextTokens = null } = model;
  const entries = isDated(prices) ? prices : [{ prices }];
  const isOfTexts = entries.every(
    ({ prices: named }) =>
      named['input_mtok'] !== undefined &&
      named['output_mtok'] !== undefined &&
      !Object.keys(named).some((key) => OTHER_OUTPUT.test(key)),
  );
  const isSold =
    findVendorByName(id) === vendor &&
    !OF_AN_ACCOUNT.test(id) &&
    !RESOLD.test(model.price_comments ?? '');
  if (!isOfTexts || !isSold || (vendor === 'openai' && OTHER_INTERFACE.test(id))) {
    return [];
  }
  return [
    {
      id,
      vendor,
      contextTokens,
      prices: entries.map((entry) => copyPrice(toStartDay(id, entry), entry.prices)),
    },
  ];
}

type DatedPrices = Extract<ModelInfo['prices'], readonly unknown[]>;

function isDated(prices: ModelInfo['prices']): prices is DatedPrices {
  return Array.isArray(prices);
}

function toStartDay(id: string, { constraint }: Pick<DatedPrices[number], 'constraint'>): string {
  if (constraint === undefined) {
    return BEGINNING;
  }
  if (constraint.type !== 'start_date') {
    throw new Error(`the price of ${id} depends on ${constraint.type}, which is not understood`);
  }
  return constraint.start_date;
}

/** Our names of the package's rates. */
const RATES = {
  inputUsdPerMillion: 'input_mtok',
  outputUsdPerMillion: 'output_mtok',
  cacheReadUsdPerMillion: 'cache_read_mtok',
  cacheWriteUsdPerMillion: 'cache_write_mtok',
  cacheWrite1hUsdPerMillion: 'cache_write_1h_mtok',
  reasoningUsdPerMillion: 'output_reasoning_mtok',
} as const satisfies Record<keyof Rates, string>;

function copyPrice(from: string, prices: ModelPrice): CopiedPrice {
  const starts = Object.values(RATES).flatMap((key) => {
    const named = prices[key];
    return typeof named === 'object' ? named.tiers.map(({ start }) => start) : [];
  });
  const sizes = [...new Set(starts)].toSorted((a, b) => a - b);
  const tiers = sizes.map((size) => ({ promptTokensOver: size, ...copyRates(prices, size) }));
  return { from, ...copyRates(prices, 0), ...(tiers.length === 0 ? {} : { tiers }) };
}

/** @param size of the prompt, more than which the rates are for; 0: for all that are no larger than the first tier */
function copyRates(prices: ModelPrice, size: number): Rates {
  const rate = (name: keyof Rates): string | undefined => {
    const named = prices[RATES[name]];
    return named === undefined ? undefined : toDecimal(toNumber(named, size));
  };
  return {
    inputUsdPerMillion: rate('inputUsdPerMillion') ?? '',
    outputUsdPerMillion: rate('outputUsdPerMillion') ?? '',
    cacheReadUsdPerMillion: rate('cacheReadUsdPerMillion'),
    cacheWriteUsdPerMillion: rate('cacheWriteUsdPerMillion'),
    cacheWrite1hUsdPerMillion: rate('cacheWrite1hUsdPerMillion'),
    reasoningUsdPerMillion: rate('reasoningUsdPerMillion'),
  };
}

function toNumber(named: NonNullable<ModelPrice[string]>, size: number): number {
  return typeof named === 'number'
    ? named
    : (named.tiers.findLast(({ start }) => start <= size && size > 0)?.price ?? named.base);
}

/** The number as it stands in the package's source: the shortest decimal that means the same float. */
function toDecimal(value: number): string {
  const text = String(value);
  return text.includes('e') ? value.toFixed(6) : text;
}

/** One line for each model that has come, gone or changed its prices. */
export function describePriceChanges(before: PricesFile, after: PricesFile): readonly string[] {
  const was = new Map(before.models.map((model) => [model.id, model]));
  const is = new Map(after.models.map((model) => [model.id, model]));
  const ids = [...new Set([...was.keys(), ...is.keys()])];
  return ids.flatMap((id) => {
    const [old, now] = [was.get(id), is.get(id)];
    if (JSON.stringify(old) === JSON.stringify(now)) {
      return [];
    }
    const mark = old === undefined ? '+' : now === undefined ? '-' : '~';
    const shown = [old, now].flatMap((model) => (model === undefined ? [] : [describe(model)]));
    return [`${mark} ${id}: ${shown.join(' → ')}`];
  });
}

function describe({ prices, contextTokens }: CopiedModel): string {
  const days = prices.map(({ from, tiers = [], ...rates }) =>
    [
      ...(prices.length > 1 ? [`from ${from}`] : []),
      describeRates(rates),
      ...tiers.map((tier) => `over ${tier.promptTokensOver} ${describeRates(tier)}`),
    ].join(' '),
  );
  return `${days.join('; ')} (context ${contextTokens ?? 'unknown'})`;
}

function describeRates(rates: Rates): string {
  return [
    `in ${rates.inputUsdPerMillion}`,
    `out ${rates.outputUsdPerMillion}`,
    ...(rates.cacheReadUsdPerMillion === undefined ? [] : [`read ${rates.cacheReadUsdPerMillion}`]),
    ...(rates.cacheWriteUsdPerMillion === undefined
      ? []
      : [`write ${rates.cacheWriteUsdPerMillion}`]),
    ...(rates.cacheWrite1hUsdPerMillion === undefined
      ? []
      : [`write-1h ${rates.cacheWrite1hUsdPerMillion}`]),
  ].join(' ');
}
