import { z } from 'zod';

export const errorSchema = z.object({ detail: z.string() }).meta({ id: 'Error' });

export const invalidInputSchema = z
  .object({ detail: z.array(z.object({ field: z.string(), msg: z.string() })) })
  .meta({ id: 'InvalidInput' });

/** An error answer for a route's `responses`. */
export function error(description: string) {
  return { description, schema: errorSchema };
}
