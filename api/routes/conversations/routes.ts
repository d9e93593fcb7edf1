import { randomUUID } from 'node:crypto';
import {
  findConversation,
  insertConversation,
  listConversations,
} from '../../../db/discussions/conversations.js';
import { listMessages } from '../../../db/discussions/messages.js';
import { DomainError } from '../../../domain/errors.js';
import { conversationPath, createConversationBody } from './schemas.js';
import type { AppDeps } from '../../deps.js';
import { defineRoute, type Route } from '../../http/route.js';
import { readSession } from '../../socket/sessions.js';
import {
  conversationSchema,
  conversationWithMessagesSchema,
  viewConversation,
  viewDiscussion,
  viewMessage,
} from './views.js';
import { error } from '../../http/error-views.js';
import { z } from 'zod';

export type ConversationDeps = Pick<AppDeps, 'db' | 'redis' | 'macs'>;

const OWN = { tag: 'conversations', auth: 'user' } as const;

export function createConversationRoutes(deps: ConversationDeps): readonly Route[] {
  const { db } = deps;
  return [
    beginRoute(deps),
    defineRoute(
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
    ),
    defineRoute(
      {
        ...OWN,
        method: 'GET',
        path: '/conversations/{conversation_id}',
        summary: 'A conversation with its messages, oldest first; of many, the latest',
        params: conversationPath,
        responses: {
          200: { description: 'With messages', schema: conversationWithMessagesSchema },
          404: error('Conversation not found'),
        },
      },
      async ({ user, params }) => {
        const conversationId = params.conversation_id;
        const found = await findConversation(db, { userId: user.id, conversationId });
        if (found === undefined) {
          throw new DomainError('not-found', 'Conversation not found');
        }
        const messages = (await listMessages(db, found.id)).map(viewMessage);
        const discussion = viewDiscussion(await readSession(deps, found.id));
        return { status: 200, body: { ...viewConversation(found), messages, discussion } };
      },
    ),
  ];
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
