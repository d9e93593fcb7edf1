import { z } from 'zod';
import { bundleSchema } from '../../../audit/bundle.js';
import { ALGORITHM, type PublicKey } from '../../../audit/signing.js';
import { tombstoneSchema } from '../../../audit/tombstone.js';
import type { DiscussionArchiveNote } from '../../../db/audit/discussion-archives.js';

/** Written as it was signed: one more space would be another file. */
export const bundleFileSchema: z.ZodType<string | object> = bundleSchema.meta({
  id: 'AuditBundle',
});

export const tombstoneFileSchema = tombstoneSchema.meta({ id: 'AuditTombstone' });

export const auditKeysSchema = z
  .object({
    keys: z.array(
      z.object({
        key_id: z.string().meta({ description: 'SHA-256 of the 32 bytes of the public key' }),
        algorithm: z.literal(ALGORITHM),
        public_key: z.string().meta({ description: '64 hexadecimal digits' }),
        signs: z.boolean().meta({ description: 'false: it signed earlier archives' }),
      }),
    ),
  })
  .meta({ id: 'AuditKeys' });

/** @param keys the one that signs now comes first */
export function viewAuditKeys(keys: readonly PublicKey[]): z.infer<typeof auditKeysSchema> {
  return {
    keys: keys.map(({ keyId, publicKey }, at) => ({
      key_id: keyId,
      algorithm: ALGORITHM,
      public_key: publicKey,
      signs: at === 0,
    })),
  };
}

export const discussionArchivesSchema = z
  .array(
    z.object({
      run_id: z.string().meta({ description: 'Of the run in Temporal' }),
      head: z.string().meta({ description: 'The last hash of its file' }),
      archived_at: z.string(),
    }),
  )
  .meta({ id: 'DiscussionArchives' });

export function viewDiscussionArchives(
  archives: readonly DiscussionArchiveNote[],
): z.infer<typeof discussionArchivesSchema> {
  return archives.map(({ runId, head, archivedAt }) => ({
    run_id: runId,
    head,
    archived_at: archivedAt.toISOString(),
  }));
}
