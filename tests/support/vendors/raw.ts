/** A server that answers as a test says, byte for byte, in place of all three vendors. */
import { parametersOf } from '../models.js';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import type { Vendor } from '../../../domain/agents/models.js';
import type { Provider, ProviderReply } from '../../../llm/model.js';
import { createProviders } from './providers.js';

export interface Sent {
  readonly body: string;
  readonly status?: number;
  readonly type?: string;
  /** Cuts the connection after the body. */
  readonly cut?: boolean;
  /** Leaves the connection open after the body. */
  readonly open?: boolean;
}

export interface RawProvider {
  readonly providers: Record<Vendor, Provider>;
  /** Bodies of the requests so far. */
  readonly requests: readonly string[];
  /** @param answerTo gets the number of the request, from 1 on */
  answer(answerTo: (request: number) => Sent): void;
  close(): Promise<void>;
}

export async function startRawProvider(): Promise<RawProvider> {
  let requests: string[] = [];
  let answerTo: (request: number) => Sent = () => ({ body: '' });
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      requests.push(Buffer.concat(chunks).toString());
      const sent = answerTo(requests.length);
      const headers = { 'content-type': sent.type ?? 'application/json' };
      response.writeHead(sent.status ?? 200, headers);
      if (sent.cut === true) {
        response.write(sent.body, () => response.destroy());
      } else if (sent.open === true) {
        response.write(sent.body);
      } else {
        response.end(sent.body);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    providers: createProviders({
      openAiUrl: `${base}/v1`,
      anthropicUrl: base,
      googleUrl: base,
    }),
    get requests() {
      return requests;
    },
    answer(next) {
      requests = [];
      answerTo = next;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const MODELS = { openai: 'gpt-4o', anthropic: 'claude-opus-4-6', google: 'gemini-2.5-flash-lite' };

/** @returns the reply, or the failure's code and billing */
export async function askOnce(provider: Provider, vendor: Vendor, { streamed = false } = {}) {
  const pieces: string[] = [];
  const reply = provider.complete(
    {
      model: MODELS[vendor],
      messages: [{ role: 'user', content: 'Say something.' }],
      temperature: 0,
      maxTokens: 500,
      parameters: parametersOf(vendor),
      purpose: { kind: 'key-check' },
    },
    {
      apiKey: 'sk-key',
      signal: new AbortController().signal,
      timeoutMs: 10_000,
      ...(streamed ? { onDelta: (text: string) => pieces.push(text) } : {}),
    },
  );
  const seen = await reply.then(viewReply, (error: unknown) => {
    const { code, billing } = error as { code?: string; billing?: unknown };
    return { code, billing };
  });
  return streamed && 'content' in seen ? { ...seen, pieces: pieces.join('') } : seen;
}

function viewReply({ content, finish, usage }: ProviderReply) {
  return { content, finish, usage };
}

export const json = (value: unknown): Sent => ({ body: JSON.stringify(value) });
