/**
 * A route as data: what comes in, what goes out, who may call. `mount.ts` serves it and
 * `openapi.ts` describes it, both from the same schemas.
 */
import type { z } from 'zod';
import type { Action, Role } from '../../domain/account/permissions.js';
import {
  InvalidInput,
  MAX_PROBLEMS,
  readInput,
  type FieldProblem,
  type InputPlace,
} from './schemas/problems.js';

export interface SignedInUser {
  readonly id: string;
  readonly email: string;
  readonly displayName: string;
  readonly role: Role;
  /** Whether it may start what costs money. */
  readonly isApproved: boolean;
  /** Which session the access token is of; null for an API key. */
  readonly sessionId: string | null;
  /** null for a token. */
  readonly apiKeyId: string | null;
  /** When the token was made; null for an API key. */
  readonly issuedAt: Date | null;
}

export interface ResponseSpec {
  readonly description: string;
  /** null: no body */
  readonly schema: z.ZodType | null;
}

type Responses = Readonly<Record<number, ResponseSpec>>;
type Input = z.ZodType | undefined;
type InputOf<S extends Input> = S extends z.ZodType ? z.output<S> : null;

export interface RouteSpec<
  P extends Input = Input,
  Q extends Input = Input,
  B extends Input = Input,
  R extends Responses = Responses,
  A extends 'none' | 'user' = 'none' | 'user',
> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below `/api/v1` unless `atRoot`; parameters in braces: `/conversations/{conversation_id}`. */
  readonly path: string;
  readonly atRoot?: boolean;
  readonly summary: string;
  readonly tag: string;
  readonly auth: A;
  /** What the user has to be allowed, beyond being signed in. */
  readonly action?: Action;
  /** The operator's cookie signs in, too, where the Temporal Web UI sends it. */
  readonly byOperatorCookie?: boolean;
  /** Works with the browser's session cookie: only pages of our own host may call. */
  readonly ownPagesOnly?: boolean;
  /** The session cookie says who calls; the handler reads it. */
  readonly bySessionCookie?: boolean;
  /** Counts as an attempt to authenticate. */
  readonly authLimited?: boolean;
  /** How much it takes of the user's rate; default: 1, a plain read 0.1. */
  readonly weight?: number;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Described, and checked where they are sent. */
  readonly headers?: z.ZodObject;
  /** The most that a body may have, in bytes; default: 256 KiB, and 16 KiB of tag `auth`. */
  readonly maxBodyBytes?: number;
  /** Fields of the body that are documents of any content (`json-document.ts`). */
  readonly documents?: readonly string[];
  readonly responses: R;
  /**
   * Where successful answers hold what other paths of the same tag ask for: path parameter → JSON
   * pointer into the body. Described as links.
   */
  readonly yields?: Readonly<Record<string, string>>;
}

/** What a handler is given. */
export interface Call<
  P extends Input = Input,
  Q extends Input = Input,
  B extends Input = Input,
  A extends 'none' | 'user' = 'none' | 'user',
> {
  readonly params: InputOf<P>;
  readonly query: InputOf<Q>;
  readonly body: InputOf<B>;
  readonly user: A extends 'user' ? SignedInUser : null;
  /** The client's address, as far as the trusted proxies tell. */
  readonly clientIp: string;
  readonly requestId: string;
  /** One request header, or an empty text. */
  header(name: string): string;
  /** Aborts when the client hangs up. */
  readonly signal: AbortSignal;
}

type BodyOf<S extends ResponseSpec> = S['schema'] extends z.ZodType ? z.output<S['schema']> : null;

/** An answer that the route's `responses` foresee. */
export type ReplyOf<R extends Responses> = {
  [Status in keyof R & number]: {
    readonly status: Status;
    readonly body: BodyOf<R[Status]>;
    readonly headers?: Readonly<Record<string, string>>;
  };
}[keyof R & number];

export interface Reply {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A call before its inputs are parsed. */
export interface RawCall extends Omit<Call, 'params' | 'query' | 'body' | 'user'> {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly user: SignedInUser | null;
}

export interface Route {
  readonly spec: RouteSpec;
  /** Parses what came in and calls the handler. @throws InvalidInput, DomainError */
  answer(raw: RawCall): Promise<Reply>;
}

type Answer<R extends Responses> = ReplyOf<R> | Promise<ReplyOf<R>>;

/** A route and what it does; the handler sees its inputs parsed and typed by the schemas. */
export function defineRoute<
  R extends Responses,
  A extends 'none' | 'user',
  P extends Input = undefined,
  Q extends Input = undefined,
  B extends Input = undefined,
>(spec: RouteSpec<P, Q, B, R, A>, handler: (call: Call<P, Q, B, A>) => Answer<NoInfer<R>>): Route;
export function defineRoute(
  spec: RouteSpec,
  handler: (call: RawCall) => Promise<Reply> | Reply,
): Route {
  return {
    spec,
    async answer(raw) {
      const problems: FieldProblem[] = [];
      const parse = (schema: Input, value: unknown, place: InputPlace): unknown => {
        const read = schema === undefined ? NOTHING : readInput(schema, value, place);
        if (read.kind === 'parsed') {
          return read.value;
        }
        problems.push(...read.problems.slice(0, MAX_PROBLEMS - problems.length));
        return null;
      };
      const params = parse(spec.params, raw.params, 'path');
      const query = parse(spec.query, raw.query, 'query');
      parse(spec.headers, spec.headers && headersOf(spec.headers, raw), 'header');
      const body = parse(spec.body, raw.body, 'body');
      if (problems.length > 0) {
        throw new InvalidInput(problems);
      }
      return handler({ ...raw, params, query, body });
    },
  };
}

const NOTHING = { kind: 'parsed', value: null } as const;
function headersOf({ shape }: z.ZodObject, { header }: RawCall): Record<string, string> {
  const sent = Object.keys(shape).map((name) => [name, header(name)] as const);
  return Object.fromEntries(sent.filter(([, value]) => value !== ''));
}
