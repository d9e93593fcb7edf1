/** Passes a request on to the Temporal Web UI, and its answer back. */
import { request as requestHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as requestHttps } from 'node:https';
import { pipeline, Transform } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { z } from 'zod';
import { withoutOperatorCookies } from '../auth/operator-cookie.js';

export interface Upstream {
  /** `http://127.8.9.10:28233` */
  readonly origin: string;
}

export interface Forwarding {
  readonly upstream: Upstream;
  /** On every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** As the browser sees the Web UI; this is where it has payloads decoded. */
  readonly origin: string;
  onError(error: unknown): void;
}

/** The Web UI asks for this first: where payloads are decoded, among others. */
const SETTINGS_PATH = '/api/v1/settings';
/** What the Web UI sends: an input that Temporal takes has 2 MiB, in base64. */
const MAX_REQUEST_BYTES = 4_194_304;
const MAX_SETTINGS_BYTES = 1_048_576;
/** Longer than the Web UI waits for the next event of a history. */
const SILENCE_MS = 75_000;

/** Source: RFC 9110 §7.6.1. */
const HOP_BY_HOP = [
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
];
/** The Web UI needs none of these, and some of them name us. */
const NOT_PASSED_ON = [
  'host',
  'origin',
  'cookie',
  'referer',
  'authorization',
  'x-api-key',
  'forwarded',
  'expect',
];
/** Ours are stricter, and no other origin may read an answer. */
const NOT_PASSED_BACK =
  /^(?:access-control-.*|x-frame-options|x-content-type-options|referrer-policy|strict-transport-security)$/;

type Headers = IncomingMessage['headers'];

export function forward(request: IncomingMessage, response: ServerResponse, how: Forwarding): void {
  const isSettings = pathOf(request) === SETTINGS_PATH;
  const url = new URL(how.upstream.origin);
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  const outgoing = send(url, {
    method: request.method,
    path: request.url,
    headers: requestHeaders(request, { origin: url.origin, isSettings }),
    timeout: SILENCE_MS,
  });
  // else Node sends a GET's body of unknown length without a frame: it would be another request
  outgoing.useChunkedEncodingByDefault = true;
  const fail = (error: unknown, status: number): void => {
    outgoing.destroy();
    answer(response, { status, headers: how.headers });
    if (status === 502) {
      how.onError(error);
    }
  };
  outgoing.once('timeout', () => {
    fail(new Error('the Temporal Web UI is silent'), 502);
  });
  outgoing.once('error', (error) => {
    fail(error, 502);
  });
  outgoing.once('response', (incoming) => {
    if (isSettings && incoming.statusCode === 200) {
      void passSettingsBack(incoming, response, how).catch((error: unknown) => {
        fail(error, 502);
      });
    } else {
      passBack(incoming, response, how);
    }
  });
  response.once('close', () => {
    outgoing.destroy();
  });
  pipeline(request, limited(MAX_REQUEST_BYTES), outgoing, (error) => {
    if (error instanceof TooLarge) {
      fail(error, 413);
    }
  });
}

/** Without what follows a `?`. */
export function pathOf({ url = '' }: Pick<IncomingMessage, 'url'>): string {
  return url.split('?', 1)[0] ?? '';
}

/** @param answered a short text, where the answer has not begun */
export function answer(
  response: ServerResponse,
  answered: { status: number; headers: Readonly<Record<string, string>>; detail?: string },
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, headers, detail = 'The Temporal Web UI does not answer' } = answered;
  response.writeHead(status, { ...headers, 'Content-Type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify({ detail: status === 413 ? 'Request body is too large' : detail }));
}

function requestHeaders(
  { headers }: IncomingMessage,
  { origin, isSettings }: { origin: string; isSettings: boolean },
): Headers {
  const dropped = [
    ...NOT_PASSED_ON,
    ...hopByHop(headers),
    ...(isSettings ? ['accept-encoding'] : []),
  ];
  const kept = Object.entries(headers).filter(
    ([name]) => !dropped.includes(name) && !name.startsWith('x-forwarded-'),
  );
  const cookie = withoutOperatorCookies(headers.cookie ?? '');
  return {
    ...Object.fromEntries(kept),
    ...(cookie === '' ? {} : { cookie }),
    ...(headers.origin === undefined ? {} : { origin }),
  };
}

function passBack(incoming: IncomingMessage, response: ServerResponse, how: Forwarding): void {
  response.writeHead(incoming.statusCode ?? 502, {
    ...answerHeaders(incoming.headers),
    ...how.headers,
  });
  pipeline(incoming, response, () => undefined); // an answer that is cut off is cut off here, too
}

function answerHeaders(headers: Headers): Headers {
  const dropped = hopByHop(headers);
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !dropped.includes(name) && !NOT_PASSED_BACK.test(name),
    ),
  );
}

function hopByHop({ connection = '' }: Headers): readonly string[] {
  return [
    ...HOP_BY_HOP,
    ...connection
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  ];
}

const settingsSchema = z.looseObject({ Codec: z.looseObject({}).optional() });

/** What decides where the Web UI has payloads decoded is one of its server's settings. */
async function passSettingsBack(
  incoming: IncomingMessage,
  response: ServerResponse,
  { headers, origin }: Forwarding,
): Promise<void> {
  const text = await readText(incoming.pipe(limited(MAX_SETTINGS_BYTES)));
  const settings = settingsSchema.parse(JSON.parse(text));
  const body = JSON.stringify({
    ...settings,
    Codec: {
      ...settings.Codec,
      Endpoint: `${origin}/api/v1/codec`,
      PassAccessToken: false,
      IncludeCredentials: true,
    },
  });
  const { 'content-length': _length, ...kept } = answerHeaders(incoming.headers);
  response.writeHead(200, { ...kept, ...headers, 'Cache-Control': 'no-store' });
  response.end(body);
}

class TooLarge extends Error {}

function limited(maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        done(new TooLarge());
      } else {
        done(null, chunk);
      }
    },
  });
}
