/**
 * What Temporal stores of us: every payload gzipped where that helps, then sealed with
 * AES-256-GCM, naming the key that opens it, and inside the seal the workflow that it is for.
 * Headers and search attributes are not covered by codecs, so they carry ids only.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gunzipSync, gzip, gzipSync } from 'node:zlib';
import {
  defaultPayloadConverter,
  type Payload,
  type PayloadCodec,
  type SerializationContext,
} from '@temporalio/common';
import proto from '@temporalio/proto'; // CommonJS whose names Node cannot see
import { DomainError } from '../domain/errors.js';
import type { RejectionReason, Rejected } from '../domain/security/rejections.js';
import type { KeyRing } from './key-ring.js';

const ENCODING = 'binary/encrypted';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Below this, gzip saves little and costs more processor time than all else that a payload needs. */
const MIN_GZIP_BYTES = 1_024;

/** Up to here the way to another thread and back costs more than the work, in time and in CPU. */
const MAX_SYNC_BYTES = 65_536;

/** Texts and lists of ids become 4 to 10 times smaller. */
const MAX_RATIO = 8;

/** Far above what Temporal stores of us: a payload is 2 MiB at most when it is sealed. */
const MAX_PLAIN_BYTES = 67_108_864;

/** In the metadata of a payload before it is sealed: releases up to 0.5.0 overlook it. */
const WORKFLOW = 'agentforge-workflow';
/** Beside the seal: see `KeyRing.introductions`. */
const INTRODUCTIONS = 'encryption-key-introductions';

const compressElsewhere = promisify(gzip);
const decompressElsewhere = promisify(gunzip);
const { Payload: WirePayload } = proto.temporal.api.common.v1;

/** Opens payloads for people to read, where nothing is done that they say. */
export interface PayloadReader {
  /** What is not sealed comes back as it is. @throws where the key is missing or the bytes are not ours */
  read(payload: Payload): Promise<Payload>;
}

/**
 * What `decode` opens may be obeyed. The value of a payload that is not sealed, cannot be opened or
 * was sealed for another workflow is a `Rejected`. It throws in one case only: the payload's key is
 * a newer one of this installation, which this process gets with its next start.
 */
export function createPayloadCodec(ring: KeyRing): PayloadCodec & PayloadReader {
  return {
    encode: (payloads, context) =>
      Promise.all(payloads.map((payload) => seal(payload, ring, context?.workflowId))),
    decode: (payloads, context) =>
      Promise.all(payloads.map((payload) => openOrReject(payload, { ring, context }))),
    async read(payload) {
      return isSealed(payload) ? (await open(payload, ring)).payload : payload;
    },
  };
}

async function seal(
  payload: Payload,
  { current: { id, key }, introductions }: KeyRing,
  workflowId: string | undefined,
): Promise<Payload> {
  const bound = workflowId === undefined ? payload : withWorkflow(payload, workflowId);
  const plain = WirePayload.encode(bound).finish();
  if (plain.length > MAX_PLAIN_BYTES) {
    throw new DomainError('internal', `a payload of ${plain.length} bytes is not sealed`);
  }
  const isLong = plain.length >= MIN_GZIP_BYTES;
  const packed = isLong ? await compress(plain) : plain;
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const data = Buffer.concat([nonce, cipher.update(packed), cipher.final(), cipher.getAuthTag()]);
  return {
    metadata: {
      encoding: bytesOf(ENCODING),
      'encryption-key-id': bytesOf(id),
      ...(introductions === '' ? {} : { [INTRODUCTIONS]: bytesOf(introductions) }),
      ...(isLong ? { compression: bytesOf('gzip') } : {}),
    },
    data,
  };
}

interface Opening {
  readonly ring: KeyRing;
  readonly context: SerializationContext | undefined;
}

async function openOrReject(payload: Payload, { ring, context }: Opening): Promise<Payload> {
  if (!isSealed(payload)) {
    return rejected('unsealed', payload);
  }
  if (ring.find(keyIdOf(payload)) === undefined) {
    if (ring.isIntroduced(keyIdOf(payload), textOf(payload.metadata?.[INTRODUCTIONS]))) {
      throw missingKey(payload);
    }
    return rejected('unknown-key');
  }
  try {
    const opened = await open(payload, ring);
    const expected = context?.workflowId;
    const isForeign =
      opened.workflowId !== null && expected !== undefined && opened.workflowId !== expected;
    return isForeign ? rejected('of-another-workflow', opened.payload) : opened.payload;
  } catch {
    return rejected('unreadable');
  }
}

interface Opened {
  readonly payload: Payload;
  /** null: sealed by a release up to 0.5.0, or for none */
  readonly workflowId: string | null;
}

async function open(payload: Payload, ring: KeyRing): Promise<Opened> {
  const { metadata } = payload;
  const data = payload.data ?? new Uint8Array();
  const ringKey = ring.find(keyIdOf(payload));
  if (ringKey === undefined) {
    throw missingKey(payload);
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
  const opened = WirePayload.decode(isZipped ? await decompress(packed) : packed);
  const { [WORKFLOW]: workflow, ...others } = opened.metadata;
  return {
    payload: { metadata: others, data: opened.data },
    workflowId: workflow === undefined ? null : textOf(workflow),
  };
}

function withWorkflow({ metadata, data }: Payload, workflowId: string): Payload {
  return { metadata: { ...metadata, [WORKFLOW]: bytesOf(workflowId) }, ...(data ? { data } : {}) };
}

/** Its original is kept where it can be read: what older releases decided on is replayed with it. */
function rejected(reason: RejectionReason, original?: Payload): Payload {
  const value: Rejected = { agentforgeRejected: reason };
  const json = originalJson(original);
  const payload = defaultPayloadConverter.toPayload(value);
  return json === null ? payload : { ...payload, data: bytesOf(withValue(value, json)) };
}

/** Beyond it nothing is kept: no release has obeyed more, and anybody could have it read. */
const MAX_ORIGINAL_BYTES = 65_536;

/** @returns the JSON text of a value that could be read; null for all else */
function originalJson(original: Payload | undefined): string | null {
  const isJson = textOf(original?.metadata?.['encoding']).startsWith('json/');
  const { data } = original ?? {};
  if (!isJson || data == null || data.length > MAX_ORIGINAL_BYTES) {
    return null;
  }
  const json = textOf(data);
  try {
    JSON.parse(json);
    return json;
  } catch {
    return null;
  }
}

/** Joins texts: a value that is nested deeply can be read, but not written again. */
function withValue(value: Rejected, json: string): string {
  return `${JSON.stringify(value).slice(0, -1)},"value":${json}}`;
}

function isSealed({ metadata }: Payload): boolean {
  return textOf(metadata?.['encoding']) === ENCODING;
}

function keyIdOf({ metadata }: Payload): string {
  return textOf(metadata?.['encryption-key-id']);
}

function missingKey(payload: Payload): DomainError {
  return new DomainError(
    'internal',
    `no key "${keyIdOf(payload).slice(0, 16)}" for a stored payload: keep the old key in ENCRYPTION_KEY_PREVIOUS`,
  );
}

async function compress(plain: Uint8Array): Promise<Uint8Array> {
  return plain.length <= MAX_SYNC_BYTES ? gzipSync(plain) : compressElsewhere(plain);
}

async function decompress(packed: Uint8Array): Promise<Uint8Array> {
  const bound = { maxOutputLength: MAX_PLAIN_BYTES };
  return packed.length <= MAX_SYNC_BYTES / MAX_RATIO
    ? gunzipSync(packed, bound)
    : decompressElsewhere(packed, bound);
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

function textOf(bytes: Uint8Array | null | undefined): string {
  return bytes == null ? '' : Buffer.from(bytes).toString('utf8');
}
