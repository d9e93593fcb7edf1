/**
 * One answer schema for three vendors: OpenAI's strict mode and Anthropic want closed objects with
 * every property required, Google an OpenAPI subset that knows neither. Bounds are dropped, since
 * each vendor supports other ones: the caller checks the answer.
 */
type Json = Readonly<Record<string, unknown>>;

const KEPT_BY_ALL = ['description', 'enum', 'const'] as const;

/** For OpenAI (`strict`) and Anthropic (`output_config.format`). */
export function strictSchemaOf(schema: Json): Record<string, unknown> {
  const result = kept(schema, [...KEPT_BY_ALL, 'type']);
  if (isObject(schema['properties'])) {
    result['properties'] = mapValues(schema['properties'], strictSchemaOf);
    result['required'] = Object.keys(schema['properties']);
    result['additionalProperties'] = false;
  }
  if (isObject(schema['items'])) {
    result['items'] = strictSchemaOf(schema['items']);
  }
  if (Array.isArray(schema['anyOf'])) {
    result['anyOf'] = schema['anyOf'].filter(isObject).map(strictSchemaOf);
  }
  return result;
}

/** For Google's `responseSchema`: `['string', 'null']` becomes `nullable`, enums are strings. */
export function googleSchemaOf(schema: Json): Record<string, unknown> {
  const choices = Array.isArray(schema['anyOf']) ? schema['anyOf'].filter(isObject) : [];
  const chosen = choices.find(({ type }) => type !== 'null');
  return chosen === undefined ? plainGoogleSchema(schema) : optionalOf(chosen, choices);
}

function optionalOf(chosen: Json, choices: readonly Json[]): Record<string, unknown> {
  const result = googleSchemaOf(chosen);
  return choices.some(({ type }) => type === 'null') ? { ...result, nullable: true } : result;
}

function plainGoogleSchema(schema: Json): Record<string, unknown> {
  const result = kept(schema, ['description', 'enum']);
  const types = [schema['type']].flat().filter((type) => typeof type === 'string');
  result['type'] = types.find((type) => type !== 'null') ?? 'string';
  if (types.includes('null')) {
    result['nullable'] = true;
  }
  if (Array.isArray(schema['enum'])) {
    result['format'] = 'enum';
  }
  if (isObject(schema['properties'])) {
    result['properties'] = mapValues(schema['properties'], googleSchemaOf);
    result['required'] = schema['required'] ?? Object.keys(schema['properties']);
  }
  if (isObject(schema['items'])) {
    result['items'] = googleSchemaOf(schema['items']);
  }
  return result;
}

function kept(schema: Json, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => names.includes(name)));
}

function mapValues(object: Json, change: (schema: Json) => unknown): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [name, isObject(value) ? change(value) : value]),
  );
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
