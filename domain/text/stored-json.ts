/**
 * Reads JSON that a release of ours has stored or carried over: of the present form or an older one.
 * What is missing has a default; what has another form than ever is refused. Texts become storable.
 */
import { toStorableText } from './storable-text.js';

/** What was stored has a form that no release of ours has made. `path` says where. */
export class UnreadableJson extends Error {
  override readonly name = 'UnreadableJson';
}

/** @throws UnreadableJson */
export type Reader<T> = (value: unknown, path: string) => T;

export function refuse(path: string, wanted: string): never {
  throw new UnreadableJson(`${path} is not ${wanted}`);
}

export const aText: Reader<string> = (value, path) =>
  typeof value === 'string' ? toStorableText(value) : refuse(path, 'a text');

export const aNumber: Reader<number> = (value, path) =>
  typeof value === 'number' && Number.isFinite(value) ? value : refuse(path, 'a number');

export const aFlag: Reader<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : refuse(path, 'true or false');

export function oneOf<T extends string>(known: readonly T[]): Reader<T> {
  return (value, path) =>
    known.find((it) => it === value) ?? refuse(path, `one of ${known.join(', ')}`);
}

export function listOf<T>(item: Reader<T>): Reader<readonly T[]> {
  return (value, path) =>
    Array.isArray(value)
      ? value.map((it: unknown, at) => item(it, `${path}[${at}]`))
      : refuse(path, 'a list');
}

export function orNull<T>(read: Reader<T>): Reader<T | null> {
  return (value, path) => (value === null ? null : read(value, path));
}

/** The fields of an object; unknown ones are left out. */
export class Fields {
  private readonly values: ReadonlyMap<string, unknown>;
  private readonly path: string;

  /** @throws UnreadableJson for what is no object */
  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      refuse(path, 'an object');
    }
    this.values = new Map(Object.entries(value));
    this.path = path;
  }

  /** @throws UnreadableJson also where it is missing */
  get<T>(name: string, read: Reader<T>): T {
    return read(this.values.get(name), `${this.path}.${name}`);
  }

  /** @param fallback for a form that does not have the field */
  find<T>(name: string, read: Reader<T>, fallback: T): T {
    return this.values.get(name) === undefined ? fallback : this.get(name, read);
  }

  toRecord(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(this.values);
  }

  has(name: string): boolean {
    return this.values.has(name);
  }
}
