import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { DomainError } from '../../domain/errors.js';

/** What a sealed secret belongs to; it opens for this owner and provider alone. */
export interface SecretOwner {
  readonly userId: string;
  readonly provider: string;
}

export interface SealedSecret {
  /** Ciphertext with its 16-byte tag appended. Source: contract, data-model §4. */
  readonly encryptedKey: Buffer;
  readonly nonce: Buffer;
  /** Id of the key that sealed it. */
  readonly sealedBy: string;
}

/** Seals users' vendor keys, so that plaintext is never stored. */
export interface SecretCipher {
  /** The `sealedBy` of all that this box can open, the newest key's first. */
  readonly seals: readonly string[];
  seal(plaintext: string, owner: SecretOwner): SealedSecret;
  /** @throws `llm-key-unreadable` when the key that sealed it is gone, or anything was changed. */
  open(sealed: SealedSecret, owner: SecretOwner): string;
  /**
   * Seals anew with the newest key. The nonce stays, because it names the secret for as long as it
   * is the same one; under a key it still never meets a second plaintext.
   *
   * @throws `llm-key-unreadable`
   */
  reseal(sealed: SealedSecret, owner: SecretOwner): SealedSecret;
}

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_LENGTH = 8;

/** @param keys 32 bytes each: the first one seals, all of them open. */
export function createSecretCipher(keys: readonly Buffer[]): SecretCipher {
  const [newest] = keys;
  if (newest === undefined) {
    throw new DomainError('internal', 'a secret box needs at least one key');
  }
  const ring = new Map(keys.map((key) => [keyIdOf(key), key]));
  const sealedBy = keyIdOf(newest);
  const open: SecretCipher['open'] = (sealed, owner) => {
    const key = ring.get(sealed.sealedBy);
    if (key === undefined) {
      throw unreadable();
    }
    try {
      return decrypt(key, sealed, owner);
    } catch (cause) {
      throw unreadable(cause);
    }
  };
  const encrypt = (plaintext: string, nonce: Buffer, owner: SecretOwner): SealedSecret => {
    const cipher = createCipheriv(CIPHER, newest, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(associatedData(owner));
    const text = [cipher.update(plaintext, 'utf8'), cipher.final()];
    return { encryptedKey: Buffer.concat([...text, cipher.getAuthTag()]), nonce, sealedBy };
  };
  return {
    seals: [...ring.keys()],
    seal: (plaintext, owner) => encrypt(plaintext, randomBytes(NONCE_BYTES), owner),
    open,
    reseal: (sealed, owner) => encrypt(open(sealed, owner), sealed.nonce, owner),
  };
}

function decrypt(key: Buffer, sealed: SealedSecret, owner: SecretOwner): string {
  const end = sealed.encryptedKey.length - TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, key, sealed.nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(owner));
  decipher.setAuthTag(sealed.encryptedKey.subarray(end));
  const start = decipher.update(sealed.encryptedKey.subarray(0, end));
  return Buffer.concat([start, decipher.final()]).toString('utf8');
}

function associatedData({ userId, provider }: SecretOwner): Buffer {
  return Buffer.from(`${userId}:${provider}`, 'utf8');
}

/** Derived through HKDF, so that the stored id reveals nothing about the key. */
function keyIdOf(key: Buffer): string {
  const derived = Buffer.from(hkdfSync('sha256', key, '', 'agentforge encryption key id', 32));
  return createHash('sha256').update(derived).digest('hex').slice(0, KEY_ID_LENGTH);
}

function unreadable(cause?: unknown): DomainError {
  return new DomainError(
    'llm-key-unreadable',
    'The stored LLM key cannot be read any more. Please register it again.',
    { cause },
  );
}
