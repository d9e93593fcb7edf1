/** Saved pipelines. Their two documents are opaque: kept and returned as the very JSON text. */
import { sql } from 'kysely';
import { DomainError } from '../domain/errors.js';
import { MAX_TEMPLATES, forkNameOf } from '../domain/templates.js';
import type { Db, Tx } from './connect.js';
import { inTransaction } from './transactions.js';
import { lockUser } from './users.js';

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
const ITEM = ['id', 'name', 'description', 'isPublic', 'createdAt', 'updatedAt'] as const;
/** As text: what JavaScript would make of a document's numbers is not what was stored. */
const DOCUMENTS = [
  sql<string>`graph_data::text`.as('graphData'),
  sql<string>`design_data::text`.as('designData'),
] as const;

/** @throws `limit-reached` at 50 templates, exactly, however many come at once. */
export async function insertTemplate(db: Db, template: NewTemplate): Promise<Template> {
  return inTransaction(db, async (tx) => {
    await lockForOneMore(tx, template.userId);
    return tx
      .insertInto('pipelineTemplates')
      .values(template)
      .returning([...ITEM, ...DOCUMENTS])
      .executeTakeFirstOrThrow();
  });
}

/**
 * Copies a public template, whoever's it is, to a private one of the user.
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
      .where('isPublic', '=', true)
      .executeTakeFirst();
    if (source === undefined) {
      return undefined;
    }
    await lockForOneMore(tx, userId);
    return tx
      .insertInto('pipelineTemplates')
      .values({ ...source, id, userId, name: forkNameOf(source.name) })
      .returning([...ITEM, ...DOCUMENTS])
      .executeTakeFirstOrThrow();
  });
}

/** Own templates, the latest change first. */
export async function listTemplates(db: Db, userId: string): Promise<readonly TemplateItem[]> {
  return byLatestChange(db).where('userId', '=', userId).execute();
}

/** Public templates of everybody, the latest change first, 50 at most. */
export async function listSharedTemplates(db: Db): Promise<readonly TemplateItem[]> {
  return byLatestChange(db).where('isPublic', '=', true).limit(MAX_SHARED).execute();
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

/** @returns undefined where it is missing or someone else's */
export async function updateTemplate(
  db: Db,
  key: TemplateKey,
  change: TemplateChange,
): Promise<Template | undefined> {
  if (Object.keys(change).length === 0) {
    return findTemplate(db, key); // nothing changes, so the date does not either
  }
  return db
    .updateTable('pipelineTemplates')
    .set({ ...change, updatedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', key.templateId)
    .where('userId', '=', key.userId)
    .returning([...ITEM, ...DOCUMENTS])
    .executeTakeFirst();
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
    .where((where) => where.or([where('userId', '=', key.userId), where('isPublic', '=', true)]))
    .executeTakeFirst();
  return row?.designData;
}

function byLatestChange(db: Db) {
  return db.selectFrom('pipelineTemplates').select(ITEM).orderBy('updatedAt', 'desc').orderBy('id');
}

async function lockForOneMore(tx: Tx, userId: string): Promise<void> {
  await lockUser(tx, userId);
  const { count } = await tx
    .selectFrom('pipelineTemplates')
    .select((select) => select.fn.countAll<number>().as('count'))
    .where('userId', '=', userId)
    .executeTakeFirstOrThrow();
  if (count >= MAX_TEMPLATES) {
    throw new DomainError('limit-reached', `Template limit reached (max ${MAX_TEMPLATES})`);
  }
}
