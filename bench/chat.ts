/** A user's chat over a socket, as fast as the answers come. */
import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import { z } from 'zod';
import type { Place } from './place.js';
import type { BenchUser } from './users.js';

export interface BenchChat {
  readonly conversationId: string;
  /** Sends, and waits for the event that answers. @throws if it is of another type */
  say(content: string, answer: string): Promise<void>;
  close(): void;
}

const Event = z.object({ type: z.string() });
/** What a turn sends before its answer. */
const ECHO = 'user_message_received';

export async function openChat({ db }: Place, apiUrl: string, user: BenchUser): Promise<BenchChat> {
  const conversationId = randomUUID();
  const { id: userId, token } = user;
  await db
    .insertInto('conversations')
    .values({ id: conversationId, userId, title: 'A measured one' })
    .execute();
  const address = `${apiUrl.replace('http', 'ws')}/api/v1/ws/chat/${conversationId}?token=${token}`;
  const socket = new WebSocket(address);
  const answers = takeAnswers(socket);
  await new Promise((resolve, reject) => {
    socket.once('open', resolve).once('error', reject);
  });
  return {
    conversationId,
    async say(content, answer) {
      const answered = answers.next();
      socket.send(JSON.stringify({ content, conversation_id: conversationId }));
      const type = await answered;
      if (type !== answer) {
        throw new Error(`"${content}" was answered by ${type} instead of ${answer}`);
      }
    },
    close: () => {
      socket.terminate();
    },
  };
}

function takeAnswers(socket: WebSocket): { next(): Promise<string> } {
  let waiting: PromiseWithResolvers<string> | null = null;
  socket.on('message', (data: Buffer) => {
    const { type } = Event.parse(JSON.parse(data.toString()));
    if (type !== ECHO) {
      waiting?.resolve(type);
    }
  });
  socket.on('close', (code, reason) => {
    waiting?.reject(new Error(`the socket was closed: ${code} ${reason.toString()}`));
  });
  return {
    next() {
      waiting = Promise.withResolvers<string>();
      return waiting.promise;
    },
  };
}
