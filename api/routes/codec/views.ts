import { z } from 'zod';

const base64 = z.string().meta({ format: 'byte' });

export const decodedSchema = z
  .object({
    payloads: z.array(
      z
        .object({
          metadata: z.record(z.string(), base64).optional(),
          data: base64.optional(),
        })
        .meta({ id: 'DecodedPayload' }),
    ),
  })
  .meta({ id: 'DecodedPayloads' });
