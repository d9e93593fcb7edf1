import { randomBytes } from 'node:crypto';
import { makeBundle } from '../../audit/bundle.js';
import type { ContentEntry } from '../../audit/contents.js';
import { checkIntegrity } from '../../audit/integrity.js';
import { canonicalJson } from '../../audit/canonical.js';
import { createSigner } from '../../audit/signing.js';

const signer = createSigner(randomBytes(32));

const CONTENTS: readonly ContentEntry[] = [
  { kind: 'design', data: { name: 'Réader', agents: [{ name: 'a', temperature: 0.5 }] } },
  {
    kind: 'history',
    data: { state: 'archived', workflow_id: 'pipeline-1', run_id: 'r', events: 1 },
  },
  { kind: 'event', data: { eventId: '1', 1: [true, null], 10: '€😀' } },
];
const { text, head } = makeBundle(CONTENTS, signer);
const FILE = Buffer.from(text, 'utf8');

const isIntact = (file: Uint8Array): boolean => checkIntegrity(file).kind === 'intact';
const problemOf = (file: Uint8Array | string): string => {
  const checked = checkIntegrity(typeof file === 'string' ? Buffer.from(file) : file);
  return checked.kind === 'broken' ? checked.problem : 'none';
};

test('what was signed is intact, and says by which key', () => {
  expect(checkIntegrity(FILE)).toEqual({
    kind: 'intact',
    contents: CONTENTS.map(({ kind, data }) => ({ kind, data })),
    keyId: signer.keyId,
    head,
  });
});

test('a change of any bit of any byte is detected', () => {
  const undetected: string[] = [];
  for (let at = 0; at < FILE.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const changed = Uint8Array.from(FILE);
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      if (isIntact(changed)) {
        undetected.push(`byte ${at}, bit ${bit}`);
      }
    }
  }
  expect(undetected).toEqual([]);
});

test('so is any other byte in the place of one, one that is left out, and one more', () => {
  const undetected: number[] = [];
  for (let at = 0; at <= FILE.length; at += 1) {
    const other = ((FILE[at] ?? 0) + 1 + (at % 255)) % 256;
    const before = FILE.subarray(0, at);
    const changes = [
      [before, Buffer.from([other]), FILE.subarray(at)],
      ...(at < FILE.length
        ? [
            [before, Buffer.from([other]), FILE.subarray(at + 1)],
            [before, FILE.subarray(at + 1)],
          ]
        : []),
    ];
    undetected.push(...changes.filter((parts) => isIntact(Buffer.concat(parts))).map(() => at));
  }
  expect(undetected).toEqual([]);
});

test('the report names what was changed: the entry, or the byte', () => {
  const byteOf = (at: number) => Buffer.byteLength(text.slice(0, at));
  const start = text.lastIndexOf('{"data":{"1":');
  const end = text.indexOf('],"format"') - 1;
  expect(problemOf(text.replace('"eventId":"1"', '"eventId":"2"'))).toBe(
    `entry 2 (event), bytes ${byteOf(start)} to ${byteOf(end)}: is not what was archived`,
  );
  expect(problemOf(text.replace('"seq":1', '"seq":0'))).toMatch(/^entry 1 \(history\)/);
  expect(problemOf(text.replace(',"format"', ', "format"'))).toMatch(/^byte \d+: .*canonical/);
  expect(problemOf(`${text}\n`)).toBe(
    `byte ${FILE.length}: the file is not canonical JSON (RFC 8785) from here on`,
  );
  expect(problemOf(text.slice(1))).toMatch(/^the file is no JSON/);
  expect(problemOf(Buffer.concat([Buffer.from([0xff]), FILE]))).toMatch(/^the file is no JSON/);
  expect(problemOf(text.replace('audit/1', 'audit/2'))).toMatch(/^\[format\]/);
});

test('entries cannot be moved, left out or taken from another bundle', () => {
  const { entries, ...rest } = JSON.parse(text);
  const fileOf = (changed: readonly unknown[]) => canonicalJson({ ...rest, entries: changed });
  expect(problemOf(fileOf([entries[1], entries[0], entries[2]]))).toMatch(/^entry 0/);
  expect(problemOf(fileOf(entries.slice(0, 2)))).toMatch(/^signature/);
  expect(problemOf(fileOf([]))).toMatch(/^\[entries\]/);
  const other = JSON.parse(makeBundle([...CONTENTS].reverse(), signer).text);
  expect(problemOf(fileOf([...entries.slice(0, 2), other.entries[2]]))).toMatch(/^entry 2/);
});

test('a signature of another key is named by that key', () => {
  const stranger = createSigner(randomBytes(32));
  const forged = makeBundle(CONTENTS, stranger).text;
  expect(checkIntegrity(Buffer.from(forged))).toMatchObject({ keyId: stranger.keyId });
  const pretended = forged.replace(stranger.keyId, signer.keyId);
  expect(problemOf(pretended)).toMatch(/^signature/);
  const { entries } = JSON.parse(text);
  expect(problemOf(canonicalJson({ ...JSON.parse(forged), entries }))).toBe('none'); // the same contents
});

test('what the contents are not promised to be is not signed', () => {
  const unknown = [{ kind: 'gossip', data: {} }];
  expect(() => makeBundle(JSON.parse(JSON.stringify(unknown)), signer)).toThrow();
});
