/**
 * The kinds of fields that a design is made of. Each reads a value and says what is wrong with it,
 * and has the form that clients are shown, as JSON Schema. Problems are worded as Pydantic v2 does:
 * clients show them to people.
 */
import { TEXT_PATTERN, findSizeProblem, findUnstorable, type TextSize } from '../text/problems.js';

export interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Stands for a value that was refused. */
export const REFUSED: unique symbol = Symbol('refused');
export type Read<T> = T | typeof REFUSED;

export type Form = Readonly<Record<string, unknown>>;

export interface Field<T> {
  readonly form: Form;
  /** It may be missing: `read` has something in its place. */
  readonly isOptional?: true;
  /** Where it refuses a value, `reading` holds why. */
  read(value: unknown, reading: Reading): Read<T>;
}

/** Where in a document we are, and what was found wrong so far. */
export class Reading {
  readonly problems: Problem[] = [];
  private readonly path: (string | number)[] = [];

  refuse(message: string, below: readonly (string | number)[] = []): typeof REFUSED {
    this.problems.push({ path: [...this.path, ...below], message });
    return REFUSED;
  }

  /** Of a value of another kind. */
  refuseKind(value: unknown, kind: string): typeof REFUSED {
    return this.refuse(value === undefined ? 'Field required' : `Input should be ${kind}`);
  }

  at<T>(step: string | number, field: Field<T>, value: unknown): Read<T> {
    this.path.push(step);
    const read = field.read(value, this);
    this.path.pop();
    return read;
  }
}

interface TextKind extends TextSize {
  /** NUL and half surrogates, which PostgreSQL and Temporal would not keep as they are. */
  readonly unstorable: 'refused' | 'taken';
}

export function text({ min = 0, max, unstorable }: TextKind): Field<string> {
  return {
    form: { type: 'string', minLength: min, maxLength: max, pattern: TEXT_PATTERN },
    read(value, reading) {
      if (typeof value !== 'string') {
        return reading.refuseKind(value, 'a valid string');
      }
      const problem =
        findSizeProblem(value, { min, max }) ??
        (unstorable === 'refused' ? findUnstorable(value) : null);
      return problem === null ? value : reading.refuse(problem);
    },
  };
}

interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** A finite number. */
export function decimal(range: Range = {}): Field<number> {
  return {
    form: { type: 'number', ...boundsOf(range) },
    read(value, reading) {
      if (typeof value === 'number' && Number.isFinite(value)) {
        return inRange(value, range, reading);
      }
      const why = typeof value === 'string' ? ', unable to parse string as a number' : '';
      return reading.refuseKind(value, `a valid number${why}`);
    },
  };
}

const WHY_NO_INTEGER: Readonly<Record<string, string>> = {
  string: ', unable to parse string as an integer',
  number: ', got a number with a fractional part',
};

export function integer(bounds: Range): Field<number> {
  const range = { max: Number.MAX_SAFE_INTEGER, ...bounds };
  return {
    form: { type: 'integer', ...boundsOf(range) },
    read(value, reading) {
      return typeof value === 'number' && Number.isInteger(value)
        ? inRange(value, range, reading)
        : reading.refuseKind(value, `a valid integer${WHY_NO_INTEGER[typeof value] ?? ''}`);
    },
  };
}

function boundsOf({ min, max }: Range): Form {
  return {
    ...(min === undefined ? {} : { minimum: min }),
    ...(max === undefined ? {} : { maximum: max }),
  };
}

function inRange(
  value: number,
  { min = -Infinity, max = Infinity }: Range,
  reading: Reading,
): Read<number> {
  if (value < min) {
    return reading.refuse(`Input should be greater than or equal to ${min}`);
  }
  return value > max ? reading.refuse(`Input should be less than or equal to ${max}`) : value;
}

export const flag: Field<boolean> = {
  form: { type: 'boolean' },
  read: (value, reading) =>
    typeof value === 'boolean' ? value : reading.refuseKind(value, 'a valid boolean'),
};

export function oneOf<const T extends string>(known: readonly T[]): Field<T> {
  const names = known.map((it) => `'${it}'`);
  const wanted = [names.slice(0, -1).join(', '), names.at(-1)].filter(Boolean).join(' or ');
  return {
    form: { type: 'string', enum: known },
    read: (value, reading) => known.find((it) => it === value) ?? reading.refuseKind(value, wanted),
  };
}

export function orNull<T>(field: Field<T>): Field<T | null> {
  return {
    form: { anyOf: [field.form, { type: 'null' }] },
    read: (value, reading) => (value === null ? null : field.read(value, reading)),
  };
}

/** The fallback stands for a value that is missing; clients are shown it. */
export function withDefault<T>(field: Field<T>, fallback: T): Field<T> {
  const { form, ...rest } = orElse(field, fallback);
  return { ...rest, form: { default: fallback, ...form } };
}

/**
 * The fallback stands for a value that is missing. Clients are not shown it: the types that are made
 * of a form want a field that has a default.
 */
export function orElse<T, F>(field: Field<T>, fallback: F): Field<T | F> {
  return {
    form: field.form,
    isOptional: true,
    read: (value, reading) => (value === undefined ? fallback : field.read(value, reading)),
  };
}

/** A value that does not depend on what is there. */
export function always<T>(value: T): Field<T> {
  return { form: {}, isOptional: true, read: () => value };
}

/** The same field, whose form stands elsewhere under this name. */
export function ref<T>(name: string, field: Field<T>): Field<T> {
  return { ...field, form: { $ref: `#/$defs/${name}` } };
}

interface Size {
  readonly min?: number;
  readonly max?: number;
}

/** A list of another length is refused before any of its items is looked at. */
export function list<T>(item: Field<T>, { min = 0, max = Infinity }: Size): Field<readonly T[]> {
  return {
    form: {
      ...(min === 0 ? {} : { minItems: min }),
      ...(max === Infinity ? {} : { maxItems: max }),
      type: 'array',
      items: item.form,
    },
    read(value, reading) {
      if (!Array.isArray(value)) {
        return reading.refuseKind(value, 'a valid list');
      }
      if (value.length < min || value.length > max) {
        const [bound, limit] = value.length < min ? ['at least', min] : ['at most', max];
        const items = `${limit} item${limit === 1 ? '' : 's'}`;
        return reading.refuse(
          `List should have ${bound} ${items} after validation, not ${value.length}`,
        );
      }
      const given: readonly unknown[] = value;
      const taken: T[] = [];
      for (const [at, it] of given.entries()) {
        const read = reading.at(at, item, it);
        if (read !== REFUSED) {
          taken.push(read);
        }
      }
      return taken.length === given.length ? taken : REFUSED;
    },
  };
}

export type FieldsOf<T extends object> = {
  readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>>;
};

/** An object with all of these fields; others are left out. */
export function object<T extends object>(fields: FieldsOf<T>): Field<T> {
  const entries = entriesOf(fields);
  const required = entries.filter(([, { isOptional }]) => isOptional !== true);
  return {
    form: {
      ...formOf(entries),
      ...(required.length === 0 ? {} : { required: required.map(([name]) => name) }),
    },
    read(value, reading) {
      const values = valuesIn(value, reading);
      if (values === REFUSED) {
        return REFUSED;
      }
      const made: Record<string, unknown> = {};
      for (const [name, field] of entries) {
        const read = reading.at(name, field, values.get(name));
        if (read !== REFUSED) {
          made[name] = read;
        }
      }
      return hasAll<T>(made, fields) ? made : REFUSED;
    },
  };
}

/** An object with some of these fields. */
export function someOf<T extends object>(
  fields: FieldsOf<T>,
  refuseOthers?: (names: readonly string[]) => string,
): Field<Partial<T>> {
  const entries = entriesOf(fields);
  const isStrict = refuseOthers !== undefined;
  return {
    form: { ...formOf(entries), ...(isStrict ? { additionalProperties: false } : {}) },
    read(value, reading) {
      const values = valuesIn(value, reading);
      if (values === REFUSED) {
        return REFUSED;
      }
      const given = entries.filter(([name]) => values.get(name) !== undefined);
      const made: Record<string, unknown> = {};
      for (const [name, field] of given) {
        const read = reading.at(name, field, values.get(name));
        if (read !== REFUSED) {
          made[name] = read;
        }
      }
      const others = [...values.keys()].filter((name) => !Object.hasOwn(fields, name));
      if (refuseOthers !== undefined && others.length > 0) {
        return reading.refuse(refuseOthers(others));
      }
      const isWhole = Object.keys(made).length === given.length;
      return isWhole && hasNoOthers<T>(made, fields) ? made : REFUSED;
    },
  };
}

type Entries = readonly (readonly [string, Field<unknown>])[];

function entriesOf<T extends object>(fields: FieldsOf<T>): Entries {
  return Object.entries<Field<unknown>>(fields);
}

function formOf(entries: Entries): Form {
  const properties = Object.fromEntries(entries.map(([name, { form }]) => [name, form]));
  return { type: 'object', properties };
}

function valuesIn(value: unknown, reading: Reading): Read<ReadonlyMap<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return reading.refuseKind(value, 'a valid dictionary or object to extract fields from');
  }
  const entries = Object.entries(value);
  return new Map<string, unknown>(entries);
}

/** Those that were refused are not there. */
function hasAll<T extends object>(made: object, fields: FieldsOf<T>): made is T {
  return Object.keys(fields).every((name) => Object.hasOwn(made, name));
}

function hasNoOthers<T extends object>(made: object, fields: FieldsOf<T>): made is Partial<T> {
  return Object.keys(made).every((name) => Object.hasOwn(fields, name));
}

/** What is kept by names. */
export function dictionary<T>(
  nameProblem: (name: string) => string | null,
  nameForm: Form,
  item: Field<T>,
): Field<Readonly<Record<string, T>>> {
  return {
    form: { type: 'object', propertyNames: nameForm, additionalProperties: item.form },
    read(value, reading) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        return reading.refuseKind(value, 'a valid dictionary');
      }
      const given: readonly (readonly [string, unknown])[] = Object.entries(value);
      const entries = given.map(([name, it]) => {
        const problem = nameProblem(name);
        const read =
          problem === null ? reading.at(name, item, it) : reading.refuse(problem, [name]);
        return [name, read] as const;
      });
      const taken = entries.flatMap(([name, it]) => (it === REFUSED ? [] : [[name, it] as const]));
      return taken.length === entries.length ? Object.fromEntries(taken) : REFUSED;
    },
  };
}

/** The same field, of what is made of its value. */
export function mapped<T, U>(field: Field<T>, map: (value: T) => U): Field<U> {
  return {
    ...field,
    read(value, reading) {
      const read = field.read(value, reading);
      return read === REFUSED ? REFUSED : map(read);
    },
  };
}
