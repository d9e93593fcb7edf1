/**
 * Which addresses may be read. It is asked before each request, and again by the socket that has
 * connected: nothing is looked up in between, so that no name can change its meaning.
 */
import {
  destinationOf,
  isAllowed,
  type AllowedAddress,
} from '../domain/security/allowed-addresses.js';
import { parseAddress } from '../domain/security/ip-addresses.js';
import { isPrivateAddress, isPrivateHost } from '../domain/security/private-addresses.js';
import { CrawlFailed } from './crawl-failed.js';
import type { Resolve } from './resolver.js';

/** A URL and the only addresses at which it may be read. */
export interface Target {
  readonly url: URL;
  readonly addresses: readonly string[];
}

export interface Guard {
  /** Why a URL must not be read, as far as its spelling shows; null: it may. */
  refusalOf(url: URL): string | null;
  /** @throws CrawlFailed `refused-address`, `unresolvable` */
  locate(url: URL, signal: AbortSignal): Promise<Target>;
  /** @throws CrawlFailed unless the address is one where the URL may be read */
  requireOpen(url: URL, address: string): void;
}

export interface GuardDeps {
  readonly resolve: Resolve;
  readonly allowed: readonly AllowedAddress[];
}

const PRIVATE = 'the address is private';
const WEB_PORTS = [80, 443];
/** Below it are the ports of mail, shells and the like, where a request could do harm. */
const FIRST_UNPRIVILEGED_PORT = 1_024;

export function createGuard({ resolve, allowed }: GuardDeps): Guard {
  const isHostAllowed = (url: URL) => isAllowed(allowed, destinationOf(url));
  const isOpen = (url: URL, address: string) =>
    isHostAllowed(url) ||
    !isPrivateAddress(address) ||
    isAllowed(allowed, { host: address, port: destinationOf(url).port });

  const guard: Guard = {
    refusalOf(url) {
      if (!['http:', 'https:'].includes(url.protocol)) {
        return 'only http and https addresses are collected';
      }
      if (url.username !== '' || url.password !== '') {
        return 'an address must not name a user or a password';
      }
      if (isHostAllowed(url)) {
        return null;
      }
      const { port } = destinationOf(url);
      return port < FIRST_UNPRIVILEGED_PORT && !WEB_PORTS.includes(port)
        ? `port ${port} is not for web pages`
        : isPrivateHost(url.hostname)
          ? PRIVATE
          : null;
    },
    async locate(url, signal) {
      const refusal = guard.refusalOf(url);
      if (refusal !== null) {
        throw new CrawlFailed('refused-address', refusal);
      }
      const { host } = destinationOf(url);
      const addresses = parseAddress(host) === null ? await resolve(host, signal) : [host];
      if (addresses.length === 0) {
        throw new CrawlFailed('unresolvable', `the name ${host} has no address`);
      }
      addresses.forEach((address) => {
        guard.requireOpen(url, address);
      });
      return { url, addresses };
    },
    requireOpen(url, address) {
      if (!isOpen(url, address)) {
        throw new CrawlFailed('refused-address', PRIVATE);
      }
    },
  };
  return guard;
}
