/** Saved pipelines. Their two documents are opaque: kept and returned as the very JSON text. */
import { sql } from 'kysely';
import { DomainError } from '../../domain/errors.js';
import { BOUNDS, UNLIMITED, type Role } from '../../domain/account/permissions.js';
import { MAX_TEMPLATES, forkNameOf } from '../../domain/design/templates.js';
import type { Db, Tx } from '../connect.js';
import { TRUE } from '../index-conditions.js';
import { inTransaction } from '../transactions.js';
import { lockUser } from '../users/users.js';

export interface TemplateItem {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly isPublic: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface Template extends TemplateItem {
  /** JSON text */
  readonly graphData: string;
  /** JSON text */
  readonly designData: string;
}

export interface TemplateKey {
  readonly userId: string;
  readonly templateId: string;
}

export type NewTemplate = Pick<
  Template,
  'id' | 'name' | 'description' | 'graphData' | 'designData'
> & { readonly userId: string };

export type TemplateChange = Partial<
  Pick<Template, 'name' | 'description' | 'graphData' | 'designData' | 'isPublic'>
>;

const MAX_SHARED = 50;
/** So many of one author come before those that others shared. */
const FAIR_SHARE = 5;
/** How far back the shared list goes. */
const MAX_SHARED_LOOKED_AT = 5_000;
const ITEM = ['id', 'name', 'description', 'isPublic', 'createdAt', 'updatedAt'] as const;
/** As text: what JavaScript would make of a document's numbers is not what was stored. */
const DOCUMENTS = [
  sql<string>`graph_data::text`.as('graphData'),
  sql<string>`design_data::text`.as('designData'),
] as const;

/** @throws `limit-reached` at 50 templates, exactly, however many come at once. */
export async function insertTemplate(db: Db, template: NewTemplate): Promise<Template> {
  return inTransaction(db, async (tx) => {
    const { role } = await lockForOneMore(tx, template.userId);
    const stored = await tx
      .insertInto('pipelineTemplates')
      .values(template)
      .returning([...ITEM, ...DOCUMENTS])
      .executeTakeFirstOrThrow();
    await checkBytes(tx, template.userId, role);
    return stored;
  });
}

/**
 * Copies a public template of any user to a private one of this user.
 *
 * @returns undefined where it is missing or not public
 * @throws `limit-reached`
 */
export async function forkTemplate(
  db: Db,
  { id, userId, templateId }: TemplateKey & { id: string },
): Promise<Template | undefined> {
  return inTransaction(db, async (tx) => {
    const source = await tx
      .selectFrom('pipelineTemplates')
      .select(['name', 'description', ...DOCUMENTS])
      .where('id', '=', templateId)
      .where('isPublic', '=', TRUE)
      .executeTakeFirst();
    if (source === undefined) {
      return undefined;
    }
    const { role } = await lockForOneMore(tx, userId);
    const copy = await tx
      .insertInto('pipelineTemplates')
      .values({ ...source, id, userId, name: forkNameOf(source.name) })
      .returning([...ITEM, ...DOCUMENTS])
      .executeTakeFirstOrThrow();
    await checkBytes(tx, userId, role);
    return copy;
  });
}

/** Own templates, the latest change first. */
export async function listTemplates(db: Db, userId: string): Promise<readonly TemplateItem[]> {
  return byLatestChange(db).where('userId', '=', userId).execute();
}

/**
 * Public templates of everybody, 50 at most, the latest change first. Where there are more, five of
 * each author come before the sixth of any, so that one author never fills a page alone.
 *
 * @param page 0, 1, 2 …
 */
export async function listSharedTemplates(db: Db, page = 0): Promise<readonly TemplateItem[]> {
  const recent = byLatestChange(db)
    .select('userId')
    .where('isPublic', '=', TRUE)
    .limit(MAX_SHARED_LOOKED_AT);
  const ranked = db
    .selectFrom(recent.as('recent'))
    .select(ITEM)
    .select(
      sql<number>`(row_number() over (partition by user_id order by updated_at desc, id) - 1) / ${FAIR_SHARE}`.as(
        'turn',
      ),
    );
  const shown = db
    .selectFrom(ranked.as('ranked'))
    .select(ITEM)
    .orderBy('turn')
    .orderBy('updatedAt', 'desc')
    .orderBy('id')
    .limit(MAX_SHARED)
    .offset(page * MAX_SHARED);
  return db
    .selectFrom(shown.as('shown'))
    .select(ITEM)
    .orderBy('updatedAt', 'desc')
    .orderBy('id')
    .execute();
}

/** @returns undefined where it is missing or someone else's, public ones included */
export async function findTemplate(db: Db, key: TemplateKey): Promise<Template | undefined> {
  return db
    .selectFrom('pipelineTemplates')
    .select([...ITEM, ...DOCUMENTS])
    .where('id', '=', key.templateId)
    .where('userId', '=', key.userId)
    .executeTakeFirst();
}

/**
 * @returns undefined where it is missing or someone else's
 * @throws `limit-reached` where the user's templates would take too many bytes
 */
export async function updateTemplate(
  db: Db,
  key: TemplateKey,
  change: TemplateChange,
): Promise<Template | undefined> {
  if (Object.keys(change).length === 0) {
    return findTemplate(db, key); // nothing changes, so the date does not either
  }
  return inTransaction(db, async (tx) => {
    const { role } = await lockUser(tx, key.userId);
    const changed = await tx
      .updateTable('pipelineTemplates')
      .set({ ...change, updatedAt: sql<Date>`clock_timestamp()` })
      .where('id', '=', key.templateId)
      .where('userId', '=', key.userId)
      .returning([...ITEM, ...DOCUMENTS])
      .executeTakeFirst();
    if (change.graphData !== undefined || change.designData !== undefined) {
      await checkBytes(tx, key.userId, role);
    }
    return changed;
  });
}

/** @returns whether there was such a template of this user */
export async function deleteTemplate(db: Db, key: TemplateKey): Promise<boolean> {
  const deleted = await db
    .deleteFrom('pipelineTemplates')
    .where('id', '=', key.templateId)
    .where('userId', '=', key.userId)
    .executeTakeFirst();
  return deleted.numDeletedRows > 0n;
}

/** The design document of a template that the user may run: an own or a public one. */
export async function findRunnableDesign(
  db: Db,
  key: TemplateKey,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const row = await db
    .selectFrom('pipelineTemplates')
    .select('designData')
    .where('id', '=', key.templateId)
    .where((where) => where.or([where('userId', '=', key.userId), where('isPublic', '=', TRUE)]))
    .executeTakeFirst();
  return row?.designData;
}

function byLatestChange(db: Db) {
  return db.selectFrom('pipelineTemplates').select(ITEM).orderBy('updatedAt', 'desc').orderBy('id');
}

async function lockForOneMore(tx: Tx, userId: string): Promise<{ readonly role: Role }> {
  const { role } = await lockUser(tx, userId);
  const { count } = await tx
    .selectFrom('pipelineTemplates')
    .select((select) => select.fn.countAll<number>().as('count'))
    .where('userId', '=', userId)
    .executeTakeFirstOrThrow();
  if (count >= MAX_TEMPLATES) {
    throw new DomainError('limit-reached', `Template limit reached (max ${MAX_TEMPLATES})`);
  }
  return { role };
}

/** Of a user who is locked. What is stored is measured, so no document is read. */
async function checkBytes(tx: Tx, userId: string, role: Role): Promise<void> {
  const { maxTemplateBytes } = BOUNDS[role];
  const { bytes } = await tx
    .selectFrom('pipelineTemplates')
    .select(sql<number>`sum(pg_column_size(graph_data) + pg_column_size(design_data))`.as('bytes'))
    .where('userId', '=', userId)
    .executeTakeFirstOrThrow();
  if (maxTemplateBytes !== UNLIMITED && bytes > maxTemplateBytes) {
    const megabytes = maxTemplateBytes / 1_048_576;
    throw new DomainError('limit-reached', `Template limit reached (max ${megabytes} MB in all)`);
  }
}
