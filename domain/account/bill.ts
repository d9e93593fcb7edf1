/**
 * What a vendor bills for a call, as its pricing page computes it. Prices are decimal texts and are
 * multiplied by PostgreSQL alone, so that no float touches money.
 */
import type { Usage } from '../agents/models.js';

/** US dollars per 1 million tokens. A rate that is missing equals the one that it is a kind of (`fillRates`). */
export interface Rates {
  readonly inputUsdPerMillion: string;
  readonly outputUsdPerMillion: string;
  /** Of input that the vendor had cached. */
  readonly cacheReadUsdPerMillion?: string | undefined;
  /** Of input that the vendor has cached: for five minutes, or where it knows one duration only. */
  readonly cacheWriteUsdPerMillion?: string | undefined;
  readonly cacheWrite1hUsdPerMillion?: string | undefined;
  /** Of output that the model thought. */
  readonly reasoningUsdPerMillion?: string | undefined;
}

/** Rates of the whole call, where its prompt has more tokens than that. */
export interface RateTier extends Rates {
  readonly promptTokensOver: number;
}

export interface TieredRates extends Rates {
  /** By rising size of the prompt. */
  readonly tiers?: readonly RateTier[] | undefined;
}

export interface Price extends TieredRates {
  /** Rates of service tiers other than the standard one, by the vendor's word for them. */
  readonly serviceTiers?: Readonly<Record<string, TieredRates>> | undefined;
}

export type BillKind =
  'input' | 'cache-read' | 'cache-write' | 'cache-write-1h' | 'output' | 'reasoning';

export interface BillLine {
  readonly kind: BillKind;
  readonly tokens: number;
  readonly usdPerMillion: string;
}

export const FREE: Price = { inputUsdPerMillion: '0', outputUsdPerMillion: '0' };

/** @returns null where the call's service tier has no price */
export function toBill(price: Price, usage: Usage): readonly BillLine[] | null {
  const { promptTokens, completionTokens, serviceTier } = usage;
  const tiered = serviceTier === undefined ? price : price.serviceTiers?.[serviceTier];
  if (tiered === undefined) {
    return null;
  }
  const rates = toRates(tiered, promptTokens);
  const { cacheReadTokens = 0, cacheWriteTokens = 0, cacheWrite1hTokens = 0 } = usage;
  const { reasoningTokens = 0 } = usage;
  const cached = cacheReadTokens + cacheWriteTokens + cacheWrite1hTokens;
  const lines: readonly BillLine[] = [
    { kind: 'input', tokens: promptTokens - cached, usdPerMillion: rates.input },
    { kind: 'cache-read', tokens: cacheReadTokens, usdPerMillion: rates.cacheRead },
    { kind: 'cache-write', tokens: cacheWriteTokens, usdPerMillion: rates.cacheWrite },
    { kind: 'cache-write-1h', tokens: cacheWrite1hTokens, usdPerMillion: rates.cacheWrite1h },
    { kind: 'output', tokens: completionTokens - reasoningTokens, usdPerMillion: rates.output },
    { kind: 'reasoning', tokens: reasoningTokens, usdPerMillion: rates.reasoning },
  ];
  return lines.filter(({ tokens }) => tokens > 0);
}

/**
 * The highest rates that a call can meet whose prompt has at most that many tokens: of each size that it
 * may turn out to have, cached or not, in any service tier that has a price.
 */
export function toDearestRates(
  price: Price,
  promptTokens: number,
): Pick<Rates, 'inputUsdPerMillion' | 'outputUsdPerMillion'> {
  const reachable = [price, ...Object.values(price.serviceTiers ?? {})].flatMap((tiered) => [
    tiered,
    ...(tiered.tiers ?? []).filter(({ promptTokensOver }) => promptTokensOver < promptTokens),
  ]);
  const all = reachable.map(fillRates);
  return {
    inputUsdPerMillion: findHighest(
      all.flatMap((rates) => [rates.input, rates.cacheRead, rates.cacheWrite, rates.cacheWrite1h]),
    ),
    outputUsdPerMillion: findHighest(all.flatMap((rates) => [rates.output, rates.reasoning])),
  };
}

function toRates(tiered: TieredRates, promptTokens: number) {
  const tier = tiered.tiers?.findLast(({ promptTokensOver }) => promptTokensOver < promptTokens);
  return fillRates(tier ?? tiered);
}

/** Vendors that list no rate of their own for a kind of token bill it as the kind that it belongs to. */
function fillRates(rates: Rates) {
  const { inputUsdPerMillion: input, outputUsdPerMillion: output } = rates;
  const cacheWrite = rates.cacheWriteUsdPerMillion ?? input;
  return {
    input,
    cacheRead: rates.cacheReadUsdPerMillion ?? input,
    cacheWrite,
    cacheWrite1h: rates.cacheWrite1hUsdPerMillion ?? cacheWrite,
    output,
    reasoning: rates.reasoningUsdPerMillion ?? output,
  };
}

function findHighest(rates: readonly string[]): string {
  return rates.reduce((highest, rate) => (isLess(highest, rate) ? rate : highest), '0');
}

/** Compares decimals of at most six places exactly. */
function isLess(a: string, b: string): boolean {
  return toMicros(a) < toMicros(b);
}

const PLACES = 6;

function toMicros(decimal: string): bigint {
  const [whole = '0', fraction = ''] = decimal.split('.');
  return BigInt(whole + fraction.padEnd(PLACES, '0'));
}
