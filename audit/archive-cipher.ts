/** Seals archives for storing: gzip, then AES-256-GCM with a key that is used for nothing else. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { DomainError } from '../domain/errors.js';
import { createKeyRing } from '../temporal/key-ring.js';

export interface SealedArchive {
  /** Ciphertext with its 16-byte tag appended. */
  readonly bundle: Buffer;
  readonly nonce: Buffer;
  /** Id of the key that sealed it. */
  readonly sealedBy: string;
}

export interface ArchiveCipher {
  /** The `sealedBy` of all that this box can open, the newest key's first. */
  readonly seals: readonly string[];
  /** @param owner the run that it opens for, and for no other */
  seal(text: string, owner: string): Promise<SealedArchive>;
  /** @throws `internal` when the key that sealed it is gone, or anything was changed */
  open(sealed: SealedArchive, owner: string): Promise<string>;
}

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PURPOSE = 'agentforge run archives';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** @param masters 32 bytes each, newest first: the first one seals, all of them open */
export function createArchiveCipher(masters: readonly Buffer[]): ArchiveCipher {
  const ring = createKeyRing(masters, PURPOSE);
  return {
    seals: ring.ids,
    async seal(text, owner) {
      const { id: sealedBy, key } = ring.current;
      const packed = await compress(Buffer.from(text, 'utf8'));
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(owner, 'utf8'));
      const parts = [cipher.update(packed), cipher.final(), cipher.getAuthTag()];
      return { bundle: Buffer.concat(parts), nonce, sealedBy };
    },
    async open({ bundle, nonce, sealedBy }, owner) {
      const known = ring.find(sealedBy);
      if (known === undefined) {
        throw new DomainError(
          'internal',
          `no key "${sealedBy}" for a stored archive: keep the old key in ENCRYPTION_KEY_PREVIOUS`,
        );
      }
      const end = bundle.length - TAG_BYTES;
      const decipher = createDecipheriv(CIPHER, known.key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(owner, 'utf8'));
      decipher.setAuthTag(bundle.subarray(end));
      const packed = [decipher.update(bundle.subarray(0, end)), decipher.final()];
      return (await decompress(Buffer.concat(packed))).toString('utf8');
    },
  };
}
