/**
 * `fetch` for servers that users have registered: the address is looked up once, by the guard that refuses private
 * ones, and the connection goes to exactly what was looked up. No redirect is followed.
 */
import { request, type IncomingMessage } from 'node:http';
import type { connect } from 'node:net';
import { Readable } from 'node:stream';
import { CrawlFailed } from '../../collector/crawl-failed.js';
import { createDial, type Dial } from '../../collector/dial.js';
import { createGuard, type Guard } from '../../collector/guard.js';
import { createResolver, type Resolve } from '../../collector/resolver.js';
import type { AllowedAddress } from '../../domain/security/allowed-addresses.js';
import { ModelCallError } from './vendor-errors.js';

export interface GuardedFetchDeps {
  /** Private addresses that the operator lets endpoints lead to. */
  readonly allowed: readonly AllowedAddress[];
  /** Default: the system's name servers. */
  readonly resolve?: Resolve;
  /** Default: Node's own. */
  readonly connect?: typeof connect;
}

export function createGuardedFetch(deps: GuardedFetchDeps) {
  const { allowed, resolve = createResolver() } = deps;
  const guard = createGuard({ allowed, resolve: withLocalhost(resolve) });
  const dial = createDial({ guard, ...(deps.connect ? { connect: deps.connect } : {}) });
  return async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const asked = new Request(input, init);
    try {
      return await ask({ guard, dial }, asked, await asked.text());
    } catch (error) {
      throw error instanceof CrawlFailed ? toCallError(error) : error;
    }
  };
}

/** Name servers do not know the name, which an operator may still allow. */
function withLocalhost(resolve: Resolve): Resolve {
  return (name, signal) =>
    name === 'localhost' ? Promise.resolve(['127.0.0.1', '::1']) : resolve(name, signal);
}

async function ask(
  { guard, dial }: { readonly guard: Guard; readonly dial: Dial },
  asked: Request,
  body: string,
): Promise<Response> {
  const { signal } = asked;
  const url = new URL(asked.url);
  const connection = await dial(await guard.locate(url, signal), signal);
  const headers = {
    ...Object.fromEntries(asked.headers),
    host: url.host,
    'accept-encoding': 'identity',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  const outgoing = request({
    createConnection: () => connection,
    ...{ method: asked.method, path: `${url.pathname}${url.search}`, headers, signal },
  });
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.once('response', resolve);
    outgoing.end(body);
  });
  const { statusCode: status = 502 } = incoming;
  if (status >= 300 && status < 400) {
    connection.destroy();
    throw new ModelCallError(
      'model-address-refused',
      'the endpoint redirects to another address, which is not followed',
      { billing: 'none', status },
    );
  }
  return new Response(Readable.toWeb(incoming), { status, headers: toHeaders(incoming) });
}

function toHeaders({ headersDistinct }: IncomingMessage): [string, string][] {
  return Object.entries(headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value]),
  );
}

/** What the guard has refused was not sent, and what could not be reached neither. */
function toCallError({ code, message }: CrawlFailed): ModelCallError {
  return code === 'refused-address'
    ? new ModelCallError('model-address-refused', `the endpoint's address is refused: ${message}`, {
        billing: 'none',
      })
    : new ModelCallError('model-unavailable', `the endpoint could not be reached: ${message}`, {
        billing: 'none',
      });
}
