import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { loadSecrets } from '../../scripts/embedded/secrets.js';
import { runCommand } from '../support/command.js';
import { createTestUser, testDbOfFile, testServers } from '../support/servers.js';

const testDb = testDbOfFile();

const run = (words: readonly string[], url = testDb.url) =>
  runCommand('user-role.js', words, { DATABASE_URL: url });
const roleOf = async (id: string) =>
  (await testDb.db.selectFrom('users').select('role').where('id', '=', id).executeTakeFirst())
    ?.role;

test('makes the first administrator, says so and logs it', async () => {
  const { id, email } = await createTestUser(testDb.db);
  const { code, output } = await run([` ${email.toUpperCase()}`, 'admin']);
  expect([code, await roleOf(id)]).toEqual([0, 'admin']);
  expect(output).toContain(`${email} is admin now (was free).`);
  const line = JSON.parse(output.split('\n').find((text) => text.startsWith('{')) ?? '{}');
  expect(line).toMatchObject({ event: 'role changed', userId: id, before: 'free', after: 'admin' });
  expect(line.by).toEqual(expect.any(String));
  const { rows } = await sql`
    select actor_id, action, details from admin_actions
    where subject = ${`user:${id}`}`.execute(testDb.db);
  const details = { before: 'free', after: 'admin', by: line.by };
  expect(rows).toEqual([{ actorId: null, action: 'user:set-role', details }]);
});

test('takes the role away again, and may be repeated', async () => {
  const { id, email } = await createTestUser(testDb.db, { role: 'admin' });
  expect((await run([email, 'pro'])).output).toContain('is pro now (was admin).');
  const { code, output } = await run([email, 'pro']);
  expect([code, await roleOf(id)]).toEqual([0, 'pro']);
  expect(output).toContain('was pro already');
});

test.each([
  [[], 'npm run user:role --'],
  [['ada@example.com'], 'npm run user:role --'],
  [['ada@example.com', 'admin', 'now'], 'npm run user:role --'],
  [['ada@example.com', 'king'], '"king" is no role: use free, pro, admin.'],
  [['missing@example.com', 'admin'], 'No user is registered as missing@example.com'],
])('%j ends with one sentence', async (words, sentence) => {
  const { code, output } = await run(words);
  expect(code).toBe(1);
  expect(output).toContain(sentence);
  expect(output.trim().split('\n')).toHaveLength(1);
});

test('without an address it names the variable', async () => {
  const { code, output } = await run(['ada@example.com', 'admin'], '');
  expect([code, output.trim()]).toEqual([1, 'Set DATABASE_URL to the database that is meant.']);
});

test('an address where nothing answers is reported, without its password', async () => {
  const { code, output } = await run(
    ['ada@example.com', 'admin'],
    'postgresql://u:hush@127.0.0.1:9/x',
  );
  expect(code).toBe(1);
  expect(output).toContain('127.0.0.1:9');
  expect(output).toContain('check DATABASE_URL');
  expect(output).not.toContain('hush');
});

test('a database without tables is reported', async () => {
  const { code, output } = await run(['ada@example.com', 'admin'], testServers().databaseUrl);
  expect(code).toBe(1);
  expect(output).toContain('run npm run db:migrate first');
});

test('after npm start it finds the embedded database without an address', async () => {
  const home = mkdtempSync(join(tmpdir(), `agentforge-role-${randomUUID()}`));
  try {
    const { postgresPassword } = loadSecrets(home);
    const env = { AGENTFORGE_HOME: home, POSTGRES_PORT: '9' };
    const { code, output } = await runCommand('user-role.js', ['a@example.com', 'admin'], env);
    expect(code).toBe(1);
    expect(output).toContain('@127.0.0.1:9/agentforge');
    expect(output).not.toContain(postgresPassword);
  } finally {
    rmSync(home, { recursive: true });
  }
});
