/** From the generated schema to what one call takes and gives. */
import type { paths } from './schema.js';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** Paths that have an operation of the method. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends Readonly<Record<M, { responses: unknown }>> ? P : never;
}[keyof paths];

type OperationOf<M extends Method, P extends PathOf<M>> = paths[P][M];

/** Never for a part that the operation has not. */
type PartOf<Operation, Name extends 'path' | 'query'> = Operation extends {
  parameters: Readonly<Partial<Record<Name, infer Part>>>;
}
  ? NonNullable<Part>
  : never;

type BodyOf<Operation> = Operation extends {
  requestBody: { content: { 'application/json': infer Body } };
}
  ? Body
  : never;

type Needed<Name extends string, Part> = [Part] extends [never] ? unknown : Record<Name, Part>;
type Wished<Name extends string, Part> = [Part] extends [never]
  ? unknown
  : Partial<Record<Name, Part>>;

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** What a call of the operation has to say, and what it may say. */
export type InputOf<M extends Method, P extends PathOf<M>> = CallOptions &
  Needed<'params', PartOf<OperationOf<M, P>, 'path'>> &
  Wished<'query', PartOf<OperationOf<M, P>, 'query'>> &
  Needed<'body', BodyOf<OperationOf<M, P>>>;

type Success = 200 | 201 | 202 | 204;

type ContentOf<Response> = Response extends { content: Readonly<Record<string, infer Content>> }
  ? Content
  : null;

/** A successful answer: its status tells which body it has. */
export type AnswerOf<M extends Method, P extends PathOf<M>> =
  OperationOf<M, P> extends { responses: infer Responses }
    ? {
        [Status in keyof Responses & Success]: {
          readonly status: Status;
          readonly body: ContentOf<Responses[Status]>;
          readonly headers: Headers;
        };
      }[keyof Responses & Success]
    : never;

/** No argument where the operation takes none. */
export type Arguments<Input> = CallOptions extends Input ? [input?: Input] : [input: Input];
