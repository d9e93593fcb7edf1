import { randomBytes } from 'node:crypto';
import { defaultPayloadConverter } from '@temporalio/common';
import { createKeyRing } from '../../temporal/key-ring.js';
import { createPayloadCodec } from '../../temporal/payload-codec.js';

const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
const codec = createPayloadCodec(createKeyRing([newKey, oldKey]));

const LENGTHS = [10, 255, 256, 5_000, 65_536, 200_000, 3_000_000];
const TEXTS = LENGTHS.map((length) => 'a word, '.repeat(length).slice(0, length));

test('payloads of any length come back as they were, and nothing of them can be read meanwhile', async () => {
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
  await expect(codec.decode([{ ...sealed, data }])).rejects.toThrow();
  const stranger = createPayloadCodec(createKeyRing([randomBytes(32)]));
  await expect(stranger.decode([sealed])).rejects.toThrow('ENCRYPTION_KEY_PREVIOUS');
});
