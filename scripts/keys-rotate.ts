/**
 * `npm run keys:rotate`: seals all stored vendor keys and archives with `ENCRYPTION_KEY` and says what still
 * names each key of `ENCRYPTION_KEY_PREVIOUS`. With `-- --drop <id>`: whether that one may go. With
 * `-- --lost <id>`: that one is gone for good, and the product may start without it.
 */
import { createArchiveCipher, type ArchiveCipher } from '../audit/archive-cipher.js';
import { resealArchives } from '../audit/key-rotation.js';
import { loadConfig, type Config } from '../config/config.js';
import type { Db } from '../db/connect.js';
import { forgetEncryptionKey, noteEncryptionKeys } from '../db/users/encryption-keys.js';
import { countSeals, resealSecrets } from '../db/users/key-rotation.js';
import { countArchivesSealedBy } from '../db/audit/run-archives.js';
import { createSecretCipher, type SecretCipher } from '../db/users/secret-cipher.js';
import { CALL_TIMEOUT_MS } from '../temporal/client/timeouts.js';
import { connectTemporal } from '../temporal/connection.js';
import { createKeyRing } from '../temporal/key-ring.js';
import { findKeyUsage, type KeyUsage } from '../temporal/key-usage.js';
import { operatorEnvironment, runCommand, withDatabase } from './operator/environment.js';

async function rotate(words: readonly string[]): Promise<void> {
  const order = orderOf(words);
  const config = loadConfig(operatorEnvironment());
  const cipher = createSecretCipher(config.encryptionKeys);
  await withDatabase(config.databaseUrl, async (db) => {
    const archiveCipher = createArchiveCipher(config.encryptionKeys);
    if (order === null) {
      await resealAll(db, cipher);
      await resealAllArchives(db, archiveCipher);
    } else if (order.option === '--drop') {
      await checkDrop(db, { config, box: cipher, archiveCipher, id: order.id });
      await forgetEncryptionKey(db, order.id);
    } else {
      await giveUp(db, cipher, order.id);
    }
  });
}

interface Order {
  readonly option: '--drop' | '--lost';
  readonly id: string;
}

function orderOf(words: readonly string[]): Order | null {
  const [option, id, ...rest] = words;
  if (option === undefined) {
    return null;
  }
  if ((option !== '--drop' && option !== '--lost') || id === undefined || rest.length > 0) {
    throw new Error(
      'Use it as: npm run keys:rotate, npm run keys:rotate -- --drop <key id>, or, for a key that is lost, npm run keys:rotate -- --lost <key id>',
    );
  }
  return { option, id };
}

/** For an installation whose key is lost: what it has sealed stays ciphertext. */
async function giveUp(db: Db, cipher: SecretCipher, id: string): Promise<void> {
  if (cipher.seals.includes(id)) {
    throw new Error(`Key ${id} is not lost: it is among the keys that are given.`);
  }
  await forgetEncryptionKey(db, id);
  await noteEncryptionKeys(db, cipher.seals);
  console.log(
    `What key ${id} has sealed stays unreadable: users register their vendor keys again, and open discussions and runs end.`,
  );
}

async function resealAll(db: Db, cipher: SecretCipher): Promise<void> {
  const { resealed, overtaken, unreadable } = await resealSecrets(db, cipher);
  const counts = await countSeals(db);
  console.log(`Sealed ${resealed} stored vendor keys anew, with key ${cipher.seals[0] ?? ''}.`);
  if (overtaken > 0) {
    console.log(`${overtaken} were replaced or deleted by their owners meanwhile.`);
  }
  cipher.seals.forEach((id, at) => {
    const name = at === 0 ? 'ENCRYPTION_KEY' : `ENCRYPTION_KEY_PREVIOUS, number ${at}`;
    console.log(`  ${id}  ${name}: ${counts.get(id) ?? 0} vendor keys`);
  });
  if (cipher.seals.length > 1) {
    console.log('Keep a previous key until npm run keys:rotate -- --drop <key id> lets it go.');
  }
  if (unreadable.length > 0) {
    throw new Error(
      `${unreadable.length} vendor keys open with none of these keys (rows ${unreadable.join(', ')}): add the key that sealed them to ENCRYPTION_KEY_PREVIOUS, or let their owners register them again.`,
    );
  }
}

async function resealAllArchives(db: Db, cipher: ArchiveCipher): Promise<void> {
  const { resealed, unreadable } = await resealArchives(db, cipher);
  console.log(`Sealed ${resealed} archives anew.`);
  if (unreadable.length > 0) {
    throw new Error(
      `${unreadable.length} archives open with none of these keys (${unreadable.join(', ')}): add the key that sealed them to ENCRYPTION_KEY_PREVIOUS.`,
    );
  }
}

interface Drop {
  readonly config: Config;
  readonly box: SecretCipher;
  readonly archiveCipher: ArchiveCipher;
  readonly id: string;
}

async function checkDrop(db: Db, { config, box: cipher, archiveCipher, id }: Drop): Promise<void> {
  const at = cipher.seals.indexOf(id);
  if (at <= 0) {
    const known = cipher.seals.slice(1).join(', ') || 'none';
    throw new Error(`No key ${id} in ENCRYPTION_KEY_PREVIOUS; known there: ${known}.`);
  }
  const stored = (await countSeals(db)).get(id) ?? 0;
  if (stored > 0) {
    throw new Error(
      `Keep key ${id}: ${stored} stored vendor keys need it; run npm run keys:rotate first.`,
    );
  }
  const archives = await countArchivesSealedBy(db, archiveCipher.seals[at] ?? '');
  if (archives > 0) {
    throw new Error(`Keep key ${id}: ${archives} archives need it; run npm run keys:rotate first.`);
  }
  const usage = await usageInTemporal(config, at);
  if (usage.open + usage.retained > 0) {
    throw new Error(
      `Keep key ${id}: ${usage.open} open and ${usage.retained} retained workflows need it; ask again when they have ended and their retention is over.`,
    );
  }
  console.log(
    `Nothing needs key ${id} any more: take it out of ENCRYPTION_KEY_PREVIOUS and restart.`,
  );
}

/** @param at the key's place among `encryptionKeys`; payloads know it by an id of their own */
async function usageInTemporal(config: Config, at: number): Promise<KeyUsage> {
  const payloadKey = createKeyRing(config.encryptionKeys.slice(at)).current.id;
  const temporal = await connectTemporal(config.temporal, config.encryptionKeys);
  const { connection } = temporal;
  try {
    const deadline = Date.now() + CALL_TIMEOUT_MS;
    await connection.withDeadline(deadline, () => connection.workflowService.getSystemInfo({}));
    return await findKeyUsage(temporal.client, payloadKey);
  } catch (cause) {
    throw new Error(
      `Temporal at ${config.temporal.address} cannot be asked what still needs the key: check TEMPORAL_ADDRESS, and that it runs.`,
      { cause },
    );
  } finally {
    await temporal.close();
  }
}

await runCommand(() => rotate(process.argv.slice(2)));
