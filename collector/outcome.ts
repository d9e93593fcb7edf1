/** What the caller of a collection may expect to be told. */
export type Outcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'unknown' }
  /** Not before something else has been asked or given. */
  | { readonly kind: 'too-early'; readonly reason: string }
  | { readonly kind: 'blocked'; readonly reason: string }
  /** Somebody else works on it at this moment. */
  | { readonly kind: 'held' }
  | { readonly kind: 'busy'; readonly reason: string; readonly retryAfterSeconds: number };

export const UNKNOWN = { kind: 'unknown' } as const;

export function done<T>(value: T): Outcome<T> {
  return { kind: 'done', value };
}
