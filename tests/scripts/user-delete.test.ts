import { sql } from 'kysely';
import { findUser, findUserByEmail } from '../../db/users/users.js';
import { runCommand } from '../support/command.js';
import { createTestUser, testDbOfFile } from '../support/servers.js';
import { until } from '../support/until.js';

const testDb = testDbOfFile();

/** Temporal is away: what was ordered stays to be done. */
const run = (words: readonly string[], typed = '') =>
  runCommand(
    'user-delete.js',
    words,
    {
      DATABASE_URL: testDb.url,
      REDIS_URL: 'redis://127.0.0.1:9',
      TEMPORAL_ADDRESS: '127.0.0.1:9',
      SECRET_KEY: 'x'.repeat(32),
      ENCRYPTION_KEY: Buffer.alloc(32).toString('base64'),
      AUDIT_SIGNING_KEY: Buffer.alloc(32).toString('base64'),
    },
    typed,
  );

test.each([
  [[], 'Say who: npm run user:delete -- ada@example.com'],
  [['--yes'], 'Say who'],
  [['ada@example.com', 'bob@example.com'], 'Say who'],
  [['missing@example.com', '--yes'], 'No user is registered as missing@example.com'],
])('%j ends with one sentence', async (words, sentence) => {
  const { code, output } = await run(words);
  expect(code).toBe(1);
  expect(output).toContain(sentence);
  expect(output.trim().split('\n')).toHaveLength(1);
});

test.each(['', 'yes\n', 'somebody@example.com\n'])(
  'typing %j deletes no account',
  async (typed) => {
    const { id, email } = await createTestUser(testDb.db);
    const { code, output } = await run([email], typed);
    expect(code).toBe(1);
    expect(output).toContain(`This deletes ${email} (free) and everything of theirs, for ever.`);
    expect(output).toContain('Nothing was deleted: the address was not typed.');
    expect(await findUser(testDb.db, id)).toBeDefined();
  },
);

test('the address typed once more closes the account, with Temporal away, too', async () => {
  const { id, email } = await createTestUser(testDb.db);
  // another process removes the rest, as soon as the account is closed
  const removing = until(
    'the account is closed',
    async () => {
      const closed = testDb.db
        .deleteFrom('users')
        .where('id', '=', id)
        .where('deletedAt', 'is not', null);
      return (await closed.executeTakeFirstOrThrow()).numDeletedRows > 0n;
    },
    30_000,
  );
  const { code, output } = await run([email.toUpperCase()], `${email}\n`);
  await removing;
  expect(code).toBe(0);
  expect(output).toContain('Temporal at 127.0.0.1:9 does not answer');
  expect(output).toContain(`${email} and everything of theirs is deleted.`);
  const line = JSON.parse(/\{.*user deletion ordered.*\}/.exec(output)?.[0] ?? '{}');
  expect(line).toMatchObject({ event: 'user deletion ordered', userId: id });
  expect(JSON.stringify(line)).not.toContain(email);
  const { rows } = await sql`
    select actor_id, action, details from admin_actions
    where subject = ${`user:${id}`}`.execute(testDb.db);
  expect(rows).toEqual([{ actorId: null, action: 'user:delete', details: { by: line.by } }]);
  expect(await findUserByEmail(testDb.db, email)).toBeUndefined();
});
