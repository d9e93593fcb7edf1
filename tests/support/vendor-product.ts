/** The built product with stand-in vendors behind its base addresses, and what its calls cost. */
import { sql } from 'kysely';
import type { Price, Rates } from '../../domain/account/bill.js';
import { VENDORS, type Usage, type Vendor } from '../../domain/agents/models.js';
import { getPrice } from '../../llm/routing/model-catalog.js';
import { BUILT_IN_MODELS } from '../../llm/routing/models-file.js';
import type { Person } from './person.js';
import { startProduct, type Product, type ProductOptions, type ProductProcess } from './product.js';
import { startStandInVendors, type StandInVendors, type VendorCall } from './vendors/server.js';

export interface VendorProduct {
  readonly product: Product;
  readonly vendors: StandInVendors;
  close(): Promise<void>;
}

export async function startVendorProduct(options: ProductOptions = {}): Promise<VendorProduct> {
  const vendors = await startStandInVendors();
  const product = await startProduct({
    ...options,
    env: {
      OPENAI_BASE_URL: vendors.openAiUrl,
      ANTHROPIC_BASE_URL: vendors.anthropicUrl,
      GOOGLE_GEMINI_BASE_URL: vendors.googleUrl,
      ...options.env,
    },
  });
  return {
    product,
    vendors,
    async close() {
      await product.stop();
      await vendors.close();
    },
  };
}

/** Registers the person's own key of each vendor. @returns the keys */
/** A key that a vendor has refused in a call counts again once it is checked. */
export async function validateKeys(person: Person): Promise<void> {
  const { body: keys } = await person.ask('GET', '/llm-keys');
  for (const { id } of keys) {
    await person.ask('POST', `/llm-keys/${id}/validate`);
  }
}

export async function registerKeys(
  person: Person,
  vendors: readonly Vendor[] = VENDORS,
): Promise<Record<Vendor, string>> {
  const keys = {
    openai: `sk-test-${person.userId}`,
    anthropic: `sk-ant-test-${person.userId}`,
    google: `AIza-test-${person.userId}`,
  };
  for (const provider of vendors) {
    const answer = await person.ask('POST', '/llm-keys', { provider, api_key: keys[provider] });
    if (answer.status !== 201 || answer.body.is_valid !== true) {
      throw new Error(`${provider} key: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
  }
  return keys;
}

/**
 * Calls that were to make an answer, of one person if `userId` is given: it is part of the test
 * keys. Anthropic's key check is the smallest possible message, and no such call.
 */
export function completions(vendors: StandInVendors, userId = ''): readonly VendorCall[] {
  return vendors.calls.filter(
    ({ kind, key, maxTokens }) => kind === 'complete' && maxTokens !== 1 && key.includes(userId),
  );
}

const DECIMALS = 12;

/** What the vendors bill by their own counts, in US dollars: exact, all decimals of the ledger. */
export function billOf(calls: readonly VendorCall[], catalog = BUILT_IN_MODELS): string {
  const picoDollars = calls.reduce((sum, { model, usage }) => {
    const price = getPrice(catalog, model);
    if (usage === null || price === null) {
      throw new Error(`a call of ${model} has no known cost`);
    }
    return sum + toPico(price, usage);
  }, 0n);
  const digits = picoDollars.toString().padStart(DECIMALS + 1, '0');
  return `${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS)}`;
}

/** As the vendors' pricing pages compute it; written without the product's own rules, which it judges. */
function toPico(price: Price, usage: Usage): bigint {
  const { promptTokens, completionTokens, cacheReadTokens = 0, cacheWriteTokens = 0 } = usage;
  const { cacheWrite1hTokens = 0, reasoningTokens = 0 } = usage;
  let rates: Rates = price;
  for (const tier of price.tiers ?? []) {
    rates = promptTokens > tier.promptTokensOver ? tier : rates;
  }
  const plain = promptTokens - cacheReadTokens - cacheWriteTokens - cacheWrite1hTokens;
  return (
    times(plain, rates.inputUsdPerMillion) +
    times(cacheReadTokens, rates.cacheReadUsdPerMillion) +
    times(cacheWriteTokens, rates.cacheWriteUsdPerMillion) +
    times(cacheWrite1hTokens, rates.cacheWrite1hUsdPerMillion) +
    times(completionTokens - reasoningTokens, rates.outputUsdPerMillion) +
    times(reasoningTokens, rates.reasoningUsdPerMillion ?? rates.outputUsdPerMillion)
  );
}

const PRICE_SCALE = 1_000_000;

/** The stand-ins state only what the model has a rate for. */
function times(tokens: number, usdPerMillion = '0'): bigint {
  return BigInt(tokens) * BigInt(Math.round(Number(usdPerMillion) * PRICE_SCALE));
}

/** What the database has charged to the person's days, with all decimals. */
export async function chargedTo(product: Product, { userId }: Person): Promise<string> {
  const { rows } = await sql<{ total: string }>`
    select coalesce(sum(total_cost), 0)::numeric(20, 12)::text as total
    from user_daily_costs where user_id = ${userId}::uuid`.execute(product.db);
  return rows[0]?.total ?? '';
}

/** The sum of a metric's samples on a worker's page that carry all of `labels`. */
export async function metricOf(
  worker: ProductProcess | undefined,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const ready = await worker?.sees('worker ready');
  const page = await fetch(`http://127.0.0.1:${String(ready?.['metricsPort'])}/metrics`);
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return (await page.text())
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** The worker's log lines of an event. */
export function logged(worker: ProductProcess | undefined, event: string): readonly any[] {
  return (worker?.lines ?? [])
    .filter((line) => line.includes(`"event":"${event}"`))
    .map((line): unknown => JSON.parse(line));
}
