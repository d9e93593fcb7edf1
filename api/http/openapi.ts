/** The OpenAPI 3.1 description, generated from the schemas that serve the requests. */
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { DESIGN_FORMS } from '../../domain/design/parse.js';
import { OPERATOR_COOKIE } from '../auth/operator-cookie.js';
import { SESSION_COOKIE } from '../auth/session-cookie.js';
import type { Route, RouteSpec } from './route.js';
import { fullPathOf } from './routing.js';
import { errorSchema, invalidInputSchema } from './error-views.js';

type Json = Record<string, unknown>;

export function describeApi(routes: readonly Route[], version: string): Json {
  const schemas: Json = {};
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = fullPathOf(route);
    const operation = {
      operationId: operationIdOf(route),
      ...describeOperation(route.spec, { schemas, links: linksOf(route, routes) }),
    };
    paths[path] = { ...paths[path], [route.spec.method.toLowerCase()]: operation };
  }
  for (const [name, form] of Object.entries(DESIGN_FORMS)) {
    schemas[name] = relinked(form);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'AgentForge',
      version,
      description: 'Multi-agent workflows you can talk to, run durably, and prove afterwards.',
    },
    paths,
    components: { schemas, securitySchemes: SECURITY_SCHEMES },
  };
}

const SECURITY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
  operatorCookie: { type: 'apiKey', in: 'cookie', name: OPERATOR_COOKIE },
  sessionCookie: { type: 'apiKey', in: 'cookie', name: SESSION_COOKIE },
};

function securityOf({ auth, byOperatorCookie, bySessionCookie }: RouteSpec): readonly Json[] {
  if (bySessionCookie === true) {
    return [{ sessionCookie: [] }];
  }
  const ways = [
    { bearer: [] },
    { apiKey: [] },
    ...(byOperatorCookie === true ? [{ operatorCookie: [] }] : []),
  ];
  return auth === 'user' ? ways : [];
}

/** `POST /api/v1/api-keys/{key_id}` → `postApiV1ApiKeysKeyId` */
function operationIdOf(route: Route): string {
  const words = fullPathOf(route).split(/\W+|_/);
  const capitalized = words.map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`);
  return [route.spec.method.toLowerCase(), ...capitalized].join('');
}

/** How to go on from a route's answer: each operation of its tag whose path it can fill. */
function linksOf({ spec: { tag, yields = {} } }: Route, routes: readonly Route[]): Json {
  const links: Json = {};
  for (const route of routes.filter(({ spec }) => spec.tag === tag)) {
    const operationId = operationIdOf(route);
    const known = Object.entries(yields).filter(([name]) => route.spec.path.includes(`{${name}}`));
    const parameters = known.map(([name, pointer]) => [name, `$response.body#${pointer}`] as const);
    if (parameters.length > 0) {
      links[operationId] = { operationId, parameters: Object.fromEntries(parameters) };
    }
  }
  return links;
}

interface Described {
  /** Collects what operations share. */
  readonly schemas: Json;
  readonly links: Json;
}

function describeOperation(spec: RouteSpec, { schemas, links }: Described): Json {
  const parameters = [
    ...describeParameters('path', spec.params),
    ...describeParameters('query', spec.query),
    ...describeParameters('header', spec.headers),
  ];
  return {
    summary: spec.summary,
    tags: [spec.tag],
    security: securityOf(spec),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(spec.body === undefined
      ? {}
      : { requestBody: { required: true, content: jsonOf(spec.body, 'input', schemas) } }),
    responses: describeResponses(spec, { schemas, links }),
  };
}

function describeParameters(
  place: 'path' | 'query' | 'header',
  schema: z.ZodType | undefined,
): Json[] {
  if (schema === undefined) {
    return [];
  }
  const { properties = {} } = z.toJSONSchema(schema, { io: 'output' });
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path',
    schema: property,
  }));
}

/** What any route of this kind may answer, whether or not its spec names it. */
function impliedResponses(spec: RouteSpec): RouteSpec['responses'] {
  const hasInput = [spec.params, spec.query, spec.headers, spec.body].some(
    (schema) => schema !== undefined,
  );
  const error = (description: string) => ({ description, schema: errorSchema });
  return {
    ...(spec.auth === 'user'
      ? { 401: error('Not authenticated'), 429: error('Rate limit exceeded') }
      : {}),
    ...(spec.authLimited === true
      ? {
          403: error('Requests of other sites are not allowed'),
          429: error('Too many authentication attempts'),
        }
      : {}),
    ...(spec.ownPagesOnly === true ? { 403: error('Not of a page of this host') } : {}),
    ...(spec.action === undefined ? {} : { 403: error('Insufficient permissions') }),
    ...(spec.body === undefined
      ? {}
      : {
          400: error('Request body cannot be read'),
          413: error('Request body too large'),
          415: error('Content encoding not supported'),
        }),
    ...(hasInput ? { 422: { description: 'Invalid input', schema: invalidInputSchema } } : {}),
    ...(spec.auth === 'user' || spec.authLimited === true || spec.bySessionCookie === true
      ? { 503: error('A part of the system is away') }
      : {}),
    500: error('Internal server error'),
  };
}

function describeResponses(spec: RouteSpec, { schemas, links }: Described): Json {
  const responses = { ...impliedResponses(spec), ...spec.responses };
  return Object.fromEntries(
    Object.entries(responses).map(([status, { description, schema }]) => [
      status,
      {
        description,
        ...(schema === null ? {} : { content: jsonOf(schema, 'output', schemas) }),
        ...(isSuccess(status) && Object.keys(links).length > 0 ? { links } : {}),
      },
    ]),
  );
}

function isSuccess(status: string): boolean {
  return status.startsWith('2');
}

/** A schema as JSON content; schemas with an `id` are collected under `components`. */
function jsonOf(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const { $defs = {}, ...rest } = z.toJSONSchema(schema, { io });
  delete rest.$schema; // the document declares its dialect once
  for (const [name, definition] of Object.entries($defs)) {
    schemas[name] = relinked(definition);
  }
  return { [rest.contentMediaType ?? 'application/json']: { schema: relinked(rest) } };
}

/** Responses that are no JSON. */
export const textSchema = z.string().meta({ contentMediaType: 'text/plain' });
/** One server-sent event; the body is a stream of such, written as they come. */
export const eventStreamSchema: z.ZodType<Readable | object> = z
  .object({
    id: z.string().optional(),
    event: z.string(),
    data: z.string().meta({ contentMediaType: 'application/json' }),
  })
  .meta({ contentMediaType: 'text/event-stream' });
export const pageSchema = z.string().meta({ contentMediaType: 'text/html' });

function relinked(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'));
}
