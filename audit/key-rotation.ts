/** Seals stored archives with the newest encryption key, while the product runs. */
import type { Db } from '../db/connect.js';
import { findArchivesNotSealedBy, replaceSeal } from '../db/audit/run-archives.js';
import type { ArchiveCipher } from './archive-cipher.js';

export interface ArchiveRotation {
  readonly resealed: number;
  /** Ids of archives that none of the keys opens; they are left as they are. */
  readonly unreadable: readonly string[];
}

/** Archives may be large: few at a time. */
const BATCH = 10;

/** Goes through all archives once; a second call finds nothing left to do. */
export async function resealArchives(db: Db, cipher: ArchiveCipher): Promise<ArchiveRotation> {
  const [newest = ''] = cipher.seals;
  const unreadable: string[] = [];
  let resealed = 0;
  let after: string | null = null;
  for (;;) {
    const archives = await findArchivesNotSealedBy(db, newest, { after, limit: BATCH });
    for (const archive of archives) {
      const { id } = archive;
      const text = await cipher.open(archive, id).catch(() => null); // none of the keys opens it
      if (text === null) {
        unreadable.push(id);
      } else {
        await replaceSeal(db, { id, ...(await cipher.seal(text, id)) });
        resealed += 1;
      }
    }
    after = archives.at(-1)?.id ?? null;
    if (after === null) {
      return { resealed, unreadable };
    }
  }
}
