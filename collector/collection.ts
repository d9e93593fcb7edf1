/** A collection as it is stored. */
import { z } from 'zod';
import { PII_TYPES } from '../domain/security/pii.js';

/** Source: contract, pipeline §3.3. */
export const SOURCE_TYPES = ['web', 'api', 'pdf', 'file'] as const;
export type SourceType = (typeof SOURCE_TYPES)[number];

export const STATUSES = [
  'pending',
  'checking_compliance',
  'collecting',
  'processing',
  'completed',
  'failed',
  'blocked',
] as const;

const Compliance = z.object({
  /** `warning`: collected, with personal data that was masked. */
  status: z.enum(['allowed', 'blocked', 'warning', 'unchecked']),
  robotsAllowed: z.boolean(),
  robotsReason: z.string(),
  piiTypes: z.array(z.enum(PII_TYPES)).readonly(),
  /** Between two requests to the domain. */
  delayMs: z.number(),
});
export type Compliance = z.infer<typeof Compliance>;

export const Collection = z.object({
  id: z.string(),
  url: z.string().nullable(),
  sourceType: z.enum(SOURCE_TYPES),
  /** ISO, UTC */
  createdAt: z.string(),
  status: z.enum(STATUSES),
  compliance: Compliance.nullable(),
  error: z.string().nullable(),
  /** Once completed. */
  title: z.string().nullable(),
});
export type Collection = z.infer<typeof Collection>;
