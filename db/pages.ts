/** Pages in the order of a time, newest first, and what is behind a page. */
import { sql, type RawBuilder } from 'kysely';
import type { Db } from './connect.js';

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
const MAX_LOOKED_THROUGH = 2_000;

/** What a page is read from. */
export interface PageSource {
  /** `select … from … where …`, in which the page begins; it selects `id` and the column `time`. */
  readonly rows: RawBuilder<unknown>;
  readonly time: 'created_at' | 'updated_at';
  /** What the rows, named `listed`, must fulfil besides; null: nothing. */
  readonly filter: RawBuilder<unknown> | null;
  readonly limit: number;
}

interface PlacedRow {
  readonly id: string;
  readonly micros: string;
  readonly isMatch: boolean;
  /** 1, 2 … among the rows that are looked through. */
  readonly place: number;
}

/**
 * One page, newest first. A filter looks through a bounded number of rows, so a page may have fewer items than
 * `limit`, and more may follow.
 */
export async function readPage<Item>(
  db: Db,
  { rows: source, time, filter, limit }: PageSource,
): Promise<Page<Item>> {
  const lookedThrough = filter === null ? limit + 1 : MAX_LOOKED_THROUGH;
  const order = sql`${sql.ref(time)} desc, id desc`;
  const { rows } = await sql<Item & PlacedRow>`
    with listed as (${source} order by ${order} limit ${lookedThrough}),
    placed as (
      select listed.*, ${filter ?? sql`true`} as is_match,
        row_number() over (order by ${order})::integer as place
      from listed
    )
    select placed.*, ${microsOf(time)} as micros
    from placed
    where is_match or place = ${lookedThrough} -- of which more may follow
    order by ${order}
    limit ${limit + 1}`.execute(db);
  const isFull = rows.length > limit;
  const items = (isFull ? rows.slice(0, limit) : rows).filter(({ isMatch }) => isMatch);
  const end = isFull ? items.at(-1) : rows.find(({ place }) => place === lookedThrough);
  return { items, next: end === undefined ? null : { micros: end.micros, id: end.id } };
}

/** @returns null without a condition */
export function allOf(conditions: readonly RawBuilder<unknown>[]): RawBuilder<unknown> | null {
  return conditions.length === 0 ? null : sql`(${sql.join(conditions, sql` and `)})`;
}

/** The time of a cursor, as exact as it is stored. */
export function timeOf({ micros }: TimeCursor): RawBuilder<Date> {
  return sql<Date>`timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond'`;
}

/** @param column of a time, as the statement names it */
export function microsOf(column: string): RawBuilder<string> {
  return sql<string>`(extract(epoch from ${sql.ref(column)}) * 1000000)::bigint::text`;
}
