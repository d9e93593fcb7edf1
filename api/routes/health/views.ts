import { z } from 'zod';

export const healthSchema = z
  .object({ status: z.literal('healthy'), version: z.string(), timestamp: z.iso.datetime() })
  .meta({ id: 'Health' });

const partSchema = z.enum(['up', 'down']);

const partsSchema = z.object({ postgres: partSchema, redis: partSchema, temporal: partSchema });

export const readySchema = z
  .object({ status: z.literal('ready'), parts: partsSchema })
  .meta({ id: 'Ready' });

export const notReadySchema = z
  .object({ detail: z.string(), parts: partsSchema })
  .meta({ id: 'NotReady' });
