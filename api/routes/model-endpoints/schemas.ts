import { z } from 'zod';
import { MAX_ENDPOINT_MODELS } from '../../../domain/agents/endpoints.js';
import { list, text, uuid, valueError } from '../../http/schemas/fields.js';

const MAX_URL = 500;
const MAX_KEY = 500;
const MAX_CONTEXT = 100_000_000;

/** How designs name it, before the slash. */
const endpointName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/)
  .meta({
    description: 'Small letters, digits and hyphens: designs name models `<name>/<model>`',
  });

/** As the server calls it, without spaces. */
const modelName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$/);

/** As a text, so that no float touches money. */
const usd = z.string().regex(/^\d{1,9}(?:\.\d{1,6})?$/);

const price = z
  .strictObject({
    input_usd_per_million: usd,
    output_usd_per_million: usd,
    cache_read_usd_per_million: usd.optional(),
    cache_write_usd_per_million: usd.optional(),
  })
  .meta({ id: 'EndpointPrice' });

const baseUrl = text({ min: 1, max: MAX_URL }).check((check) => {
  const problem = findUrlProblem(check.value);
  if (problem !== null) {
    check.issues.push(valueError(check.value, problem));
  }
});

function findUrlProblem(value: string): string | null {
  if (!URL.canParse(value)) {
    return 'not an address';
  }
  const { protocol, username, password, search, hash } = new URL(value);
  if (!['http:', 'https:'].includes(protocol)) {
    return 'only http and https addresses are called';
  }
  return username + password + search + hash === ''
    ? null
    : 'an address must not name a user, a password, a query or a fragment';
}

export const storeEndpointBody = z
  .object({
    name: endpointName,
    base_url: baseUrl.meta({ description: 'With the version, as `https://host/v1`' }),
    api_key: z
      .string()
      .regex(/^[\x21-\x7e]+$/)
      .max(MAX_KEY)
      .nullable()
      .default(null),
    models: list(
      z.strictObject({
        id: modelName,
        price: z.union([z.literal('free'), price]),
        context_tokens: z.int().min(1_000).max(MAX_CONTEXT).nullable().default(null),
      }),
      { max: MAX_ENDPOINT_MODELS },
    ).refine((models) => models.length > 0, 'at least one model'),
    shared: z.boolean().default(false).meta({ description: 'For all users: administrators only' }),
  })
  .meta({ id: 'StoreModelEndpointBody' });

export const endpointPath = z.object({ endpoint_id: uuid });
