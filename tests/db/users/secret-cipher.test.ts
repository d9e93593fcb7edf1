import { randomBytes } from 'node:crypto';
import { createSecretCipher } from '../../../db/users/secret-cipher.js';

const key = randomBytes(32);
const owner = { userId: '5f0f6f1c-7b3a-4c93-9d1b-1b2c3d4e5f60', provider: 'openai' };
const secret = 'sk-키-0123456789';

test('a cipher without a key is a mistake of ours', () => {
  expect(() => createSecretCipher([])).toThrow('at least one key');
});

test('what was sealed opens for its owner, with a new nonce each time', () => {
  const cipher = createSecretCipher([key]);
  const [one, two] = [cipher.seal(secret, owner), cipher.seal(secret, owner)];
  expect(cipher.open(one, owner)).toBe(secret);
  expect(one.nonce).toHaveLength(12);
  expect(one.nonce.equals(two.nonce)).toBe(false);
  expect(one.encryptedKey).toHaveLength(Buffer.byteLength(secret) + 16);
  expect(one.encryptedKey.includes(secret)).toBe(false);
});

const unreadable = expect.objectContaining({ code: 'llm-key-unreadable' });

test('it opens for no other user and no other provider', () => {
  const cipher = createSecretCipher([key]);
  const sealed = cipher.seal(secret, owner);
  for (const other of [
    { ...owner, provider: 'google' },
    { ...owner, userId: '00000000-7b3a-4c93-9d1b-1b2c3d4e5f60' },
  ]) {
    expect(() => cipher.open(sealed, other)).toThrow(unreadable);
  }
});

test('any changed byte makes it unreadable', () => {
  const cipher = createSecretCipher([key]);
  const sealed = cipher.seal(secret, owner);
  for (let at = 0; at < sealed.encryptedKey.length; at += 1) {
    const encryptedKey = Buffer.from(sealed.encryptedKey);
    encryptedKey.writeUInt8(encryptedKey.readUInt8(at) ^ 1, at);
    expect(() => cipher.open({ ...sealed, encryptedKey }, owner)).toThrow(unreadable);
  }
  const nonce = Buffer.alloc(12);
  expect(() => cipher.open({ ...sealed, nonce }, owner)).toThrow(unreadable);
  expect(() => cipher.open({ ...sealed, encryptedKey: Buffer.alloc(3) }, owner)).toThrow(
    unreadable,
  );
});

test('after a rotation old secrets still open, and new ones are sealed with the new key', () => {
  const newer = randomBytes(32);
  const sealed = createSecretCipher([key]).seal(secret, owner);
  const rotated = createSecretCipher([newer, key]);
  expect(rotated.open(sealed, owner)).toBe(secret);
  expect(rotated.seal(secret, owner).sealedBy).not.toBe(sealed.sealedBy);
  expect(() => createSecretCipher([newer]).open(sealed, owner)).toThrow(unreadable);
});

test('the key’s id is short and the same for the same key', () => {
  const { sealedBy } = createSecretCipher([key]).seal(secret, owner);
  expect(sealedBy).toMatch(/^[\da-f]{8}$/);
  expect(createSecretCipher([key]).seal('x', owner).sealedBy).toBe(sealedBy);
});
