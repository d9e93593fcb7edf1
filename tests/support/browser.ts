/**
 * The existing front end in its browser: one origin, preflights, credentials, tokens in storage,
 * one refresh after a 401. Source: contract, frontend-expectations §1 and §3.
 */
import WebSocket from 'ws';
import type { WireEvent } from './person.js';
import { until } from './until.js';

export const ORIGIN = 'http://localhost:3000';

/** What a page sees of an answer. */
export interface PageAnswer {
  readonly status: number;
  /** null for 204, whose body is not read */
  readonly body: any;
}

export interface Browser {
  /** `localStorage` */
  readonly storage: Map<string, string>;
  /** A call as the login and register forms make it. */
  fetch(method: string, path: string, body?: unknown): Promise<PageAnswer>;
  /** A call through the client's wrapper. @throws what the page would show */
  call(method: string, path: string, body?: unknown): Promise<any>;
  /** A chat that reconnects after 1, 2, 4, 8, 16 s. */
  chat(conversationId: string): PageChat;
  /** Whether the client has given up its tokens and gone to `/login`. */
  isLoggedOut(): boolean;
}

export interface PageChat {
  readonly events: readonly WireEvent[];
  /** Whether the input is enabled. */
  isOpen(): boolean;
  /** The HTTP statuses of upgrades that led to no socket. */
  readonly refusals: readonly number[];
  hasGivenUp(): boolean;
  send(content: string): void;
  /** Drops the connection, as a network does. */
  lose(): void;
  close(): void;
}

export function openBrowser(url: string): Browser {
  const storage = new Map<string, string>();
  let isLoggedOut = false;

  const fetchAs: Browser['fetch'] = async (method, path, body) => {
    const bearer = storage.get('access_token');
    return crossOriginFetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  };

  async function refresh(): Promise<boolean> {
    const refreshToken = storage.get('refresh_token');
    const { status, body } = await fetchAs('POST', '/auth/refresh', {
      refresh_token: refreshToken,
    });
    if (status === 200) {
      storage.set('access_token', body.access_token);
      storage.set('refresh_token', body.refresh_token);
    }
    return status === 200;
  }

  function logOut(): never {
    storage.clear();
    isLoggedOut = true;
    throw new Error('logged out');
  }

  return {
    storage,
    fetch: fetchAs,
    async call(method, path, body) {
      let answer = await fetchAs(method, path, body);
      if (answer.status === 401) {
        answer = (await refresh()) ? await fetchAs(method, path, body) : logOut();
      }
      if (answer.status === 401) {
        logOut();
      }
      if (answer.status >= 400) {
        throw new Error(shownFor(answer));
      }
      return answer.body;
    },
    chat: (conversationId) =>
      openPageChat(
        () =>
          `${url.replace('http', 'ws')}/api/v1/ws/chat/${conversationId}?token=${storage.get('access_token') ?? ''}`,
        conversationId,
      ),
    isLoggedOut: () => isLoggedOut,
  };
}

/** The text that the client makes of an error. */
function shownFor({ status, body }: PageAnswer): string {
  if (typeof body?.detail === 'string') {
    return body.detail;
  }
  return Array.isArray(body?.detail)
    ? body.detail.map(({ msg }: { msg: string }) => msg).join(', ')
    : `Request failed (${status})`;
}

interface PageRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

/** Source: Fetch standard, CORS protocol, with credentials. @throws what a page sees as a failure */
async function crossOriginFetch(url: string, request: PageRequest): Promise<PageAnswer> {
  const names = Object.keys(request.headers).sort().join(',');
  const preflight = await fetch(url, {
    method: 'OPTIONS',
    headers: {
      Origin: ORIGIN,
      'Access-Control-Request-Method': request.method,
      'Access-Control-Request-Headers': names,
    },
  });
  checkShared(preflight);
  const allowed = (name: string) => listOf(preflight.headers.get(name));
  if (
    !preflight.ok ||
    !allowed('access-control-allow-methods').includes(request.method.toLowerCase()) ||
    !names.split(',').every((name) => allowed('access-control-allow-headers').includes(name))
  ) {
    throw new TypeError(`preflight of ${request.method} ${url} refused`);
  }
  const response = await fetch(url, {
    ...request,
    headers: { ...request.headers, Origin: ORIGIN, Referer: `${ORIGIN}/` },
    redirect: 'error',
  });
  checkShared(response);
  return { status: response.status, body: response.status === 204 ? null : await response.json() };
}

function checkShared({ headers, url }: Response): void {
  if (
    headers.get('access-control-allow-origin') !== ORIGIN ||
    headers.get('access-control-allow-credentials') !== 'true'
  ) {
    throw new TypeError(`${url} is not shared with ${ORIGIN}`);
  }
}

function listOf(header: string | null): readonly string[] {
  return (header ?? '').split(',').map((name) => name.trim().toLowerCase());
}

const FIRST_RECONNECT_MS = 1_000;
const LONGEST_RECONNECT_MS = 30_000;
const MAX_RECONNECTS = 5;

/** Source: contract, frontend-expectations §3. @param firstReconnectMs less than the real one is faster */
export function openPageChat(
  address: () => string,
  conversationId: string,
  firstReconnectMs = FIRST_RECONNECT_MS,
): PageChat {
  const events: WireEvent[] = [];
  const refusals: number[] = [];
  let socket: WebSocket;
  let failures = 0;
  let isWanted = true;
  let hasGivenUp = false;

  function connect(): void {
    socket = new WebSocket(address(), { origin: ORIGIN });
    socket.on('open', () => (failures = 0));
    socket.on('message', (data: Buffer) => events.push(JSON.parse(data.toString())));
    socket.on('error', () => undefined);
    socket.on('unexpected-response', (_request, { statusCode = 0 }) => {
      refusals.push(statusCode);
      socket.terminate();
    });
    socket.on('close', () => {
      if (isWanted && failures < MAX_RECONNECTS) {
        const waitMs = Math.min(firstReconnectMs * 2 ** failures, LONGEST_RECONNECT_MS);
        failures += 1;
        setTimeout(connect, waitMs);
      } else {
        hasGivenUp = true;
      }
    });
  }
  connect();

  return {
    events,
    refusals,
    isOpen: () => socket.readyState === WebSocket.OPEN,
    hasGivenUp: () => hasGivenUp,
    send: (content) => {
      socket.send(JSON.stringify({ content, conversation_id: conversationId }));
    },
    lose: () => {
      socket.terminate();
    },
    close: () => {
      isWanted = false;
      socket.close();
    },
  };
}

/** Kinds of events that stop the typing indicator. Source: contract, frontend-expectations §3. */
const STOPS_TYPING = [
  'clarification',
  'critique_complete',
  'plan_generated',
  'designs_presented',
  'pipeline_result',
  'pipeline_failed',
  'security_warning',
  'error',
];

/** Sends a message and waits until the typing indicator stops. @returns what stopped it */
export async function say(chat: PageChat, content: string): Promise<WireEvent> {
  const before = chat.events.length;
  chat.send(content);
  return until('the typing indicator stops', () =>
    chat.events.slice(before).find(({ type }) => STOPS_TYPING.includes(type)),
  );
}
