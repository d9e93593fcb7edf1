import fc from 'fast-check';
import { toStorableDesign, toStorableDesigns } from '../../../domain/design/names.js';
import type { Design } from '../../../domain/design/designs.js';
import { checkGraph } from '../../../domain/run/pipeline.js';
import {
  toStorable,
  toStorableJson,
  toStorableNames,
  toStorableText,
} from '../../../domain/text/storable-text.js';
import { agentOf, designOf } from '../../support/designs.js';

/** Any units of UTF-16, NUL and halves of pairs more often than chance would have them. */
const units = fc
  .array(fc.oneof(fc.nat(0xff_ff), fc.constantFrom(0, 0xd8_3d, 0xde_00, 0xdf_ff, 0x61, 0x5f)), {
    maxLength: 12,
  })
  .map((codes) => String.fromCharCode(...codes));

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

test.each([
  ['a\0b', 'a\ufffdb'],
  ['a\ud83d', 'a\ufffd'],
  ['\ude00b', '\ufffdb'],
  ['\ude00\ud83d', '\ufffd\ufffd'],
  ['😀 한국어', '😀 한국어'],
])('%j becomes %j', (text, storable) => {
  expect(toStorableText(text)).toBe(storable);
});

test('any text can be stored afterwards, has its length, and is left alone the second time', () => {
  fc.assert(
    fc.property(units, (text) => {
      const storable = toStorableText(text);
      expect(isStorable(storable)).toBe(true);
      expect(storable).toHaveLength(text.length);
      expect(toStorableText(storable)).toBe(storable);
      expect(isStorable(text)).toBe(storable === text);
    }),
  );
});

test('escapes of a JSON document are replaced like what they stand for', () => {
  const odd = String.raw`{"a\u0000":"\ud83d","b":"\ud83d\ude00","c":"\\u0000","d":"\ude00\ud83d"}`;
  expect(JSON.parse(toStorableJson(odd))).toEqual({
    'a\ufffd': '\ufffd',
    b: '😀',
    c: String.raw`\u0000`,
    d: '\ufffd\ufffd',
  });
});

test('a JSON document holds the same afterwards, but for what cannot be stored', () => {
  const values = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.oneof(units, fc.double({ noNaN: true }), fc.boolean(), fc.constant(null)),
      fc.array(tie('value')),
      fc.dictionary(units, tie('value')),
    ),
  })).value;
  fc.assert(
    fc.property(values, (value) => {
      const json = JSON.stringify(value);
      const mended: unknown = JSON.parse(toStorableJson(json));
      expect(mended).toEqual(toStorable(JSON.parse(json)));
      expect(isStorable(JSON.stringify(mended))).toBe(true);
      expect(JSON.stringify(mended)).not.toMatch(/\\u0000|\\ud[89a-f]/i);
    }),
  );
});

test('no nesting is too deep, and a field named __proto__ stays a field', () => {
  const deep = `${'['.repeat(200_000)}"\0"${']'.repeat(200_000)}`;
  expect(toStorableJson(deep)).toBe(deep.replace('\0', '\ufffd'));
  const proto: unknown = toStorable(JSON.parse('{"__proto__":{"x":"\\u0000"}}'));
  expect(JSON.stringify(proto)).toBe('{"__proto__":{"x":"\ufffd"}}');
  expect(Object.getPrototypeOf(proto)).toBe(Object.prototype);
});

test('names that would become equal get a suffix; one that can be stored keeps its spelling', () => {
  const names = ['a\ud83d', 'a\ude00', 'a\ufffd', 'b', 'b'];
  expect([...toStorableNames(names).values()]).toEqual(['a\ufffd_1', 'a\ufffd_2', 'a\ufffd', 'b']);
});

test('names that no URL can hold are changed', () => {
  expect([...toStorableNames(['.', '..', '_', '...']).values()]).toEqual(['__1', '__', '_', '...']);
});

test('different names stay different, also as they are compared', () => {
  fc.assert(
    fc.property(fc.uniqueArray(units, { maxLength: 20 }), (names) => {
      const storable = [...toStorableNames(names).values()];
      expect(storable.every(isStorable)).toBe(true);
      const spelled = new Set(names.map((name) => name.normalize('NFC')));
      const compared = new Set(storable.map((name) => name.normalize('NFC')));
      expect(compared.size).toBeGreaterThanOrEqual(spelled.size);
    }),
  );
});

function edge(source: string, target: string) {
  return { source, target, condition: null };
}

test('the edges of a design follow the names of its agents', () => {
  const design: Design = {
    ...designOf(['a\ud83d', 'a\ude00', 'end\0']),
    edges: [edge('a\ud83d', 'end\0'), edge('a\ude00', 'end\0')],
  };
  const mended = toStorableDesign(design);
  expect(mended.agents.map(({ name }) => name)).toEqual(['a\ufffd', 'a\ufffd_1', 'end\ufffd']);
  expect(mended.edges).toEqual([edge('a\ufffd', 'end\ufffd'), edge('a\ufffd_1', 'end\ufffd')]);
});

test('a schema of an answer stays as its author wrote it', () => {
  const output_schema = { type: 'object', properties: { 'a\ud83d': { type: 'string' } } } as const;
  const design = { ...designOf([]), agents: [{ ...agentOf('a'), output_schema }] };
  expect(toStorableDesign(design).agents[0]?.output_schema).toBe(output_schema);
});

test('designs that are shown together keep names of their own', () => {
  const designs = ['Fast\ud83d', 'Fast\ude00', 'Good'].map((name) => ({
    ...designOf(['a']),
    name,
  }));
  expect(toStorableDesigns(designs).map(({ name }) => name)).toEqual([
    'Fast\ufffd',
    'Fast\ufffd_1',
    'Good',
  ]);
});

test('a design with edges is the same graph, with any units in its names', () => {
  fc.assert(
    fc.property(fc.uniqueArray(units, { minLength: 2, maxLength: 20 }), (names) => {
      const edges = names.slice(1).map((name, at) => edge(names[at] ?? '', name));
      const design: Design = { ...designOf(names), edges };
      fc.pre(checkGraph(design).kind === 'graph');
      const checked = checkGraph(toStorableDesign(design));
      expect(checked.kind).toBe('graph');
      const graph = checked.kind === 'graph' ? checked.graph : null;
      const path = graph?.nodes.map(({ outgoing }) => outgoing.map(({ target }) => target));
      expect(path).toEqual(
        graph?.nodes.map((_, at) => graph.nodes.slice(at + 1, at + 2).map((it) => it.node)),
      );
    }),
  );
});
