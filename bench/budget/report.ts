/** What the money test prints, and which promises it found broken. */
import { tableOf } from '../table.js';
import type { Money } from './audit.js';
import { usdOf } from './decimals.js';
import type { Order } from './orders.js';

export interface Events {
  readonly orders: readonly Order[];
  readonly killed: number;
}

export function moneyTable(money: Money, { orders, killed }: Events): string {
  const { admitted, refused, settledPico, vendorSettledPico } = money;
  const rows: [string, string][] = [
    ['runs', String(orders.length)],
    ['workers killed', String(killed)],
    ['reservations asked for', String(admitted + refused)],
    ['… admitted', String(admitted)],
    ['… refused', String(refused)],
    ['settled', String(money.settled)],
    ['estimated', String(money.estimated)],
    ['unknown', String(money.unknown)],
    ['released', String(money.released)],
    ['limits of all users', usdOf(money.limitPico)],
    ['charged to all users', usdOf(money.chargedPico)],
    ['most that a day was ever over its limit', usdOf(money.overshootPico)],
    ['most that a vendor bills over a limit', usdOf(money.vendorOvershootPico)],
    ['settled, by the ledger', usdOf(settledPico)],
    ['settled, by the vendor’s own count', usdOf(vendorSettledPico)],
    ['difference', usdOf(absolute(settledPico - vendorSettledPico))],
    ['estimated, by the ledger', usdOf(money.estimatedPico)],
    ['unknown, by the ledger', usdOf(money.unknownPico)],
    ['estimated or unknown, by the vendor’s own count', usdOf(money.vendorLostPico)],
    ['answers paid twice', String(money.paidTwice)],
  ];
  return tableOf(['money', 'value'], rows);
}

function absolute(pico: bigint): bigint {
  return pico < 0n ? -pico : pico;
}

/** Source: docs/architecture.md, "Money". */
export function brokenPromises(money: Money, { orders }: Events): readonly string[] {
  const promises: [string, boolean][] = [
    ['every run ends', orders.every(({ hasEnded }) => hasEnded)],
    ['no day is ever charged beyond its limit', money.overshootPico === 0n],
    ['no vendor bills a day beyond its limit', money.vendorOvershootPico === 0n],
    ['each settled row is what the vendor has counted for its call', money.wrongRows === 0],
    ['settled rows sum up to the vendor’s count', money.settledPico === money.vendorSettledPico],
    ['each lost call is covered by an unknown or estimated row', money.uncovered === 0],
    ['nothing is paid twice for an answer that arrived', money.paidTwice === 0],
    ['each day is the sum of its rows', money.wrongDays === 0],
    ['no reservation is left open', money.open === 0],
  ];
  return promises.filter(([, isKept]) => !isKept).map(([promise]) => promise);
}
