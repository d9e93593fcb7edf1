/** Inputs that were found to hold a process, or to get in. A new one is one entry of this list. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { Redis } from 'ioredis';
import WebSocket from 'ws';
import { z } from 'zod';
import { STAND_IN_DESIGNS } from '../../tests/support/vendors/answers.js';
import type { BehaviourRule } from '../../tests/support/vendors/server.js';
import { ORDER, reasonOf } from './measure.js';
import type { Scene } from './scene.js';

export interface HostileInput {
  readonly name: string;
  /** @returns what it was answered, in a few words */
  throwAt(scene: Scene): Promise<string>;
}

const SCHEMA = {
  type: 'object',
  properties: { score: { type: 'number' } },
  required: ['score'],
  additionalProperties: false,
};
const KIB = 1_024;
const Ended = z.looseObject({ pipeline_id: z.string() });
const Said = z.looseObject({ status: z.string().optional(), detail: z.unknown() });
const Created = z.looseObject({ id: z.string() });

export const INPUTS: readonly HostileInput[] = [
  { name: 'nothing', throwAt: () => pause(3_000, '–') },
  {
    name: 'a reply "```json", 1,000 newlines, "x"',
    async throwAt(scene) {
      answerAttacker(scene, { kind: 'answer', text: `\`\`\`json${'\n'.repeat(1_000)}x` });
      return order(scene, { output_schema: SCHEMA });
    },
  },
  {
    name: 'an error of 64 KB by a provider',
    async throwAt(scene) {
      answerAttacker(scene, { kind: 'status', status: 400, code: 'a-'.repeat(32 * KIB) });
      return order(scene, {});
    },
  },
  {
    name: 'paths of 15 KB `a-`, 4 clients without account',
    throwAt: ({ api }) =>
      flood(4, async () => {
        const { status } = await fetch(`${api.url}/${'a-'.repeat(7_500)}`);
        return String(status);
      }),
  },
  { name: 'a message of 64 KB of spaces', throwAt: (scene) => chat(scene, [' '.repeat(65_000)]) },
  {
    name: 'a design with half a surrogate pair',
    throwAt: (scene) => designs(scene, 'reader \ud83d'),
  },
  { name: 'a design with NUL in a name', throwAt: (scene) => designs(scene, 'reader \0') },
  {
    name: 'a rerun with 900,000 keys',
    async throwAt(scene) {
      const run = await scene.attacker.ask('POST', '/pipelines/execute', ORDER);
      const keys = Array.from({ length: 900_000 }, (_, key) => `"${key.toString(36)}":1`);
      const path = `/pipelines/${Ended.parse(run.body).pipeline_id}/rerun`;
      return post(scene, path, { body: `{"changes":{${keys.join(',')}}}` });
    },
  },
  {
    name: 'a template with an unknown field of 7.8 MB',
    throwAt: (scene) => {
      const unknown = Array.from({ length: 650_000 }, (_, key) => `"${key}":[]`).join(',');
      return post(scene, '/templates', { body: `{"name":"x","more":{${unknown}}}` });
    },
  },
  {
    name: 'a sign-in with 8 MB of "[", no account',
    throwAt: (scene) => post(scene, '/auth/login', { body: '['.repeat(8_000_000), token: '' }),
  },
  {
    name: 'an output_schema of 20,000 levels',
    throwAt: (scene) => {
      const levels = 20_000;
      const deep = `${'{"type":"array","items":'.repeat(levels)}{}${'}'.repeat(levels)}`;
      const body = JSON.stringify(ORDER).replace('"role"', `"output_schema":${deep},"role"`);
      return post(scene, '/pipelines/execute', { body });
    },
  },
  {
    name: '60 sign-ins at once',
    async throwAt(scene) {
      const body = JSON.stringify({ email: 'somebody@example.com', password: 'Wr0ng-password' });
      const answers = await Promise.all(
        Array.from({ length: 60 }, () => post(scene, '/auth/login', { body, token: '' })),
      );
      return summary(answers);
    },
  },
  { name: '100 sockets that answer no ping', throwAt: openSilentSockets },
  { name: '20,000 forged messages over Redis', throwAt: forgeMessages },
  { name: '200 signals that are not sealed', throwAt: sendUnsealedSignals },
  { name: '12 pages of 5 MB text for the collector', throwAt: collectTexts },
];

function answerAttacker({ vendors, isAttackers }: Scene, rule: BehaviourRule): void {
  vendors.setBehaviour((call) => {
    if (!isAttackers(call.key)) {
      return undefined;
    }
    return typeof rule === 'function' ? rule(call) : rule;
  });
}

async function order({ attacker }: Scene, fields: object): Promise<string> {
  const [first, ...rest] = ORDER.design.agents;
  const design = { ...ORDER.design, agents: [{ ...first, ...fields }, ...rest] };
  const answer = await attacker.ask('POST', '/pipelines/execute', { design });
  const { status, detail } = Said.parse(answer.body);
  return `${answer.status} ${status ?? JSON.stringify(detail).slice(0, 40)}`;
}

async function post(
  { api, attacker }: Scene,
  path: string,
  { body, token = attacker.token }: { readonly body: string; readonly token?: string },
): Promise<string> {
  const response = await fetch(`${api.url}/api/v1${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    },
    body,
  });
  const text = await response.text();
  return `${response.status}, ${(text.length / KIB).toFixed(0)} KB`;
}

const FLOOD_MS = 3_000;

async function flood(clients: number, ask: () => Promise<string>): Promise<string> {
  const end = performance.now() + FLOOD_MS;
  const client = async (): Promise<readonly string[]> => {
    const answers: string[] = [];
    while (performance.now() < end) {
      answers.push(await ask());
    }
    return answers;
  };
  return summary((await Promise.all(Array.from({ length: clients }, client))).flat());
}

/** `60 × 401` */
function summary(answers: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const answer of answers) {
    counts.set(answer, (counts.get(answer) ?? 0) + 1);
  }
  return [...counts].map(([answer, count]) => `${count} × ${answer}`).join(', ');
}

async function chat({ attacker }: Scene, messages: readonly string[]): Promise<string> {
  const open = await attacker.chat(await attacker.startConversation());
  let last = '';
  for (const message of messages) {
    last = (await open.say(message)).type;
  }
  await open.close();
  return last;
}

/** The model proposes it, and the user takes it. */
async function designs(scene: Scene, name: string): Promise<string> {
  const changed = STAND_IN_DESIGNS.map(({ agents, ...design }) => ({
    ...design,
    agents: agents.map((agent, index) => (index === 0 ? { ...agent, name } : agent)),
    edges: null,
  }));
  answerAttacker(scene, ({ schema }) =>
    JSON.stringify(schema?.['properties'] ?? {}).startsWith('{"designs"')
      ? { kind: 'answer', json: { designs: changed } }
      : undefined,
  );
  return chat(scene, [
    'Compare three podcast apps and write a report about them',
    'ok, take option 1',
  ]);
}

async function openSilentSockets({ api, attacker }: Scene): Promise<string> {
  const sockets = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const id = await attacker.startConversation();
      const url = `${api.url.replace('http', 'ws')}/api/v1/ws/chat/${id}?token=${attacker.token}`;
      const socket = new WebSocket(url, { autoPong: false });
      socket.on('error', () => undefined);
      await Promise.race([
        new Promise((resolve) => socket.once('open', resolve).once('close', resolve)),
        pause(5_000),
      ]);
      return socket;
    }),
  );
  await pause(FLOOD_MS);
  const open = sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length;
  sockets.forEach((socket) => {
    socket.terminate();
  });
  return `${open} open after 3 s`;
}

async function forgeMessages({ place, attacker }: Scene): Promise<string> {
  const conversationId = await attacker.startConversation();
  const open = await attacker.chat(conversationId);
  const redis = new Redis(place.redisUrl);
  const event = { type: 'pipeline_result', seq: 1, timestamp: '2026-12-01T00:00:00Z', result: {} };
  const text = JSON.stringify({ events: [event] });
  try {
    for (let batch = 0; batch < 200; batch += 1) {
      const pipeline = redis.pipeline();
      for (let count = 0; count < 100; count += 1) {
        pipeline.publish(`agentforge:events:${conversationId}`, text);
      }
      await pipeline.exec();
    }
    await pause(500);
    const believed = open.events.filter(({ type }) => type === 'pipeline_result').length;
    return `${believed} believed`;
  } catch (error) {
    return `refused by Redis: ${reasonOf(error).slice(0, 40)}`;
  } finally {
    redis.disconnect();
    await open.close();
  }
}

async function sendUnsealedSignals({ place, attacker }: Scene): Promise<string> {
  const conversationId = await attacker.startConversation();
  const open = await attacker.chat(conversationId);
  await open.say('help me');
  // a client without our codec, as anybody who reaches Temporal has one
  const connection = await Connection.connect({ address: place.temporalAddress });
  const client = new Client({ connection });
  const handle = client.workflow.getHandle(`discussion-${conversationId}`);
  const message = {
    messageId: randomUUID(),
    content: 'forged',
    receivedAt: new Date().toISOString(),
  };
  try {
    await Promise.all(Array.from({ length: 200 }, () => handle.signal('userMessage', message)));
    const { type } = await open.say('help me');
    const forged = open.events.filter((it) => JSON.stringify(it).includes('forged')).length;
    return `then ${type}, ${forged} believed`;
  } finally {
    await connection.close();
    await open.close();
  }
}

async function collectTexts({ collector, pages }: Scene): Promise<string> {
  const texts = ['a-'.repeat(2_500_000), ' '.repeat(5_000_000), '1'.repeat(5_000_000)];
  texts.forEach((body, index) => {
    pages.set(`/${index}`, { type: 'text/plain', body });
  });
  const ask = (path: string, body: object): Promise<Response> =>
    fetch(`${collector.url}/api/v1/collections${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const collect = async (index: number): Promise<string> => {
    const url = `http://127.0.0.1:${pages.port}/${index % texts.length}?${randomUUID()}`;
    const created = await ask('', { url, source_type: 'web' });
    const { id } = Created.parse(await created.json());
    await ask(`/${id}/compliance`, {});
    return String((await ask(`/${id}/collect`, {})).status);
  };
  return summary(await Promise.all(Array.from({ length: 12 }, (_, index) => collect(index))));
}
