/**
 * Stand-ins that behave as servers do that speak OpenAI's protocol in their own ways. Sources: docs.ollama.com
 * (OpenAI compatibility), docs.vllm.ai (OpenAI-compatible server), lmstudio.ai/docs (structured output),
 * openrouter.ai/docs (streaming, errors), learn.microsoft.com (Azure OpenAI v1), and issues of these, 2026-12-01.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { defaultAnswer, tokensOf } from './answers.js';
import type { VendorCall } from './behaviour.js';

export const COMPATIBLE_KINDS = ['ollama', 'vllm', 'lmstudio', 'openrouter', 'azure'] as const;
export type CompatibleKind = (typeof COMPATIBLE_KINDS)[number];

export interface CompatibleServer {
  /** As it is registered. */
  readonly url: string;
  /** Bodies of the requests that were answered. */
  readonly answered: readonly Body[];
  close(): Promise<void>;
}

type Body = Readonly<Record<string, any>>;

interface Kind {
  readonly path: string;
  /** The key that it wants; null: any, or none. */
  readonly key: string | null;
  readonly refuse?: (body: Body) => { readonly status: number; readonly error: unknown } | null;
  readonly message?: object;
  readonly document?: object;
  readonly choice?: object;
  readonly usage: (counts: object) => object | null;
  /** What its stream begins with. */
  readonly head?: string;
  /** Whether it states its usage in a stream. */
  readonly countsInStream: boolean;
}

const sse = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`;

const KINDS: Readonly<Record<CompatibleKind, Kind>> = {
  // takes any key; does not know `max_completion_tokens`, and would answer without a bound
  ollama: {
    path: '/v1',
    key: null,
    refuse: ({ model, max_tokens: cap }) =>
      cap === undefined
        ? { status: 500, error: { error: { message: `model ${String(model)} never ends` } } }
        : null,
    document: { system_fingerprint: 'fp_ollama' },
    usage: (counts) => counts,
    countsInStream: true,
  },
  vllm: {
    path: '/v1',
    key: 'vllm-key',
    message: { reasoning_content: null, tool_calls: [] },
    choice: { stop_reason: null },
    document: { prompt_logprobs: null, service_tier: null, kv_transfer_params: null },
    usage: (counts) => ({ ...counts, prompt_tokens_details: null }),
    countsInStream: true,
  },
  // knows schemas, not `json_object`, and states no usage in a stream
  lmstudio: {
    path: '/v1',
    key: null,
    refuse: ({ response_format: format }) =>
      format?.type === 'json_object'
        ? {
            status: 400,
            error: { error: "'response_format.type' must be 'json_schema' or 'text'" },
          }
        : null,
    document: { stats: {}, system_fingerprint: 'a-model' },
    usage: (counts) => counts,
    countsInStream: false,
  },
  // keeps the connection with comments, and refuses schemas for this model
  openrouter: {
    path: '/api/v1',
    key: 'sk-or-v1-key',
    refuse: ({ response_format: format }) =>
      format === undefined
        ? null
        : {
            status: 400,
            error: {
              error: { message: 'response_format is not supported by this model', code: 400 },
            },
          },
    document: { provider: 'Somebody', service_tier: null },
    choice: { native_finish_reason: 'stop' },
    usage: (counts) => ({
      ...counts,
      cost: 0.00014,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0 },
    }),
    head: ': OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n',
    countsInStream: true,
  },
  // a deployment of a reasoning model: the newer cap, no temperature, and first an event without choices
  azure: {
    path: '/openai/v1',
    key: 'azure-key',
    refuse: (body) => {
      const refused = ['max_tokens', 'temperature'].find((name) => name in body);
      return refused === undefined
        ? null
        : {
            status: 400,
            error: {
              error: {
                message: `Unsupported parameter: '${refused}' is not supported with this model.`,
                type: 'invalid_request_error',
                param: refused,
                code: 'unsupported_parameter',
              },
            },
          };
    },
    choice: { content_filter_results: { hate: { filtered: false, severity: 'safe' } } },
    document: { prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }] },
    usage: (counts) => ({
      ...counts,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0, accepted_prediction_tokens: 0 },
    }),
    head: sse({ choices: [], model: '', prompt_filter_results: [{ prompt_index: 0 }] }),
    countsInStream: true,
  },
};

export async function startCompatible(name: CompatibleKind): Promise<CompatibleServer> {
  const kind = KINDS[name];
  const answered: Body[] = [];
  const server = createServer((request, response) => {
    serve(kind, request, response, answered).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${kind.path}`,
    answered,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function serve(
  kind: Kind,
  request: IncomingMessage,
  response: ServerResponse,
  answered: Body[],
): Promise<void> {
  const send = (status: number, document: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document));
  };
  const key = request.headers.authorization?.replace(/^Bearer /, '');
  if (kind.key !== null && key !== kind.key) {
    send(401, { error: { message: 'No auth credentials found', code: 401 } });
    return;
  }
  if (request.url !== `${kind.path}/chat/completions`) {
    send(404, { detail: 'Not Found' });
    return;
  }
  const body = await readBody(request);
  const refusal = kind.refuse?.(body) ?? null;
  if (refusal !== null) {
    send(refusal.status, refusal.error);
    return;
  }
  answered.push(body);
  if (body['stream'] === true) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(streamOf(kind, body));
  } else {
    send(200, documentOf(kind, body));
  }
}

async function readBody(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Body;
}

function headOf(kind: Kind, body: Body) {
  return { id: 'chatcmpl-1', created: 1, model: body['model'], ...kind.document };
}

function countsOf(body: Body) {
  const [prompt, completion] = [tokensOf(promptOf(body)), tokensOf(answerTo(body))];
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  };
}

function documentOf(kind: Kind, body: Body) {
  const message = { role: 'assistant', content: answerTo(body), ...kind.message };
  const choices = [{ index: 0, message, finish_reason: 'stop', ...kind.choice }];
  const usage = kind.usage(countsOf(body));
  return { ...headOf(kind, body), object: 'chat.completion', choices, usage };
}

function streamOf(kind: Kind, body: Body): string {
  const head = { ...headOf(kind, body), object: 'chat.completion.chunk' };
  const chunk = (delta: object, finish_reason: string | null = null) =>
    sse({ ...head, choices: [{ index: 0, delta, finish_reason, ...kind.choice }] });
  const text = answerTo(body);
  const half = Math.ceil(text.length / 2);
  const isCounted = kind.countsInStream && body['stream_options']?.include_usage === true;
  return [
    kind.head ?? '',
    chunk({ role: 'assistant', content: '' }),
    chunk({ content: text.slice(0, half) }),
    chunk({ content: text.slice(half) }),
    chunk({}, 'stop'),
    isCounted ? sse({ ...head, choices: [], usage: kind.usage(countsOf(body)) }) : '',
    'data: [DONE]\n\n',
  ].join('');
}

function promptOf({ messages }: Body): string {
  return (messages as { content: string }[]).map(({ content }) => content).join('\n');
}

/** What a model answers that was given the schema, or found it in its prompt. */
function answerTo(body: Body): string {
  const prompt = promptOf(body);
  const format = body['response_format'];
  const schema = (format?.json_schema?.schema ?? schemaIn(prompt)) as VendorCall['schema'];
  if (schema === null && prompt.includes('{"ready": true}')) {
    return '{"ready": true}';
  }
  return defaultAnswer({ model: String(body['model']), prompt, schema } as VendorCall);
}

function schemaIn(prompt: string): unknown {
  const [, text] = /by this JSON Schema: (\{.*\})$/m.exec(prompt) ?? [];
  return text === undefined ? null : (JSON.parse(text) as unknown);
}
