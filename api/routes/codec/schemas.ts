import { z } from 'zod';
import { dictionary, list } from '../../http/schemas/fields.js';

/** As much as a page of a history can hold. */
const MAX_PAYLOADS = 1_000;
const MAX_METADATA = 16;

/** Bytes of the body: Temporal's own limit of one payload is 2 MiB. Only administrators get here. */
export const MAX_PAYLOADS_BYTES = 8 * 1_048_576;

const base64 = z.string().meta({ format: 'byte' });

const payload = z
  .object({
    metadata: dictionary(z.string(), base64, { max: MAX_METADATA }).optional(),
    data: base64.optional(),
  })
  .meta({ id: 'Payload', description: "protobuf's JSON: all bytes in base64" });

export const payloadsBody = z
  .object({ payloads: list(payload, { max: MAX_PAYLOADS }) })
  .meta({ id: 'Payloads' });
