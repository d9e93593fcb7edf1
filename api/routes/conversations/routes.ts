import { randomUUID } from 'node:crypto';
import {
  findConversation,
  insertConversation,
  listConversations,
  type ConversationRow,
} from '../../../db/discussions/conversations.js';
import { listConversationPage } from '../../../db/discussions/conversation-pages.js';
import {
  listMessagePage,
  listMessages,
  type StoredMessage,
} from '../../../db/discussions/messages.js';
import { DomainError } from '../../../domain/errors.js';
import {
  conversationPageQuery,
  conversationPath,
  conversationQuery,
  createConversationBody,
  messagePageQuery,
} from './schemas.js';
import { formatTimeCursor, parseTimeCursor } from '../../http/schemas/fields.js';
import type { AppDeps } from '../../deps.js';
import { defineRoute, type Route, type SignedInUser } from '../../http/route.js';
import { readSession } from '../../socket/sessions.js';
import {
  conversationPageSchema,
  conversationSchema,
  conversationWithMessagesSchema,
  messagePageSchema,
  viewConversation,
  viewDiscussion,
  viewMessage,
} from './views.js';
import { error } from '../../http/error-views.js';
import { z } from 'zod';

export type ConversationDeps = Pick<AppDeps, 'db' | 'redis' | 'macs'>;

const NOT_FOUND = error('Conversation not found');
const OWN = { tag: 'conversations', auth: 'user' } as const;

export function createConversationRoutes(deps: ConversationDeps): readonly Route[] {
  return [beginRoute(deps), listRoute(deps), pageRoute(deps), readRoute(deps), messagesRoute(deps)];
}

function listRoute({ db }: ConversationDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/conversations',
      summary: 'Own conversations, the one with the latest message first',
      responses: {
        200: { description: '10,000 at most', schema: z.array(conversationSchema) },
      },
    },
    async ({ user }) => ({
      status: 200,
      body: (await listConversations(db, user.id)).map(viewConversation),
    }),
  );
}

function pageRoute({ db }: ConversationDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/conversations/search',
      summary: 'Own conversations page by page, the one with the latest message first',
      query: conversationPageQuery,
      responses: { 200: { description: 'A page', schema: conversationPageSchema } },
    },
    async ({ user, query }) => {
      const filter = { ...query, after: parseTimeCursor(query.after) };
      const { items, next } = await listConversationPage(db, user.id, filter);
      const body = { items: items.map(viewConversation), next: formatTimeCursor(next) };
      return { status: 200, body };
    },
  );
}

function readRoute(deps: ConversationDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/conversations/{conversation_id}',
      summary: 'A conversation with its messages, oldest first; of many, the latest',
      params: conversationPath,
      query: conversationQuery,
      responses: {
        200: { description: 'With messages', schema: conversationWithMessagesSchema },
        404: NOT_FOUND,
      },
    },
    async ({ user, params, query }) => {
      const found = await findOwn(deps, user, params.conversation_id);
      const messages = (await latestMessages(deps, found.id, query.messages)).map(viewMessage);
      const discussion = viewDiscussion(await readSession(deps, found.id));
      return { status: 200, body: { ...viewConversation(found), messages, discussion } };
    },
  );
}

/** @param count how many; undefined: all that one answer holds @returns oldest first */
async function latestMessages(
  { db }: ConversationDeps,
  conversationId: string,
  count: string | undefined,
): Promise<readonly StoredMessage[]> {
  if (count === undefined) {
    return listMessages(db, conversationId);
  }
  const limit = Number(count);
  const { items } = await listMessagePage(db, conversationId, { limit, order: 'newest' });
  return items.toReversed();
}

function messagesRoute(deps: ConversationDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/conversations/{conversation_id}/messages',
      summary: 'Messages of a conversation page by page, the newest first unless asked otherwise',
      params: conversationPath,
      query: messagePageQuery,
      responses: { 200: { description: 'A page', schema: messagePageSchema }, 404: NOT_FOUND },
    },
    async ({ user, params, query }) => {
      const { id } = await findOwn(deps, user, params.conversation_id);
      const { items, next } = await listMessagePage(deps.db, id, query);
      return { status: 200, body: { items: items.map(viewMessage), next } };
    },
  );
}

/** @throws `not-found` */
async function findOwn(
  { db }: ConversationDeps,
  user: SignedInUser,
  conversationId: string,
): Promise<ConversationRow> {
  const found = await findConversation(db, { userId: user.id, conversationId });
  if (found === undefined) {
    throw new DomainError('not-found', 'Conversation not found');
  }
  return found;
}

function beginRoute({ db }: ConversationDeps): Route {
  return defineRoute(
    {
      ...OWN,
      action: 'discussion:start',
      method: 'POST',
      path: '/conversations',
      summary: 'Begin a conversation',
      body: createConversationBody,
      yields: { conversation_id: '/id' },
      responses: {
        201: { description: 'Begun', schema: conversationSchema },
        400: error('Conversation limit reached'),
      },
    },
    async ({ user, body }) => {
      const begun = { id: randomUUID(), userId: user.id, title: body.title };
      return { status: 201, body: viewConversation(await insertConversation(db, begun)) };
    },
  );
}
