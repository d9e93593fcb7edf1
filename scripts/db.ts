/** `npm run db:migrate`, `db:status` and `db:new -- <title>`: the schema, by hand. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { config as readDotenv } from 'dotenv';
import { connectDb, type Db } from '../db/connect.js';
import { listMigrations, migrate } from '../db/migrate.js';

const FOLDER = 'db/migrations';

async function run([command, ...words]: readonly string[]): Promise<void> {
  switch (command) {
    case 'migrate':
      await withDb(applyMigrations);
      break;
    case 'status':
      await withDb(showMigrations);
      break;
    case 'new':
      addMigration(words.join(' '));
      break;
    default:
      throw new Error('Say what to do: migrate, status, or new <title>.');
  }
}

async function withDb(work: (db: Db) => Promise<void>): Promise<void> {
  readDotenv({ quiet: true });
  const url = process.env['DATABASE_URL'] ?? '';
  if (url === '') {
    throw new Error('Set DATABASE_URL to the database whose schema is meant.');
  }
  const db = connectDb({
    url,
    poolSize: 1,
    applicationName: 'agentforge-migrate',
    statementTimeoutMs: 0,
  });
  try {
    await work(db);
  } finally {
    await db.destroy();
  }
}

async function applyMigrations(db: Db): Promise<void> {
  const applied = await migrate(db);
  for (const { migrationName, status } of applied) {
    console.log(`${migrationName}  ${status}`);
  }
  console.log(applied.length === 0 ? 'The schema is up to date.' : 'The schema is now up to date.');
}

async function showMigrations(db: Db): Promise<void> {
  for (const { name, executedAt } of await listMigrations(db)) {
    console.log(`${name}  ${executedAt === undefined ? 'pending' : executedAt.toISOString()}`);
  }
}

/** Writes an empty migration and lists it; its name starts with the hour, so that order is time. */
function addMigration(title: string): void {
  const slug = title
    .trim()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-');
  if (slug === '') {
    throw new Error('Name the change: npm run db:new -- "index templates by name"');
  }
  const name = `${new Date().toISOString().slice(0, 13)}-${slug}`;
  const path = join(FOLDER, `${name}.ts`);
  writeFileSync(path, EMPTY_MIGRATION, { flag: 'wx' });
  writeFileSync(join(FOLDER, 'index.ts'), indexOf(readdirSync(FOLDER)));
  console.log(`${path} is listed in ${FOLDER}/index.ts; write its statements.`);
}

const EMPTY_MIGRATION = `import { sql, type Kysely } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql\`select 1\`.execute(db);
}
`;

/** The list of all migrations as source: names in order of time. */
function indexOf(files: readonly string[]): string {
  const names = files
    .filter((file) => file.endsWith('.ts') && file !== 'index.ts')
    .map((file) => file.replace(/\.ts$/, ''))
    .sort();
  const imports = names.map((name, at) => `import * as step${at + 1} from './${name}.js';`);
  const entries = names.map((name, at) => `  '${name}': step${at + 1},`);
  return [
    "import type { Migration } from 'kysely/migration';",
    ...imports,
    '',
    '/** Every migration in order, listed by `npm run db:new`; a released one is never edited. */',
    'export const MIGRATIONS: Readonly<Record<string, Migration>> = {',
    ...entries,
    '};',
    '',
  ].join('\n');
}

await run(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
