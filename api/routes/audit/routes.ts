/** What proves a run, to its owner, to administrators, and to anyone who holds one of our files. */
import { tombstoneSchema } from '../../../audit/tombstone.js';
import { recordAdminAction } from '../../../db/audit/admin-actions.js';
import {
  findDiscussionArchive,
  listDiscussionArchives,
} from '../../../db/audit/discussion-archives.js';
import {
  findArchive,
  findTombstone,
  type ArchiveReader,
  type FoundArchive,
} from '../../../db/audit/run-archives.js';
import { DomainError } from '../../../domain/errors.js';
import { isUuid } from '../../../domain/ids.js';
import { mayDo } from '../../../domain/account/permissions.js';
import { isFinal } from '../../../domain/run/results.js';
import { discussionArchivePath, headPath } from './schemas.js';
import { conversationPath } from '../conversations/schemas.js';
import { pipelinePath } from '../runs/schemas.js';
import type { AppDeps } from '../../deps.js';
import { defineRoute, type Route, type SignedInUser } from '../../http/route.js';
import {
  auditKeysSchema,
  bundleFileSchema,
  discussionArchivesSchema,
  tombstoneFileSchema,
  viewAuditKeys,
  viewDiscussionArchives,
} from './views.js';
import { error } from '../../http/error-views.js';

export type AuditDeps = Pick<AppDeps, 'db' | 'audit' | 'workflows'>;

const READ_ANY = 'audit:read-any';

export function createAuditRoutes(deps: AuditDeps): readonly Route[] {
  return [
    bundleRoute(deps),
    discussionRoute(deps),
    discussionBundleRoute(deps),
    keysRoute(deps),
    tombstoneRoute(deps),
  ];
}

function bundleRoute(deps: AuditDeps): Route {
  return defineRoute(
    {
      tag: 'pipelines',
      auth: 'user',
      method: 'GET',
      weight: 1,
      path: '/pipelines/{pipeline_id}/audit',
      summary: 'All that is known of an ended run as one signed file, to be proved without us',
      params: pipelinePath,
      responses: {
        200: { description: 'Canonical JSON, byte for byte as signed', schema: bundleFileSchema },
        404: error('Pipeline run not found'),
        409: error('The run has not ended, or is being archived'),
      },
    },
    async ({ user, params: { pipeline_id: id } }) => {
      return { status: 200, body: await readBundle(deps, user, id), headers: headersOf(id) };
    },
  );
}

function headersOf(id: string) {
  return {
    'Content-Type': 'application/json',
    'Content-Disposition': `attachment; filename="audit-${id}.json"`,
  };
}

function readerOf({ id: userId, role }: SignedInUser): ArchiveReader {
  return { userId, mayReadAny: mayDo(role, READ_ANY) };
}

/** Written down before anything is shown. */
async function noteReading(
  { db }: AuditDeps,
  user: SignedInUser,
  what: { readonly ownerId: string; readonly subject: string; readonly details: object },
): Promise<void> {
  if (what.ownerId !== user.id) {
    const { subject, details } = what;
    await recordAdminAction(db, {
      ...{ actorId: user.id, action: READ_ANY, subject },
      details: { ...details },
    });
  }
}

async function readBundle(deps: AuditDeps, user: SignedInUser, id: string): Promise<string> {
  const found = isUuid(id) ? await findArchive(deps.db, id, readerOf(user)) : null;
  if (found === null) {
    throw new DomainError('not-found', 'Pipeline run not found');
  }
  const { pipelineId, ownerId } = found; // ids may be asked for in capitals
  const archive = await archiveIn(deps, found);
  const subject = `pipeline:${pipelineId}`;
  await noteReading(deps, user, { ownerId, subject, details: { head: archive.head } });
  return deps.audit.box.open(archive, pipelineId);
}

const ARCHIVED_IN_SECONDS = 2;

/** Archives are made in quiet times, or at once where one is asked for. */
async function archiveIn(
  { workflows }: AuditDeps,
  { status, archive }: FoundArchive,
): Promise<NonNullable<FoundArchive['archive']>> {
  if (archive !== null) {
    return archive;
  }
  if (!isFinal(status)) {
    throw new DomainError('run-not-ended', 'The run has not ended yet');
  }
  await workflows.requestArchives();
  throw new DomainError('run-not-archived', 'The run is being archived, try again in a moment', {
    retryAfterSeconds: ARCHIVED_IN_SECONDS,
  });
}

const DISCUSSION_NOT_FOUND = 'Conversation not found';

function discussionRoute(deps: AuditDeps): Route {
  return defineRoute(
    {
      tag: 'conversations',
      auth: 'user',
      method: 'GET',
      path: '/conversations/{conversation_id}/audit',
      summary: 'The archives of a discussion: one for each time that it continued as new or ended',
      params: conversationPath,
      responses: {
        200: { description: 'In order', schema: discussionArchivesSchema },
        404: error(DISCUSSION_NOT_FOUND),
      },
    },
    async ({ user, params: { conversation_id: id } }) => {
      const found = await listDiscussionArchives(deps.db, id, readerOf(user));
      if (found === null) {
        throw new DomainError('not-found', DISCUSSION_NOT_FOUND);
      }
      const { ownerId, archives } = found;
      const subject = `conversation:${id}`;
      await noteReading(deps, user, { ownerId, subject, details: { listed: archives.length } });
      return { status: 200, body: viewDiscussionArchives(archives) };
    },
  );
}

function discussionBundleRoute(deps: AuditDeps): Route {
  return defineRoute(
    {
      tag: 'conversations',
      auth: 'user',
      method: 'GET',
      weight: 1,
      path: '/conversations/{conversation_id}/audit/{run_id}',
      summary: 'One archive of a discussion as a signed file, to be proved without us',
      params: discussionArchivePath,
      responses: {
        200: { description: 'Canonical JSON, byte for byte as signed', schema: bundleFileSchema },
        404: error('Archive not found'),
      },
    },
    async ({ user, params: { conversation_id: conversationId, run_id: runId } }) => {
      const wanted = { conversationId, runId };
      const archive = await findDiscussionArchive(deps.db, wanted, readerOf(user));
      if (archive === null) {
        throw new DomainError('not-found', 'Archive not found');
      }
      const { id, ownerId, head } = archive;
      const subject = `conversation:${conversationId}`;
      await noteReading(deps, user, { ownerId, subject, details: { head } });
      const body = await deps.audit.box.open(archive, id);
      return { status: 200, body, headers: headersOf(id) };
    },
  );
}

function keysRoute({ audit }: AuditDeps): Route {
  return defineRoute(
    {
      tag: 'audit',
      auth: 'none',
      method: 'GET',
      path: '/audit/keys',
      summary: 'The keys that sign audit bundles, and those that did',
      responses: { 200: { description: 'The newest first', schema: auditKeysSchema } },
    },
    () => ({ status: 200, body: viewAuditKeys(audit.keys) }),
  );
}

function tombstoneRoute({ db }: AuditDeps): Route {
  return defineRoute(
    {
      tag: 'audit',
      auth: 'user',
      method: 'GET',
      path: '/audit/tombstones/{head}',
      summary: 'What stays of a bundle whose user was deleted; `head` is the last hash of its file',
      params: headPath,
      responses: {
        200: { description: 'Signed', schema: tombstoneFileSchema },
        404: error('Tombstone not found'),
      },
    },
    async ({ params }) => {
      const document = await findTombstone(db, params.head);
      if (document === undefined) {
        throw new DomainError('not-found', 'Tombstone not found');
      }
      return { status: 200, body: tombstoneSchema.parse(document) };
    },
  );
}
