/** Why a provider refuses a call, in words of ours, and that nothing is billed for it. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Vendor } from '../../domain/agents/models.js';
import { createProviders } from '../support/vendors/providers.js';
import {
  askOnce,
  json,
  startRawProvider,
  type RawProvider,
  type Sent,
} from '../support/vendors/raw.js';

let raw: RawProvider;

beforeAll(async () => {
  raw = await startRawProvider();
});
afterAll(() => raw.close());

function ask(vendor: Vendor, sent: Sent) {
  raw.answer(() => sent);
  return askOnce(raw.providers[vendor], vendor);
}

test.each([
  [
    'openai',
    429,
    { error: { type: 'insufficient_quota', message: 'x' } },
    'model-credit-exhausted',
  ],
  ['openai', 402, { error: { message: 'x' } }, 'model-credit-exhausted'],
  [
    'openai',
    403,
    { error: { code: 'unsupported_country_region_territory' } },
    'model-region-refused',
  ],
  ['openai', 401, { error: { code: 'invalid_api_key' } }, 'model-key-refused'],
  [
    'anthropic',
    400,
    {
      type: 'error',
      error: {
        type: 'invalid_request_error',
        message: 'Your credit balance is too low to access the Anthropic API.',
      },
    },
    'model-credit-exhausted',
  ],
  [
    'anthropic',
    400,
    { type: 'error', error: { type: 'invalid_request_error', message: 'max_tokens: too large' } },
    'model-request-invalid',
  ],
  [
    'google',
    400,
    {
      error: {
        status: 'FAILED_PRECONDITION',
        message: 'User location is not supported for the API use.',
      },
    },
    'model-region-refused',
  ],
  [
    'google',
    400,
    { error: { status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID' }] } },
    'model-key-refused',
  ],
] as const)('%s refuses with %i: %j', async (vendor, status, body, code) => {
  expect(await ask(vendor, { ...json(body), status })).toEqual({ code, billing: 'none' });
});

test.each(['openai', 'anthropic', 'google'] as const)(
  '%s: a page with status 403 is a firewall on the way, not the key',
  async (vendor) => {
    const sent = { body: '<html>Access denied</html>', status: 403, type: 'text/html' };
    expect(await ask(vendor, sent)).toEqual({ code: 'model-blocked', billing: 'none' });
    const check = await raw.providers[vendor].checkKey({
      apiKey: 'sk-key',
      signal: new AbortController().signal,
      timeoutMs: 10_000,
    });
    expect(check.kind).toBe('unchecked');
  },
);

test.each(['openai', 'anthropic', 'google'] as const)(
  '%s: where no server listens, nothing was sent and nothing is billed',
  async (vendor) => {
    const closed = createServer();
    closed.listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const url = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
    closed.close();
    await once(closed, 'close');
    const unreachable = createProviders({
      openAiUrl: `${url}/v1`,
      anthropicUrl: url,
      googleUrl: url,
    });
    const seen = await askOnce(unreachable[vendor], vendor);
    expect(seen).toEqual({ code: 'model-unavailable', billing: 'none' });
  },
);
