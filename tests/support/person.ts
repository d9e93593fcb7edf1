/** A user of the product, over HTTP and WebSocket only. */
import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import { until } from './until.js';

export interface Answer {
  readonly status: number;
  readonly body: any;
  readonly headers: Headers;
}

export type WireEvent = Record<string, any> & { readonly type: string };

export interface Person {
  readonly userId: string;
  readonly token: string;
  ask(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  startConversation(title?: string): Promise<string>;
  /** @param query e.g. `after=0` */
  chat(conversationId: string, query?: string): Promise<Chat>;
  /** The same person at another API process. */
  at(url: string): Person;
}

export interface Chat {
  readonly events: readonly WireEvent[];
  readonly closed: { code: number; reason: string } | null;
  send(content: string): void;
  sendRaw(frame: string | Buffer): void;
  /** Sends, and waits for the turn's last event: anything but an echo or progress. */
  say(content: string): Promise<WireEvent>;
  /** The next event of a type after those taken before. */
  next(...types: string[]): Promise<WireEvent>;
  close(): Promise<void>;
}

export async function register(
  url: string,
  email = `${randomUUID()}@example.com`,
): Promise<Person> {
  const answer = await request(url, 'POST', '/auth/register', {
    email,
    password: 'Passw0rd-for-tests',
    display_name: 'Somebody',
  });
  if (answer.status !== 201) {
    throw new Error(`register: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  return personOf(url, answer.body.access_token);
}

/** The id of a token's user. */
export function personOf(url: string, token: string): Person {
  const { sub } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  const ask: Person['ask'] = (method, path, body, headers = {}) =>
    request(url, method, path, body, { authorization: `Bearer ${token}`, ...headers });
  return {
    userId: sub,
    token,
    ask,
    async startConversation(title = 'A conversation') {
      const answer = await ask('POST', '/conversations', { title });
      return answer.body.id;
    },
    chat: (conversationId, query = '') => openChat({ url, token, conversationId, query }),
    at: (other) => personOf(other, token),
  };
}

async function request(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? null : JSON.parse(text),
    headers: response.headers,
  };
}

const NOT_LAST = [
  'user_message_received',
  'plan_generated',
  'pipeline_started',
  'agent_completed',
  'pipeline_failed',
];

async function openChat(where: {
  url: string;
  token: string;
  conversationId: string;
  query: string;
}): Promise<Chat> {
  const { url, token, conversationId, query } = where;
  const address = `${url.replace('http', 'ws')}/api/v1/ws/chat/${conversationId}?token=${token}`;
  const socket = new WebSocket(query === '' ? address : `${address}&${query}`);
  const events: WireEvent[] = [];
  let taken = 0;
  let closed: Chat['closed'] = null;
  socket.on('message', (data: Buffer) => events.push(JSON.parse(data.toString())));
  socket.on('close', (code, reason) => {
    closed = { code, reason: reason.toString() };
  });
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  const nextWhere = async (what: string, isIt: (event: WireEvent) => boolean) => {
    const index = await until(what, () => {
      const found = events.findIndex((event, at) => at >= taken && isIt(event));
      return found < 0 ? null : { found };
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; saw ${JSON.stringify(events.map((e) => e.type))}`);
    });
    taken = index.found + 1;
    return events[index.found] as WireEvent;
  };
  const send = (content: string) => {
    socket.send(JSON.stringify({ content, conversation_id: conversationId }));
  };
  return {
    events,
    get closed() {
      return closed;
    },
    send,
    sendRaw: (frame) => {
      socket.send(frame);
    },
    say: (content) => {
      send(content);
      return nextWhere('the answer', (event) => !NOT_LAST.includes(event.type));
    },
    next: (...types) => nextWhere(types.join(' or '), (event) => types.includes(event.type)),
    async close() {
      if (closed === null) {
        socket.close();
        await until('the close', () => closed !== null);
      }
    },
  };
}
