import { typesOf, type JsonType, type OutputSchema } from '../../../domain/agents/output-schema.js';

/**
 * The smallest document that fits a schema, with everything that it names.
 *
 * @param word stands in its texts, as far as there is room
 */
export function exampleOf(schema: OutputSchema, word: string): unknown {
  const [choice] = schema.anyOf ?? [];
  if (choice !== undefined) {
    return exampleOf(choice, word);
  }
  const types = typesOf(schema);
  return valueOf(types.find((type) => type !== 'null') ?? 'null', schema, word);
}

function valueOf(type: JsonType, schema: OutputSchema, word: string): unknown {
  switch (type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, inner]) => [
          name,
          exampleOf(inner, word),
        ]),
      );
    case 'array':
      return Array.from({ length: schema.minItems ?? 0 }, () =>
        exampleOf(schema.items ?? {}, word),
      );
    case 'string':
      return schema.enum?.[0] ?? textOf(schema, word);
    case 'number':
      return nearestToZero(schema);
    case 'integer': {
      const { minimum, maximum } = schema;
      const low = minimum === undefined ? undefined : Math.ceil(minimum);
      const high = maximum === undefined ? undefined : Math.floor(maximum);
      return nearestToZero({ minimum: low, maximum: high });
    }
    case 'boolean':
      return false;
    case 'null':
      return null;
  }
}

/** Lengths count characters, not UTF-16 units. */
function textOf({ minLength = 0, maxLength = Infinity }: OutputSchema, word: string): string {
  const letters = Array.from(word);
  const missing = Math.max(0, minLength - letters.length);
  return [...letters.slice(0, maxLength), ...Array.from({ length: missing }, () => '.')].join('');
}

function nearestToZero({ minimum = -Infinity, maximum = Infinity }: OutputSchema): number {
  return Math.min(maximum, Math.max(minimum, 0));
}
