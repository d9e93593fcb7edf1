/** Ed25519, over canonical JSON. Source: RFC 8032; RFC 8410 for the form of a key. */
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson, sha256 } from './canonical.js';

export const ALGORITHM = 'Ed25519';

/** In hexadecimal digits, which unlike base64 have one spelling only. */
export const signatureSchema = z.strictObject({
  algorithm: z.literal(ALGORITHM),
  key_id: z.string().regex(/^[0-9a-f]{64}$/),
  public_key: z.string().regex(/^[0-9a-f]{64}$/),
  value: z.string().regex(/^[0-9a-f]{128}$/),
});
export type Signature = z.infer<typeof signatureSchema>;

/** How others know a key: its id is the SHA-256 of its 32 bytes. */
export interface PublicKey {
  readonly keyId: string;
  /** 64 hexadecimal digits */
  readonly publicKey: string;
}

export interface Signer extends PublicKey {
  /** Signs the document's canonical JSON. */
  sign(document: unknown): Signature;
}

/** Of an Ed25519 key: version, algorithm 1.3.101.112, and 32 bytes that follow. Source: RFC 8410, §7. */
const PKCS8_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex');

/** @param seed the private key, 32 bytes */
export function createSigner(seed: Buffer): Signer {
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_HEADER, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const key = publicKeyOf(Buffer.from(x, 'base64url'));
  return {
    ...key,
    sign: (document) => ({
      algorithm: ALGORITHM,
      key_id: key.keyId,
      public_key: key.publicKey,
      value: sign(null, bytesOf(document), privateKey).toString('hex'),
    }),
  };
}

/** @param bytes 32 of them */
export function publicKeyOf(bytes: Buffer): PublicKey {
  return { keyId: sha256(bytes), publicKey: bytes.toString('hex') };
}

/** Whether the signature is by the key that it names; whether that key is to be trusted is another question. */
export function isSignedBy(document: unknown, signature: Signature): boolean {
  const bytes = Buffer.from(signature.public_key, 'hex');
  return (
    sha256(bytes) === signature.key_id &&
    verify(null, bytesOf(document), keyObjectOf(bytes), Buffer.from(signature.value, 'hex'))
  );
}

function keyObjectOf(bytes: Buffer): KeyObject {
  const x = bytes.toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: ALGORITHM, x }, format: 'jwk' });
}

function bytesOf(document: unknown): Buffer {
  return Buffer.from(canonicalJson(document), 'utf8');
}
