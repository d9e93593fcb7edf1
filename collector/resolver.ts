import { promises as dns } from 'node:dns';

/** All addresses of a name, IPv4 and IPv6; empty if it has none or is unknown. */
export type Resolve = (name: string, signal: AbortSignal) => Promise<readonly string[]>;

const TIMEOUT_MS = 2_000;
const TRIES = 2;

/**
 * Asks the name servers of the system, not `/etc/hosts`: what stands there is this machine's own
 * business. Each question has its own sockets, so that slow name servers delay no other lookup.
 */
export function createResolver(): Resolve {
  return async (name, signal) => {
    const resolver = new dns.Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
    const cancel = (): void => {
      resolver.cancel();
    };
    signal.addEventListener('abort', cancel);
    try {
      const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
      signal.throwIfAborted();
      return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  };
}
