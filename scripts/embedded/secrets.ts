import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { PRIVATE_DIRECTORY, writePrivateFile } from './private-files.js';

const Secrets = z.object({
  /** Signs tokens. */
  secretKey: z.string().min(1),
  /** 32 bytes in base64; seals vendor keys and workflow payloads. */
  encryptionKey: z.string().min(1),
  /** Of the embedded database. */
  postgresPassword: z.string().min(1),
});
export type Secrets = z.infer<typeof Secrets> & {
  /** 32 bytes in base64; signs archives. */
  readonly auditSigningKey: string;
  /** What the embedded data collector asks the worker for. */
  readonly collectorSecret: string;
};

export function secretsFileOf(home: string): string {
  return join(home, 'secrets.json');
}

/** A file of its own: state directories of earlier releases have the other secrets already. */
function auditKeyFileOf(home: string): string {
  return join(home, 'audit-signing-key');
}

/** Reads the secrets of a state directory; makes them, once and readable by us alone, where they are missing. */
export function loadSecrets(home: string): Secrets {
  const file = secretsFileOf(home);
  const secrets = readOnce(home, file, {
    read: readSecrets,
    make: () => JSON.stringify(makeSecrets(), null, 2),
  });
  const auditSigningKey = readOnce(home, auditKeyFileOf(home), {
    read: readAuditKey,
    make: () => randomBytes(KEY_BYTES).toString('base64'),
  });
  const collectorSecret = readOnce(home, join(home, 'collector-secret'), {
    read: (file) => readText(file)?.trim() ?? null,
    make: () => randomBytes(KEY_BYTES).toString('hex'),
  });
  return { ...secrets, auditSigningKey, collectorSecret };
}

const KEY_BYTES = 32;

interface Once<T> {
  read(file: string): T | null;
  make(): string;
}

/** Reads a file that is made, once and readable by us alone, where it is missing. */
export function readOnce<T>(home: string, file: string, { read, make }: Once<T>): T {
  const stored = read(file);
  if (stored !== null) {
    return stored;
  }
  mkdirSync(dirname(file), { recursive: true, mode: PRIVATE_DIRECTORY });
  const draft = `${file}.${process.pid}`;
  writePrivateFile(draft, `${make()}\n`);
  try {
    linkSync(draft, file); // fails if another start was first: then its secrets count
  } catch {
    // read below
  } finally {
    rmSync(draft, { force: true });
  }
  const made = read(file);
  if (made === null) {
    throw new Error(`Cannot write ${file}: make ${home} writable, or set AGENTFORGE_HOME.`);
  }
  return made;
}

function readAuditKey(file: string): string | null {
  const key = readText(file)?.trim() ?? null;
  if (key !== null && Buffer.from(key, 'base64').length !== KEY_BYTES) {
    throw new Error(
      `${file} is damaged: restore it from a copy; without it new archives cannot be told from forged ones.`,
    );
  }
  return key;
}

export function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return null;
    }
    throw error;
  }
}

function readSecrets(file: string): z.infer<typeof Secrets> | null {
  const text = readText(file);
  if (text === null) {
    return null;
  }
  try {
    return Secrets.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(
      `${file} is damaged: restore it from a copy; without it stored vendor keys cannot be opened.`,
      { cause },
    );
  }
}

function makeSecrets(): z.infer<typeof Secrets> {
  return {
    secretKey: randomBytes(32).toString('hex'),
    encryptionKey: randomBytes(32).toString('base64'),
    postgresPassword: randomBytes(24).toString('base64url'),
  };
}
