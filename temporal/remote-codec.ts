/**
 * The codec as Temporal's Web UI and CLI ask for it over HTTP: decode only. Payloads travel as
 * protobuf's JSON. Source: temporalio/samples-go, codec-server/protocol.md.
 */
import type { Payload } from '@temporalio/common';
import { createKeyRing } from './key-ring.js';
import { createPayloadCodec } from './payload-codec.js';

/** All bytes in base64. */
export interface JsonPayload {
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly data?: string | undefined;
}

export interface Decoded {
  /** In order; what could not be opened is as it came. */
  readonly payloads: readonly JsonPayload[];
  /** How many could not be opened. */
  readonly unreadable: number;
}

export type DecodePayloads = (payloads: readonly JsonPayload[]) => Promise<Decoded>;

/**
 * Opens each payload on its own, so that one of a key that is no more, or of no codec of ours, does
 * not keep the others shut.
 *
 * @param masters the encryption keys, newest first
 */
export function createRemoteDecoder(masters: readonly Buffer[]): DecodePayloads {
  const codec = createPayloadCodec(createKeyRing(masters));
  const open = async (sealed: JsonPayload): Promise<JsonPayload | null> => {
    try {
      return jsonOf(await codec.read(payloadOf(sealed)));
    } catch {
      return null; // an unknown key, or bytes that it has not sealed: never told apart
    }
  };
  return async (payloads) => {
    const opened = await Promise.all(payloads.map(open));
    return {
      payloads: opened.map((payload, index) => payload ?? payloads[index] ?? {}),
      unreadable: opened.filter((payload) => payload === null).length,
    };
  };
}

function payloadOf({ metadata = {}, data = '' }: JsonPayload): Payload {
  const entries = Object.entries(metadata);
  return {
    metadata: Object.fromEntries(entries.map(([name, value]) => [name, bytesOf(value)])),
    data: bytesOf(data),
  };
}

function jsonOf({ metadata, data }: Payload): JsonPayload {
  const entries = Object.entries(metadata ?? {});
  return {
    metadata: Object.fromEntries(entries.map(([name, value]) => [name, base64Of(value)])),
    data: base64Of(data ?? new Uint8Array()),
  };
}

function bytesOf(base64: string): Uint8Array {
  return Buffer.from(base64, 'base64');
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
