/** A product one of whose servers goes away while a turn and a pipeline are waiting for a model. */
import { setTimeout as pause } from 'node:timers/promises';
import { register, type Chat, type Person, type WireEvent } from './person.js';
import { startProduct, type Product } from './product.js';
import { startProxyOf, type Part } from './server-proxies.js';
import type { TcpProxy } from './tcp-proxy.js';
import { until } from './until.js';
import { startStandInVendors, type StandInVendors } from './vendors/server.js';

export interface DiscussionState {
  readonly person: Person;
  readonly conversationId: string;
  readonly chat: Chat;
}

/** What is under way when the server goes away. */
export interface Scene {
  readonly product: Product;
  readonly vendors: StandInVendors;
  readonly proxy: TcpProxy;
  /** A turn of theirs waits for a model. */
  readonly talker: DiscussionState;
  /** A run of theirs waits for a model. */
  readonly runner: DiscussionState;
  /** Sends nothing before the outage. */
  readonly late: DiscussionState;
}

/** Each discussion has its own subject, so that no two of their model calls are alike. */
export const REQUESTS = {
  talker: 'Compare three podcast apps by price and write a report',
  runner: 'Compare three bicycles by weight and write a report',
  late: 'Compare three cameras by size and write a report',
};

export async function setScene(part: Part): Promise<Scene> {
  const proxy = await startProxyOf(part);
  const vendors = await startStandInVendors();
  const product = await startProduct({
    ports: { [part]: proxy.port },
    env: {
      SIMULATED_MODELS: 'false',
      DEFAULT_LLM_PROVIDER: 'openai',
      OPENAI_API_KEY: 'sk-stand-in',
      OPENAI_BASE_URL: vendors.openAiUrl,
    },
  });
  const [talker, runner, late] = await Promise.all(
    [1, 2, 3].map(() => startDiscussionState(product.url)),
  );
  if (talker === undefined || runner === undefined || late === undefined) {
    throw new Error('three were asked for');
  }
  return { product, vendors, proxy, talker, runner, late };
}

async function startDiscussionState(url: string): Promise<DiscussionState> {
  const person = await register(url);
  const conversationId = await person.startConversation();
  return { person, conversationId, chat: await person.chat(conversationId) };
}

/**
 * Takes the server away once a turn and a run are waiting for a model, whose answers come while it
 * is away, and brings it back after `awayMs`, or when `meanwhile` has ended, if that is later.
 */
export async function goThrough(
  scene: Scene,
  awayMs: number,
  meanwhile: (scene: Scene) => Promise<void>,
): Promise<void> {
  const { vendors, proxy, talker, runner } = scene;
  await runner.chat.say(REQUESTS.runner);
  const hold = Promise.withResolvers<null>();
  vendors.setBehaviour({ kind: 'answer', hold: hold.promise });
  const callsBefore = vendors.calls.length;
  talker.chat.send(REQUESTS.talker);
  runner.chat.send('ok, take option 2');
  await runner.chat.next('pipeline_started');
  await vendors.until((calls) => calls.length === callsBefore + 2);
  await proxy.cut();
  hold.resolve(null);
  vendors.setBehaviour();
  await Promise.all([pause(awayMs), meanwhile(scene)]);
  await proxy.restore();
}

/** Every stored event of a conversation as a new connection gets it, once `last` of that type are there. */
export async function readAll(
  state: DiscussionState,
  type: string,
  last: number,
): Promise<WireEvent[]> {
  const again = await state.person.chat(state.conversationId, 'after=0');
  const isDone = () => again.events.filter((event) => event.type === type).length >= last;
  await until(`${last} × ${type}`, isDone);
  await again.close();
  return [...again.events];
}

export async function endScene({ product, proxy, vendors }: Scene): Promise<void> {
  await product.stop();
  await proxy.close();
  await vendors.close();
}

/** An answer of a root path; the body is parsed. */
export async function askRoot(url: string, path: string): Promise<{ status: number; body: any }> {
  const response = await fetch(`${url}${path}`);
  return { status: response.status, body: await response.json() };
}
