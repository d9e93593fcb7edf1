/** Connections to exactly the addresses that the guard has seen. */
import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectSecurely } from 'node:tls';
import { destinationOf } from '../domain/security/allowed-addresses.js';
import { CrawlFailed } from './crawl-failed.js';
import type { Guard, Target } from './guard.js';

/** Opens a connection on which an HTTP request may be sent. @throws CrawlFailed */
export type Dial = (target: Target, signal: AbortSignal) => Promise<Duplex>;

export interface DialDeps {
  readonly guard: Pick<Guard, 'requireOpen'>;
  /** Default: Node's own. */
  readonly connect?: typeof connect;
}

export function createDial(deps: DialDeps): Dial {
  return async (target, signal) => {
    const socket = await openSocket(target, deps, signal);
    try {
      deps.guard.requireOpen(target.url, socket.remoteAddress ?? '');
      return target.url.protocol === 'https:' ? await secure(socket, target.url) : socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  };
}

async function openSocket(
  { url, addresses }: Target,
  deps: DialDeps,
  signal: AbortSignal,
): Promise<Socket> {
  const open = deps.connect ?? connect;
  const socket = open({
    ...destinationOf(url),
    lookup: answering(addresses),
    autoSelectFamily: true,
    signal,
  });
  socket.on('error', () => undefined); // the caller gets it; an 'error' event without a listener would crash Node
  await happens(socket, 'connect').catch((cause: unknown) => {
    throw new CrawlFailed('connection-failed', `no connection to ${url.host}`, { cause });
  });
  return socket;
}

/** In place of the system's look-up: the answer is known. */
function answering(addresses: readonly string[]): LookupFunction {
  const known = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_name, { all }, callback) => {
    const [first] = known;
    if (all === true) {
      callback(null, known);
    } else {
      callback(null, first?.address ?? '', first?.family);
    }
  };
}

async function secure(socket: Socket, url: URL): Promise<Duplex> {
  const { host } = destinationOf(url);
  const channel = connectSecurely({
    socket,
    host, // whom the certificate has to name
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ['http/1.1'],
  });
  await happens(channel, 'secureConnect').catch((cause: unknown) => {
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    throw new CrawlFailed('tls-failed', `no secure connection to ${url.host}${why}`, { cause });
  });
  return channel;
}

/** Rejects when the stream ends or fails before. */
async function happens(stream: Duplex, event: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    stream.once(event, resolve);
    stream.once('error', reject);
    stream.once('close', () => {
      reject(new Error('connection closed'));
    });
  });
}
