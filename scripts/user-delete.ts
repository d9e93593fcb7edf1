/**
 * `npm run user:delete -- <email>`: deletes a user and everything of theirs, while the product runs;
 * asks for the address once more, or takes `--yes`.
 */
import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { loadConfig, type Config } from '../config/config.js';
import type { Db } from '../db/connect.js';
import { closeAccountAs } from '../db/audit/logged-changes.js';
import { userExists } from '../db/users/user-deletion.js';
import { findUserByEmail, type UserRow } from '../db/users/users.js';
import { startUserDeletion } from '../temporal/client/users.js';
import { connectTemporal } from '../temporal/connection.js';
import { createLogger } from '../telemetry/logger.js';
import { operatorEnvironment, runCommand, withDatabase } from './operator/environment.js';

const HELP = 'Say who: npm run user:delete -- ada@example.com (--yes, to be asked nothing)';

async function deleteByEmail(words: readonly string[]): Promise<void> {
  const isSure = words.includes('--yes');
  const [email = '', ...rest] = words.filter((word) => word !== '--yes');
  if (email === '' || rest.length > 0) {
    throw new Error(HELP);
  }
  const config = loadConfig(operatorEnvironment());
  await withDatabase(config.databaseUrl, async (db) => {
    const user = await findUserByEmail(db, email.trim());
    if (user === undefined) {
      throw new Error(`No user is registered as ${email}; a deletion that was ordered goes on.`);
    }
    if (!isSure) {
      await confirm(user);
    }
    const by = userInfo().username;
    await closeAccountAs(db, { id: null, by }, user.id);
    createLogger('operator').info('user deletion ordered', { userId: user.id, by });
    await start(config, user.id);
    await watch(db, user);
  });
}

/** @throws Error unless the address is typed once more */
async function confirm({ email, role }: UserRow): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const closed = Promise.withResolvers<string>();
    terminal.once('close', () => {
      closed.resolve(''); // there is no one to type
    });
    const question = `This deletes ${email} (${role}) and everything of theirs, for ever. Type the address to go on: `;
    const typed = await Promise.race([terminal.question(question), closed.promise]);
    if (typed.trim().toLowerCase() !== email.toLowerCase()) {
      throw new Error('Nothing was deleted: the address was not typed.');
    }
  } finally {
    terminal.close();
  }
}

/** A start that fails is the workers' own to make: the account is closed already. */
async function start(config: Config, userId: string): Promise<void> {
  const temporal = await connectTemporal(config.temporal, config.encryptionKeys);
  try {
    await startUserDeletion({ client: temporal.client, ...config.temporal }, userId);
  } catch {
    console.log(
      `Temporal at ${config.temporal.address} does not answer: a worker starts it when it does.`,
    );
  } finally {
    await temporal.close();
  }
}

const WATCH_MS = 30_000;
const POLL_MS = 100;

async function watch(db: Db, { id, email }: UserRow): Promise<void> {
  const deadline = Date.now() + WATCH_MS;
  while (await userExists(db, id)) {
    if (Date.now() > deadline) {
      console.log(
        `${email} is signed out for good; the rest goes on in the workflow user-deletion-${id}.`,
      );
      return;
    }
    await pause(POLL_MS);
  }
  console.log(`${email} and everything of theirs is deleted.`);
}

await runCommand(() => deleteByEmail(process.argv.slice(2)));
