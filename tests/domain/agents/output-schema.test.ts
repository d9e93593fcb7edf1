import {
  findSchemaProblem,
  schemaDepthOf,
  type OutputSchema,
} from '../../../domain/agents/output-schema.js';

const withField = (field: OutputSchema): OutputSchema => ({
  type: 'object',
  properties: { field },
});

test.each<readonly [string, OutputSchema]>([
  ['a number', withField({ type: 'number', minimum: 0, maximum: 1 })],
  ['a number or null', withField({ type: ['number', 'null'] })],
  ['one of several texts', withField({ type: 'string', enum: ['a', 'b'] })],
  ['a list', withField({ type: 'array', items: { type: 'string', maxLength: 5 }, minItems: 1 })],
  ['an object', withField(withField({ type: 'boolean' }))],
  ['one or the other', withField({ anyOf: [{ type: 'string' }, { type: 'null' }] })],
  ['something required', { ...withField({ type: 'null' }), required: ['field'] }],
  ['nothing besides', { ...withField({ type: 'integer' }), additionalProperties: false }],
])('%s can be asked for', (_what, schema) => {
  expect(findSchemaProblem(schema)).toBeNull();
});

test.each<readonly [string, OutputSchema, string]>([
  ['no object', { type: 'string' }, 'type'],
  ['an object or null', { ...withField({ type: 'null' }), type: ['object', 'null'] }, 'type'],
  ['neither type nor anyOf', withField({}), 'properties.field.type'],
  ['both', withField({ type: 'string', anyOf: [{ type: 'null' }] }), 'properties.field.type'],
  ['two types', withField({ type: ['string', 'number'] }), 'properties.field.type'],
  ['one type twice', withField({ type: ['null', 'null'] }), 'properties.field.type'],
  ['an object without properties', withField({ type: 'object' }), 'properties.field.properties'],
  ['a list of what', withField({ type: 'array' }), 'properties.field.items'],
  [
    'a bound of another type',
    withField({ type: 'string', maximum: 3 }),
    'properties.field.maximum',
  ],
  ['numbers of a list', withField({ type: 'number', enum: ['1'] }), 'properties.field.enum'],
  ['a value twice', withField({ type: 'string', enum: ['a', 'a'] }), 'properties.field.enum'],
  [
    'an empty range',
    withField({ type: 'number', minimum: 2, maximum: 1 }),
    'properties.field.maximum',
  ],
  ['what it does not name', { ...withField({ type: 'null' }), required: ['other'] }, 'required.0'],
  [
    'too many choices',
    withField({ anyOf: Array.from({ length: 21 }, () => ({ type: 'string' })) }),
    '',
  ],
  [
    'more than any answer holds',
    withField({
      type: 'array',
      minItems: 1_000,
      items: { type: 'array', minItems: 100, items: { type: 'null' } },
    }),
    '',
  ],
  ['a longer text', withField({ type: 'string', minLength: 1_000_000_000 }), ''],
])('%s cannot, and the place is named', (_what, schema, path) => {
  expect(findSchemaProblem(schema)?.path.join('.')).toBe(path);
});

test('depth counts schemas in each other, whichever way', () => {
  expect(schemaDepthOf({ type: 'string' })).toBe(1);
  const inner: OutputSchema = { anyOf: [{ type: 'array', items: { type: 'null' } }] };
  expect(schemaDepthOf(withField(inner))).toBe(4);
});
