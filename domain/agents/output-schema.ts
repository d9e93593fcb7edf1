/**
 * The part of JSON Schema (draft 2020-12) in which an agent's answer may be described: what all
 * three vendors understand, and what is checked fast for every answer of a model. No patterns, no
 * references: both let a schema's author spend our time.
 */
export const JSON_TYPES = [
  'object',
  'array',
  'string',
  'number',
  'integer',
  'boolean',
  'null',
] as const;
export type JsonType = (typeof JSON_TYPES)[number];

export interface OutputSchema {
  /** One type, or one and `null`; absent where `anyOf` is there. */
  readonly type?: JsonType | readonly JsonType[] | undefined;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly properties?: Readonly<Record<string, OutputSchema>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly additionalProperties?: boolean | undefined;
  readonly items?: OutputSchema | undefined;
  readonly minItems?: number | undefined;
  readonly maxItems?: number | undefined;
  readonly enum?: readonly string[] | undefined;
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly anyOf?: readonly OutputSchema[] | undefined;
}

/** As JSON text, in UTF-8. */
export const MAX_SCHEMA_BYTES = 16_384;
/** Schemas within each other. */
export const MAX_SCHEMA_DEPTH = 8;
/** All choices of `anyOf` together: each is tried on every value of an answer. */
export const MAX_SCHEMA_CHOICES = 20;

/** What 16,384 tokens may hold, in characters or values. */
const MAX_SMALLEST = 65_536;

export interface SchemaProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What keeps a schema from describing an answer, or null. */
export function findSchemaProblem(schema: OutputSchema): SchemaProblem | null {
  if (schema.type !== 'object') {
    return { path: ['type'], message: 'must be "object": an answer is one JSON object' };
  }
  if (sizeOfSmallest(schema) > MAX_SMALLEST) {
    return { path: [], message: 'no answer could be as long as the schema wants it' };
  }
  const nodes = nodesOf(schema);
  const choices = nodes.reduce((sum, { node }) => sum + (node.anyOf?.length ?? 0), 0);
  if (choices > MAX_SCHEMA_CHOICES) {
    return { path: [], message: `may have ${MAX_SCHEMA_CHOICES} choices of anyOf at most` };
  }
  for (const { node, path } of nodes) {
    const problem = problemOf(node);
    if (problem !== null) {
      return { path: [...path, ...problem.path], message: problem.message };
    }
  }
  return null;
}

/** How deep schemas are within each other; 1 for a schema without any. */
export function schemaDepthOf(schema: OutputSchema): number {
  const inner = childrenOf(schema).map(({ node }) => schemaDepthOf(node));
  return 1 + Math.max(0, ...inner);
}

/** Of the document with everything that the schema names and no more, at least. */
function sizeOfSmallest({ properties = {}, items, anyOf = [], ...node }: OutputSchema): number {
  const inner = Object.values(properties).map(sizeOfSmallest);
  const item = items === undefined ? 0 : sizeOfSmallest(items);
  const [choice] = anyOf.map(sizeOfSmallest);
  const own = (node.minItems ?? 0) * item + (node.minLength ?? 0) + (choice ?? 0);
  return inner.reduce((sum, size) => sum + size, own + 1);
}

export function typesOf({ type }: OutputSchema): readonly JsonType[] {
  return type === undefined ? [] : [type].flat();
}

interface Node {
  readonly node: OutputSchema;
  readonly path: readonly (string | number)[];
}

function nodesOf(schema: OutputSchema, path: Node['path'] = []): readonly Node[] {
  const inner = childrenOf(schema).flatMap((child) =>
    nodesOf(child.node, [...path, ...child.path]),
  );
  return [{ node: schema, path }, ...inner];
}

function childrenOf({ properties = {}, items, anyOf = [] }: OutputSchema): readonly Node[] {
  return [
    ...Object.entries(properties).map(([name, node]) => ({ node, path: ['properties', name] })),
    ...(items === undefined ? [] : [{ node: items, path: ['items'] }]),
    ...anyOf.map((node, index) => ({ node, path: ['anyOf', index] })),
  ];
}

type Keyword = Exclude<keyof OutputSchema, 'type' | 'title' | 'description' | 'anyOf'>;

const NUMBERS: readonly JsonType[] = ['number', 'integer'];
const KEYWORDS_OF: Readonly<Record<Keyword, readonly JsonType[]>> = {
  properties: ['object'],
  required: ['object'],
  additionalProperties: ['object'],
  items: ['array'],
  minItems: ['array'],
  maxItems: ['array'],
  enum: ['string'],
  minLength: ['string'],
  maxLength: ['string'],
  minimum: NUMBERS,
  maximum: NUMBERS,
};

function problemOf(node: OutputSchema): SchemaProblem | null {
  const types = typesOf(node);
  if ((types.length === 0) === (node.anyOf === undefined)) {
    return { path: ['type'], message: 'give either type or anyOf' };
  }
  if (types.filter((type) => type !== 'null').length > 1 || new Set(types).size < types.length) {
    return { path: ['type'], message: 'give one type, or one and "null"' };
  }
  return strayKeywordOf(node, types) ?? contradictionOf(node, types) ?? emptyRangeOf(node);
}

function strayKeywordOf(node: OutputSchema, types: readonly JsonType[]): SchemaProblem | null {
  for (const [keyword, owners] of Object.entries(KEYWORDS_OF)) {
    if (Object.hasOwn(node, keyword) && !owners.some((owner) => types.includes(owner))) {
      return { path: [keyword], message: `belongs to the type ${owners.join(' or ')}` };
    }
  }
  return null;
}

function contradictionOf(node: OutputSchema, types: readonly JsonType[]): SchemaProblem | null {
  if (types.includes('object')) {
    return objectProblemOf(node);
  }
  if (types.includes('array') && node.items === undefined) {
    return { path: ['items'], message: 'an array needs items' };
  }
  return new Set(node.enum).size < (node.enum?.length ?? 0)
    ? { path: ['enum'], message: 'names a value twice' }
    : null;
}

function objectProblemOf({ properties = {}, required = [] }: OutputSchema): SchemaProblem | null {
  if (Object.keys(properties).length === 0) {
    return { path: ['properties'], message: 'an object needs properties' };
  }
  const unknown = required.findIndex((name) => !Object.hasOwn(properties, name));
  return unknown < 0 ? null : { path: ['required', unknown], message: 'is none of the properties' };
}

const RANGES = [
  ['minItems', 'maxItems'],
  ['minLength', 'maxLength'],
  ['minimum', 'maximum'],
] as const;

function emptyRangeOf(node: OutputSchema): SchemaProblem | null {
  const empty = RANGES.find(([low, high]) => (node[low] ?? -Infinity) > (node[high] ?? Infinity));
  return empty === undefined ? null : { path: [empty[1]], message: `is below ${empty[0]}` };
}
