/** Amounts of money as whole numbers: a ledger's last decimal is a picodollar. */
const DECIMALS = 12;

/** @param text US dollars as PostgreSQL writes them: `0.000123` */
export function picoOf(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(`${whole}${fraction.padEnd(DECIMALS, '0').slice(0, DECIMALS)}`);
}

/** @returns US dollars with all decimals that are not zero, at least six */
export function usdOf(pico: bigint): string {
  const digits = pico.toString().padStart(DECIMALS + 1, '0');
  const fraction = digits.slice(-DECIMALS);
  const kept = fraction.slice(0, 6) + fraction.slice(6).replace(/(?<!0)0+$/, '');
  return `$${digits.slice(0, -DECIMALS)}.${kept}`;
}
