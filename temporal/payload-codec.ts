/**
 * What Temporal stores of us: every payload gzipped where that helps, then sealed with
 * AES-256-GCM, naming the key that opens it. Headers and search attributes are not covered by
 * codecs, so they carry ids only.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gunzipSync, gzip, gzipSync } from 'node:zlib';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto'; // CommonJS whose names Node cannot see
import { DomainError } from '../domain/errors.js';
import type { KeyRing, RingKey } from './key-ring.js';

const ENCODING = 'binary/encrypted';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Below this, gzip's header costs more than it saves. */
const MIN_GZIP_BYTES = 256;

/** Up to here the way to another thread and back costs more than the work, in time and in CPU. */
const MAX_SYNC_BYTES = 65_536;

/** Texts and lists of ids become 4 to 10 times smaller. */
const MAX_RATIO = 8;

const compressElsewhere = promisify(gzip);
const decompressElsewhere = promisify(gunzip);
const { Payload: WirePayload } = proto.temporal.api.common.v1;

export function createPayloadCodec(ring: KeyRing): PayloadCodec {
  return {
    encode: (payloads) => Promise.all(payloads.map((payload) => seal(payload, ring.current))),
    decode: (payloads) => Promise.all(payloads.map((payload) => open(payload, ring))),
  };
}

async function seal(payload: Payload, { id, key }: RingKey): Promise<Payload> {
  const plain = WirePayload.encode(payload).finish();
  const isLong = plain.length >= MIN_GZIP_BYTES;
  const packed = isLong ? await compress(plain) : plain;
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const data = Buffer.concat([nonce, cipher.update(packed), cipher.final(), cipher.getAuthTag()]);
  return {
    metadata: {
      encoding: bytesOf(ENCODING),
      'encryption-key-id': bytesOf(id),
      ...(isLong ? { compression: bytesOf('gzip') } : {}),
    },
    data,
  };
}

async function open(payload: Payload, ring: KeyRing): Promise<Payload> {
  const { metadata, data } = payload;
  if (textOf(metadata?.['encoding']) !== ENCODING || data == null) {
    return payload;
  }
  const id = textOf(metadata?.['encryption-key-id']);
  const ringKey = ring.find(id);
  if (ringKey === undefined) {
    throw new DomainError(
      'internal',
      `no key "${id}" for a stored payload: keep the old key in ENCRYPTION_KEY_PREVIOUS`,
    );
  }
  const nonce = data.subarray(0, NONCE_BYTES);
  const tag = data.subarray(data.length - TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', ringKey.key, nonce, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(tag);
  const sealed = data.subarray(NONCE_BYTES, data.length - TAG_BYTES);
  const packed = Buffer.concat([decipher.update(sealed), decipher.final()]);
  const isZipped = textOf(metadata?.['compression']) === 'gzip';
  return WirePayload.decode(isZipped ? await decompress(packed) : packed);
}

async function compress(plain: Uint8Array): Promise<Uint8Array> {
  return plain.length <= MAX_SYNC_BYTES ? gzipSync(plain) : compressElsewhere(plain);
}

async function decompress(packed: Uint8Array): Promise<Uint8Array> {
  return packed.length <= MAX_SYNC_BYTES / MAX_RATIO
    ? gunzipSync(packed)
    : decompressElsewhere(packed);
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

function textOf(bytes: Uint8Array | null | undefined): string {
  return bytes == null ? '' : Buffer.from(bytes).toString('utf8');
}
