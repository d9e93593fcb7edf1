import { sql, type Kysely } from 'kysely';

/** A user's conversations are listed page by page, so their index is as exact as the order. */
const STATEMENTS = [
  `create index ix_conversations_user_page on conversations (user_id, updated_at desc, id desc)`,
  `drop index ix_conversations_user_id`,
];

export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of STATEMENTS) {
    await sql.raw(statement).execute(db);
  }
}
