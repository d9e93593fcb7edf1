import { WebSocket } from 'ws';
import { until } from './until.js';

export interface ClientFrame {
  readonly type: string;
  readonly content?: string;
  readonly seq?: number;
  readonly timestamp: string;
  readonly [field: string]: unknown;
}

/** A chat client that remembers all it got. */
export interface ChatClient {
  readonly socket: WebSocket;
  readonly frames: ClientFrame[];
  closed(): Promise<{ code: number; reason: string }>;
  /** The HTTP answer to an upgrade that led to no socket. */
  refused(): Promise<{ status: number; body: string }>;
  send(frame: object): void;
  /** Waits for that many frames. */
  received(count: number): Promise<readonly ClientFrame[]>;
  seqs(): readonly (number | undefined)[];
}

export function connectChat(url: string, headers: Record<string, string> = {}): ChatClient {
  const socket = new WebSocket(url, { headers });
  const frames: ClientFrame[] = [];
  socket.on('message', (data) => {
    frames.push(JSON.parse((data as Buffer).toString('utf8')) as ClientFrame);
  });
  let ending: { code: number; reason: string } | null = null;
  socket.on('close', (code, reason) => {
    ending = { code, reason: reason.toString('utf8') };
  });
  socket.on('error', () => undefined);
  let refusal: { status: number; body: string } | null = null;
  socket.on('unexpected-response', (_request, response) => {
    let body = '';
    response.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
    response.on('end', () => {
      refusal = { status: response.statusCode ?? 0, body };
      socket.terminate();
    });
  });
  return {
    socket,
    frames,
    closed: async () => {
      await until('the socket is closed', () => ending !== null);
      return ending ?? { code: 0, reason: '' };
    },
    refused: async () => {
      await until('the upgrade is refused', () => refusal !== null);
      return refusal ?? { status: 0, body: '' };
    },
    send: (frame) => {
      socket.send(JSON.stringify(frame));
    },
    received: async (count) => {
      await until(`${count} frames have come`, () => frames.length >= count);
      return frames;
    },
    seqs: () => frames.map(({ seq }) => seq),
  };
}

export async function opened(client: ChatClient): Promise<ChatClient> {
  await until('the socket is open', () => client.socket.readyState === client.socket.OPEN);
  return client;
}
