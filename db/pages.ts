/** Pages in the order of a time, newest first, and what is behind a page. */
import { sql, type RawBuilder } from 'kysely';

/** A place in the order of pages. */
export interface TimeCursor {
  /** Since 1970, an exact decimal. */
  readonly micros: string;
  readonly id: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** null: nothing follows */
  readonly next: TimeCursor | null;
}

/** Rows that a filter looks through for one page; the next page goes on behind them. */
export const MAX_LOOKED_THROUGH = 2_000;

export interface PlacedRow extends TimeCursor {
  readonly isMatch: boolean;
  /** 1, 2 … among the rows that are looked through. */
  readonly place: number;
}

/** @param rows up to `limit` + 1 matches, and the last row that was looked through */
export function pageOf<T extends PlacedRow>(
  rows: readonly T[],
  { limit, lookedThrough }: { readonly limit: number; readonly lookedThrough: number },
): Page<T> {
  const isFull = rows.length > limit;
  const items = (isFull ? rows.slice(0, limit) : rows).filter(({ isMatch }) => isMatch);
  const end = isFull ? items.at(-1) : rows.find(({ place }) => place === lookedThrough);
  return { items, next: end === undefined ? null : { micros: end.micros, id: end.id } };
}

/** The time of a cursor, as exact as it is stored. */
export function timeOf({ micros }: TimeCursor): RawBuilder<Date> {
  return sql<Date>`timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond'`;
}

/** @param column of a time, as the statement names it */
export function microsOf(column: string): RawBuilder<string> {
  return sql<string>`(extract(epoch from ${sql.ref(column)}) * 1000000)::bigint::text`;
}
