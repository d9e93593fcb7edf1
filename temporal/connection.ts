import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { silentTracing, type Tracing } from '../telemetry/tracing.js';
import { CONNECT_TIMEOUT_MS, FIRST_RECONNECT_MS, LONGEST_RECONNECT_MS } from './client/timeouts.js';
import { createKeyRing } from './key-ring.js';
import { createPayloadCodec } from './payload-codec.js';
import { sealEmptyCalls } from './seal-empty-calls.js';
import { traceClientCalls } from './trace-headers.js';

/** Where Temporal is and how to speak to it; both the client and the worker need all of it. */
export interface TemporalOptions {
  readonly address: string;
  readonly namespace: string;
  readonly apiKey: string | null;
  readonly tls: {
    readonly serverName: string | null;
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
  } | null;
}

/** Options that `Connection` and `NativeConnection` take alike. */
export async function connectionOptions(options: TemporalOptions) {
  return {
    address: options.address,
    ...(options.apiKey === null ? {} : { apiKey: options.apiKey }),
    ...(options.tls === null ? {} : { tls: await readTls(options.tls) }),
  };
}

async function readTls(tls: NonNullable<TemporalOptions['tls']>) {
  const { serverName, ca, cert, key } = tls;
  return {
    ...(serverName === null ? {} : { serverNameOverride: serverName }),
    ...(ca === null ? {} : { serverRootCACertificate: await readPem('TEMPORAL_TLS_CA', ca) }),
    ...(cert === null || key === null
      ? {}
      : {
          clientCertPair: {
            crt: await readPem('TEMPORAL_TLS_CERT', cert),
            key: await readPem('TEMPORAL_TLS_KEY', key),
          },
        }),
  };
}

/** @throws Error that names the variable and the file */
async function readPem(variable: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new Error(`${variable} names ${file}, which cannot be read.`, { cause });
  }
}

/** @param masters the encryption keys, newest first */
export function createDataConverter(masters: readonly Buffer[]): DataConverter {
  return { payloadCodecs: [createPayloadCodec(createKeyRing(masters))] };
}

export interface TemporalClient {
  readonly client: Client;
  readonly connection: Connection;
  close(): Promise<void>;
}

/**
 * Connects lazily, so that a process can start while Temporal is away.
 *
 * @param masters the encryption keys, newest first
 */
export async function connectTemporal(
  options: TemporalOptions,
  masters: readonly Buffer[],
  tracing: Tracing = silentTracing,
): Promise<TemporalClient> {
  const connection = Connection.lazy({
    ...(await connectionOptions(options)),
    connectTimeout: CONNECT_TIMEOUT_MS,
    channelArgs: {
      'grpc.initial_reconnect_backoff_ms': FIRST_RECONNECT_MS,
      'grpc.max_reconnect_backoff_ms': LONGEST_RECONNECT_MS,
    },
  });
  const client = new Client({
    connection,
    namespace: options.namespace,
    dataConverter: createDataConverter(masters),
    interceptors: { workflow: [traceClientCalls(tracing), sealEmptyCalls] },
  });
  return { client, connection, close: () => connection.close() };
}
