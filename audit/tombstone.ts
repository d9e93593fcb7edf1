/** What stays of an archive that went with its user: proof that there was one, and no word of what it said. */
import { z } from 'zod';
import { isSignedBy, signatureSchema, type Signer } from './signing.js';

export const TOMBSTONE_FORMAT = 'agentforge-tombstone/1';

export const tombstoneSchema = z.strictObject({
  format: z.literal(TOMBSTONE_FORMAT),
  /** The last hash of the bundle: it identifies the file. */
  head: z.string(),
  reason: z.literal('user-deleted'),
  /** The UTC day; the moment would tell which archives were one person's. */
  removed_on: z.iso.date(),
  signature: signatureSchema,
});
export type Tombstone = z.infer<typeof tombstoneSchema>;

/** @param day `YYYY-MM-DD` */
export function tombstoneOf(head: string, day: string, signer: Signer): Tombstone {
  const document = {
    format: TOMBSTONE_FORMAT,
    head,
    reason: 'user-deleted',
    removed_on: day,
  } as const;
  return { ...document, signature: signer.sign(document) };
}

export function isGenuine({ signature, ...document }: Tombstone): boolean {
  return isSignedBy(document, signature);
}
