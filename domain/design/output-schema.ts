/** How an agent's answer shall look, as clients write it; `findSchemaProblem` has the rules. */
import {
  JSON_TYPES,
  MAX_SCHEMA_BYTES,
  MAX_SCHEMA_DEPTH,
  findSchemaProblem,
  schemaDepthOf,
  type JsonType,
  type OutputSchema,
} from '../agents/output-schema.js';
import { previewOf } from '../text/previews.js';
import {
  REFUSED,
  Reading,
  decimal,
  dictionary,
  flag,
  integer,
  list,
  oneOf,
  ref,
  someOf,
  text,
  type Field,
  type Form,
} from './fields.js';

const MAX_TEXT = 4_000;
const MAX_ENUM = 200;
/** Of the keywords that are not supported, so many are named. */
const MAX_NAMED = 5;
/** Further problems of one schema are listed once these are mended. */
const MAX_PROBLEMS = 10;

/** What every vendor takes. Source: Anthropic's API, which takes no others as property keys. */
const NAME = /^(?!__proto__$)[A-Za-z0-9_.-]{1,64}$/;
const NAME_FORM: Form = { type: 'string', pattern: NAME.source };

const name: Field<string> = {
  form: NAME_FORM,
  read(value, reading) {
    if (typeof value !== 'string') {
      return reading.refuseKind(value, 'a valid string');
    }
    return NAME.test(value)
      ? value
      : reading.refuse(`Invalid string: must match pattern /${NAME.source}/`);
  },
};

function nameProblem(given: string): string | null {
  return NAME.test(given) ? null : 'Value error, is no name of a property';
}

const oneType = oneOf(JSON_TYPES);
const someTypes = list(oneType, { min: 1, max: 2 });
const types: Field<JsonType | readonly JsonType[]> = {
  form: { anyOf: [oneType.form, someTypes.form] },
  read(value, reading) {
    const read = (Array.isArray(value) ? someTypes : oneType).read(value, new Reading());
    return read === REFUSED ? reading.refuse('Invalid input') : read;
  },
};

const words = text({ max: MAX_TEXT, unstorable: 'refused' });
const size = integer({ min: 0 });
const inner: Field<OutputSchema> = ref('OutputSchema', {
  form: {},
  read: (value, reading) => NODE.read(value, reading),
});
const properties = dictionary(nameProblem, NAME_FORM, inner);

const NODE: Field<OutputSchema> = someOf<OutputSchema>(
  {
    type: types,
    title: words,
    description: words,
    properties: ref('OutputSchemaProperties', properties),
    required: list(name, {}),
    additionalProperties: flag,
    items: inner,
    minItems: size,
    maxItems: size,
    enum: list(words, { min: 1, max: MAX_ENUM }),
    minLength: size,
    maxLength: size,
    minimum: decimal(),
    maximum: decimal(),
    anyOf: list(inner, { min: 1 }),
  },
  (others) => {
    const named = others.slice(0, MAX_NAMED).map((other) => previewOf(other));
    return `Value error, not supported here: ${named.join(', ')}`;
  },
);

export const OUTPUT_SCHEMA_FORMS: Readonly<Record<string, Form>> = {
  OutputSchema: NODE.form,
  OutputSchemaProperties: properties.form,
};

/** Measured before it is read, because reading it goes as deep as it does. */
export const OUTPUT_SCHEMA: Field<OutputSchema> = {
  form: inner.form,
  read(value, reading) {
    if (typeof value === 'object' && isNestedDeeper(value, MAX_NESTING)) {
      return reading.refuse(TOO_DEEP);
    }
    if (typeof value === 'object' && bytesOf(value) > MAX_SCHEMA_BYTES) {
      return reading.refuse(TOO_LARGE);
    }
    const own = new Reading();
    const schema = NODE.read(value, own);
    if (schema === REFUSED) {
      own.problems.slice(0, MAX_PROBLEMS).forEach(({ path, message }) => {
        reading.refuse(message, path);
      });
      return REFUSED;
    }
    if (schemaDepthOf(schema) > MAX_SCHEMA_DEPTH) {
      return reading.refuse(TOO_DEEP);
    }
    const problem = findSchemaProblem(schema);
    return problem === null
      ? schema
      : reading.refuse(`Value error, ${problem.message}`, problem.path);
  },
};

/** A user's own, checked when it came; it stays as it is. */
export const STORED_SCHEMA: Field<OutputSchema> = {
  form: inner.form,
  read: (value, reading) =>
    isSchema(value) ? value : reading.refuseKind(value, 'a valid dictionary'),
};

function isSchema(value: unknown): value is OutputSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Schemas in each other stand in `properties`, in `items` or in a list of `anyOf`. */
const MAX_NESTING = 2 * (MAX_SCHEMA_DEPTH + 1);
const TOO_LARGE = `Value error, an output schema has ${MAX_SCHEMA_BYTES} bytes at most`;
const TOO_DEEP = `Value error, schemas may be nested ${MAX_SCHEMA_DEPTH} levels deep at most`;

/** As JSON, in UTF-8. */
function bytesOf(value: object | null): number {
  return new TextEncoder().encode(JSON.stringify(value)).byteLength;
}

/** Level by level, so that no depth ends the stack. */
function isNestedDeeper(value: unknown, most: number): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; depth <= most; depth += 1) {
    level = level.flatMap(membersOf);
    if (level.length === 0) {
      return false;
    }
  }
  return true;
}

function membersOf(value: unknown): readonly unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}
