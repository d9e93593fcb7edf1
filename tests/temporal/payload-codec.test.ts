import { createCipheriv, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import {
  defaultPayloadConverter,
  type Payload,
  type SerializationContext,
} from '@temporalio/common';
import { createKeyRing } from '../../temporal/key-ring.js';
import { createPayloadCodec } from '../../temporal/payload-codec.js';

const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
const codec = createPayloadCodec(createKeyRing([newKey, oldKey]));

const LENGTHS = [10, 255, 256, 5_000, 65_536, 200_000, 3_000_000];
const TEXTS = LENGTHS.map((length) => 'a word, '.repeat(length).slice(0, length));

test('payloads of any length come back as they were, and cannot be read meanwhile', async () => {
  const payloads = TEXTS.map((text) => defaultPayloadConverter.toPayload({ text }));
  const sealed = await codec.encode(payloads);
  for (const { data } of sealed) {
    expect(Buffer.from(data ?? []).includes('a word')).toBe(false);
  }
  const opened = await codec.decode(sealed);
  expect(opened.map((payload) => defaultPayloadConverter.fromPayload(payload))).toEqual(
    TEXTS.map((text) => ({ text })),
  );
});

test('long payloads get smaller, also where chance makes them as long as they can be', async () => {
  const random = randomBytes(100_000).toString('base64');
  const [long, incompressible] = await codec.encode(
    [TEXTS.at(-1), random].map((text) => defaultPayloadConverter.toPayload(text)),
  );
  expect(long?.data?.length).toBeLessThan(100_000);
  const [opened] = await codec.decode(incompressible === undefined ? [] : [incompressible]);
  expect(opened && defaultPayloadConverter.fromPayload(opened)).toBe(random);
});

test('an older key of the ring opens what it has sealed; a changed byte is noticed', async () => {
  const old = createPayloadCodec(createKeyRing([oldKey]));
  const [sealed] = await old.encode([defaultPayloadConverter.toPayload('secret')]);
  if (sealed?.data == null) {
    throw new Error('nothing was sealed');
  }
  const [opened] = await codec.decode([sealed]);
  expect(opened && defaultPayloadConverter.fromPayload(opened)).toBe('secret');
  const data = Uint8Array.from(sealed.data);
  data[data.length - 1] = (data.at(-1) ?? 0) ^ 1;
  await expect(codec.read({ ...sealed, data })).rejects.toThrow();
  const stranger = createPayloadCodec(createKeyRing([randomBytes(32)]));
  await expect(stranger.read(sealed)).rejects.toThrow('ENCRYPTION_KEY_PREVIOUS');
});

describe('what is decoded to be obeyed', () => {
  const json = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
  const here = { type: 'workflow', namespace: 'default', workflowId: 'here' } as const;
  const sealedHere = async (value: unknown): Promise<Payload> =>
    (await codec.encode([json(value)], here))[0] ?? {};
  const decoded = async (payload: Payload, context: SerializationContext = here, by = codec) => {
    const [first = {}] = await by.decode([payload], context);
    return defaultPayloadConverter.fromPayload(first);
  };

  test('is sealed for that workflow, and its parts', async () => {
    const activity = { ...here, type: 'activity', isLocal: false } as const;
    for (const context of [here, activity]) {
      expect(await decoded(await sealedHere({ a: 1 }), context)).toEqual({ a: 1 });
    }
    expect(await decoded(await sealedHere(undefined))).toBeUndefined();
  });

  test('or was sealed by an older release, for none', async () => {
    const [sealed = {}] = await codec.encode([json({ a: 1 })]);
    expect(await decoded(sealed)).toEqual({ a: 1 });
  });

  test.each([
    ['plain', () => Promise.resolve(json({ a: 1 })), 'unsealed'],
    [
      'plain and no JSON',
      () =>
        Promise.resolve({
          metadata: { encoding: Buffer.from('json/plain') },
          data: Buffer.from('{'),
        }),
      'unsealed',
    ],
    ['empty', () => Promise.resolve({}), 'unsealed'],
    [
      'of another workflow',
      async () => (await codec.encode([json({ a: 1 })], { ...here, workflowId: 'there' }))[0] ?? {},
      'of-another-workflow',
    ],
    [
      'of an unknown key',
      async () =>
        (await createPayloadCodec(createKeyRing([randomBytes(32)])).encode([json(1)]))[0] ?? {},
      'unknown-key',
    ],
    ['cut', async () => ({ ...(await sealedHere(1)), data: Buffer.alloc(3) }), 'unreadable'],
    [
      'without data',
      async () => ({ metadata: (await sealedHere(1)).metadata ?? {} }),
      'unreadable',
    ],
    [
      'said to be gzip',
      async () => {
        const sealed = await sealedHere(1);
        return { ...sealed, metadata: { ...sealed.metadata, compression: Buffer.from('gzip') } };
      },
      'unreadable',
    ],
  ] as const)('is not: %s', async (_, make, reason) => {
    expect(await decoded(await make())).toMatchObject({ agentforgeRejected: reason });
  });

  test('however deep it is nested, and its value is kept while it is short', async () => {
    const nested = (depth: number): Payload => ({
      metadata: { encoding: Buffer.from('json/plain') },
      data: Buffer.from('['.repeat(depth) + ']'.repeat(depth)),
    });
    const [deep, long] = await codec.decode([nested(30_000), nested(1_000_000)], here);
    expect(Buffer.from(deep?.data ?? []).toString()).toMatch(
      /^\{"agentforgeRejected":"unsealed","value":\[{30000}\]{30000}\}$/,
    );
    expect(Buffer.from(long?.data ?? []).toString()).toBe('{"agentforgeRejected":"unsealed"}');
    expect(await decoded(json({ a: 'b' }))).toEqual({
      agentforgeRejected: 'unsealed',
      value: { a: 'b' },
    });
  });

  test('a text that gzip makes endless is not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(100_000_000));
    const ring = createKeyRing([newKey]);
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', ring.current.key, nonce);
    const data = Buffer.concat([nonce, cipher.update(bomb), cipher.final(), cipher.getAuthTag()]);
    const { metadata } = await sealedHere('x'.repeat(1_000));
    expect(await decoded({ metadata: metadata ?? {}, data })).toMatchObject({
      agentforgeRejected: 'unreadable',
    });
  });

  test('while keys are changed, a process without the new one tries again later', async () => {
    const old = createPayloadCodec(createKeyRing([oldKey]));
    await expect(decoded(await sealedHere(1), here, old)).rejects.toThrow('ENCRYPTION_KEY');
    const { metadata, data } = await sealedHere(1);
    const forged = { ...metadata, 'encryption-key-id': Buffer.from('01234567') };
    expect(
      await decoded({ metadata: forged, data: data ?? Buffer.alloc(0) }, here, old),
    ).toMatchObject({
      agentforgeRejected: 'unknown-key',
    });
  });
});
