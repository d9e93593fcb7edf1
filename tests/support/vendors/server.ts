import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ZodError } from 'zod';
import { defaultAnswer, tokensOf } from './answers.js';
import { anthropicWire } from './anthropic.js';
import type { Behaviour, BehaviourRule, VendorCall } from './behaviour.js';
import { googleWire } from './google.js';
import { openAiWire } from './openai.js';
import { sendStream } from './stream.js';
import type { ReadRequest, Wire, WireAnswer } from './wire.js';

export type { Behaviour, BehaviourRule, VendorCall } from './behaviour.js';

export interface StandInVendors {
  /** With `/v1`, as `OPENAI_BASE_URL` wants it. */
  readonly openAiUrl: string;
  readonly anthropicUrl: string;
  readonly googleUrl: string;
  /** Every well-routed request so far, in order of arrival. */
  readonly calls: readonly VendorCall[];
  /** Holds for all calls from now on; without an argument back to the default answers. */
  setBehaviour(rule?: BehaviourRule): void;
  /** Resolves as soon as the calls so far fulfil the condition. */
  until(condition: (calls: readonly VendorCall[]) => boolean): Promise<void>;
  clear(): void;
  close(): Promise<void>;
}

const WIRES: Readonly<Record<string, Wire>> = {
  openai: openAiWire,
  anthropic: anthropicWire,
  google: googleWire,
};

/** One local server that speaks the wire formats of all three vendors. */
export async function startStandInVendors(): Promise<StandInVendors> {
  const calls: VendorCall[] = [];
  const changes = new EventEmitter().setMaxListeners(0);
  let rule: BehaviourRule = () => undefined;
  const changed = () => {
    changes.emit('change');
  };
  const server = createServer((request, response) => {
    const desk: Desk = { request, response, calls, changed, choose: (call) => choose(rule, call) };
    serve(desk).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    openAiUrl: `${base}/openai/v1`,
    anthropicUrl: `${base}/anthropic`,
    googleUrl: `${base}/google`,
    calls,
    setBehaviour: (next = () => undefined) => {
      rule = next;
    },
    until: async (condition) => {
      while (!condition(calls)) {
        await once(changes, 'change');
      }
    },
    clear: () => {
      calls.length = 0;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function choose(rule: BehaviourRule, call: VendorCall): Behaviour {
  const chosen = typeof rule === 'function' ? rule(call) : rule;
  return chosen ?? { kind: 'answer' };
}

interface Desk {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly calls: VendorCall[];
  changed(): void;
  choose(call: VendorCall): Behaviour;
}

async function serve(desk: Desk): Promise<void> {
  const { request, response } = desk;
  const url = new URL(request.url ?? '/', 'http://stand-in');
  const [, name = '', ...rest] = url.pathname.split('/');
  const wire = WIRES[name];
  const path = `/${rest.join('/')}`;
  const kind = wire?.routeOf(request.method ?? '', path);
  if (wire === undefined || kind == null) {
    send(response, JSON.stringify({ error: { message: 'no such path' } }), { status: 404 });
    return;
  }
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([header, value]) => [header, String(value)]),
  );
  const key = wire.keyOf(headers, url);
  const body = await readBody(request);
  const read = readRequest(wire, { kind, body, path });
  const call: VendorCall = {
    number: desk.calls.length + 1,
    vendor: wire.vendor,
    kind,
    path,
    key,
    headers,
    body,
    ...(read instanceof Error ? NOTHING_READ : read),
    usage: null,
    status: null,
    aborted: false,
  };
  response.once('close', () => {
    call.aborted = !response.writableFinished;
    desk.changed();
  });
  desk.calls.push(call);
  desk.changed();
  const problem = read instanceof Error ? read.message : wire.missingHeader(headers);
  await reply({
    desk,
    wire,
    call,
    behaviour: refusalOf({ wire, call, problem }) ?? desk.choose(call),
  });
}

const NOTHING_READ: ReadRequest = {
  model: '',
  maxTokens: null,
  prompt: '',
  schema: null,
  isStreamed: false,
};

function readRequest(
  wire: Wire,
  { kind, body, path }: { kind: VendorCall['kind']; body: unknown; path: string },
): ReadRequest | Error {
  if (kind === 'list-models') {
    return NOTHING_READ;
  }
  try {
    return wire.read(body, path);
  } catch (error) {
    return error instanceof ZodError ? error : new Error('unreadable body');
  }
}

/** Keys that contain `invalid` are refused, as is a request that the vendor would not understand. */
function refusalOf(seen: { wire: Wire; call: VendorCall; problem: string | null }) {
  const { wire, call, problem } = seen;
  if (call.key === '' || call.key.includes('invalid')) {
    return { kind: 'status', ...wire.badKey } as const;
  }
  return problem === null
    ? null
    : ({ kind: 'status', status: 400, code: `invalid_request_error: ${problem}` } as const);
}

interface Turn {
  readonly desk: Desk;
  readonly wire: Wire;
  readonly call: VendorCall;
  readonly behaviour: Behaviour;
}

async function reply({ desk, wire, call, behaviour }: Turn): Promise<void> {
  const { response } = desk;
  if (behaviour.kind === 'hang') {
    return;
  }
  if (behaviour.kind === 'break' && !call.isStreamed) {
    await reply({ desk, wire, call, behaviour: { kind: 'status', status: 500 } });
    return;
  }
  if (behaviour.kind === 'status') {
    await behaviour.hold;
    call.status = behaviour.status;
    send(response, JSON.stringify(failureOf({ wire, call, behaviour })), behaviour);
    return;
  }
  const answer = answerOf(call, behaviour);
  if (behaviour.kind === 'answer') {
    await Promise.all([behaviour.hold, delay(behaviour.delayMs ?? 0)]);
  }
  call.status = 200;
  call.usage = call.kind === 'complete' ? answer.usage : null;
  if (call.isStreamed) {
    await sendStream(response, { wire, behaviour, requestId: `req-${call.number}` }, answer);
  } else {
    sendAnswer({ desk, wire, call, behaviour }, answer);
  }
  desk.changed();
}

function sendAnswer({ desk, wire, call, behaviour }: Turn, answer: WireAnswer): void {
  const { response } = desk;
  const whole = JSON.stringify(call.kind === 'complete' ? wire.answer(answer) : wire.models());
  switch (behaviour.kind) {
    case 'garbage':
      send(response, '<html>bad gateway</html>');
      break;
    case 'empty':
      send(response, JSON.stringify(wire.empty(answer)));
      break;
    case 'stall':
    case 'cut':
    case 'end-early':
      sendHalf(response, whole, behaviour.kind === 'stall' ? 'stall' : 'cut');
      break;
    default:
      send(response, whole, { headers: { [wire.requestIdHeader]: `req-${call.number}` } });
  }
}

function sendHalf(response: ServerResponse, whole: string, then: 'stall' | 'cut'): void {
  response.writeHead(200, { ...JSON_TYPE, 'content-length': Buffer.byteLength(whole) });
  response.write(whole.slice(0, 20), () => {
    if (then === 'cut') {
      response.destroy();
    }
  });
}

function answerOf(call: VendorCall, behaviour: Behaviour): WireAnswer {
  const wanted = behaviour.kind === 'answer' ? behaviour : { kind: 'answer' as const };
  const text =
    wanted.json === undefined ? (wanted.text ?? defaultAnswer(call)) : JSON.stringify(wanted.json);
  const maxTokens = call.maxTokens ?? Number.POSITIVE_INFINITY;
  return {
    id: `answer-${call.number}`,
    model: call.model,
    text,
    usage: wanted.usage ?? {
      promptTokens: tokensOf(call.prompt),
      completionTokens: Math.min(tokensOf(text), maxTokens),
    },
    finish: wanted.finish ?? 'stop',
  };
}

/** Quotes the key, as vendors do, so that a test can show that it is not passed on. */
function failureOf(failed: {
  wire: Wire;
  call: VendorCall;
  behaviour: Extract<Behaviour, { kind: 'status' }>;
}) {
  const { wire, call, behaviour } = failed;
  const retryAfter = behaviour.headers?.['retry-after'];
  return wire.error({
    status: behaviour.status,
    code: behaviour.code ?? `error_${behaviour.status}`,
    message: behaviour.message ?? `stand-in failure for the key ${call.key}: ${call.prompt}`,
    ...(behaviour.param === undefined ? {} : { param: behaviour.param }),
    ...(retryAfter === undefined ? {} : { retryAfterSeconds: Number(retryAfter) }),
  });
}

const JSON_TYPE = { 'content-type': 'application/json' } as const;

interface Head {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

function send(response: ServerResponse, text: string, { status, headers }: Head = {}): void {
  response.writeHead(status ?? 200, { ...JSON_TYPE, ...headers });
  response.end(text);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  try {
    return text === '' ? null : (JSON.parse(text) as unknown);
  } catch {
    return text;
  }
}
