import { z } from 'zod';

/** As much as a page of a history can hold; the body's own limit bounds the bytes. */
const MAX_PAYLOADS = 1_000;
const MAX_METADATA = 16;

const base64 = z.string().meta({ format: 'byte' });

const payload = z
  .object({
    metadata: z
      .record(z.string(), base64)
      .refine((metadata) => Object.keys(metadata).length <= MAX_METADATA, {
        error: `Value error, at most ${MAX_METADATA} entries`,
      })
      .meta({ maxProperties: MAX_METADATA })
      .optional(),
    data: base64.optional(),
  })
  .meta({ id: 'Payload', description: "protobuf's JSON: all bytes in base64" });

export const payloadsBody = z
  .object({ payloads: z.array(payload).max(MAX_PAYLOADS) })
  .meta({ id: 'Payloads' });
