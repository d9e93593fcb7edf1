import { Migrator, type MigrationInfo, type MigrationResult } from 'kysely/migration';
import type { Db } from './connect.js';
import { MIGRATIONS } from './migrations/index.js';

function migratorOf(db: Db): Migrator {
  return new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve({ ...MIGRATIONS }) },
    allowUnorderedMigrations: true, // one that was merged after a later one had been applied
  });
}

/**
 * Brings the schema up to date. Safe to call from several replicas at once: Kysely takes a
 * PostgreSQL advisory lock for the whole run.
 */
export async function migrate(db: Db): Promise<readonly MigrationResult[]> {
  const { error, results = [] } = await migratorOf(db).migrateToLatest();
  if (error !== undefined) {
    // typed unknown, though Kysely gives Errors
    throw error instanceof Error ? error : new Error('migration failed', { cause: error });
  }
  return results;
}

export async function listMigrations(db: Db): Promise<readonly MigrationInfo[]> {
  return migratorOf(db).getMigrations();
}
