/**
 * Statements that are run very often. Their text is made once in a process; kysely would make it anew each
 * time, which costs more than sending it.
 */
import { CompiledQuery, sql, type RawBuilder } from 'kysely';
import type { Db, Tx } from './connect.js';

/** Stands for the value of that name wherever the statement uses it. */
export type Parameter<Values> = (name: keyof Values) => RawBuilder<unknown>;

/** @param build is called once; what it makes of the parameters must be the same for all values */
export function createStatement<Values, Row>(
  build: (parameter: Parameter<Values>) => RawBuilder<Row>,
): (db: Db | Tx, values: Values) => Promise<readonly Row[]> {
  const names = new Map<unknown, keyof Values>();
  const parameter: Parameter<Values> = (name) => {
    const placeholder = {};
    names.set(placeholder, name);
    return sql.val(placeholder);
  };
  let made: CompiledQuery<Row> | null = null;
  return async (db, values) => {
    made ??= build(parameter).compile(db);
    const parameters = made.parameters.map((it) => {
      const name = names.get(it);
      return name === undefined ? it : values[name];
    });
    const { rows } = await db.executeQuery<Row>(CompiledQuery.raw(made.sql, parameters));
    return rows;
  };
}
