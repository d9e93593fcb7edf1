/** Passwords between our processes and the servers that are started here. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { readOnce, readText } from './secrets.js';

const Passwords = z.object({
  /** Of the API's and the worker's user of Redis. */
  redis: z.string().min(1),
  /** Of the collector's user of Redis. */
  redisCollector: z.string().min(1),
  /** Of our processes' role in the database; its administrator's is among the secrets. */
  database: z.string().min(1),
});
export type Passwords = z.infer<typeof Passwords>;

/** Those of a state directory; made where they are missing, as in one of an earlier release. */
export function loadPasswords(home: string): Passwords {
  const file = join(home, 'passwords.json');
  return readOnce(home, file, {
    read: readPasswords,
    make: () => JSON.stringify(makePasswords(), null, 2),
  });
}

function readPasswords(file: string): Passwords | null {
  const text = readText(file);
  if (text === null) {
    return null;
  }
  try {
    return Passwords.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`${file} is damaged: remove it, and it is made anew.`, { cause });
  }
}

function makePasswords(): Passwords {
  const make = (): string => randomBytes(24).toString('base64url');
  return { redis: make(), redisCollector: make(), database: make() };
}
