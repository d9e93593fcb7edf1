/**
 * The same story with many users at once: a request, a choice, a run of four agents in
 * parallel. Each pays with an own key, by which the stand-in vendor knows whose call to hold.
 */
import { randomUUID } from 'node:crypto';
import { register, type Chat, type Person, type WireEvent } from './person.js';
import { until } from './until.js';
import type { StandInVendors, VendorCall } from './vendors/server.js';

/** The calls of the story: two of the turn that designs, four of the run. */
export const STEPS = ['intent', 'designs', 'planner', 'left', 'right', 'joiner'] as const;
export type Step = (typeof STEPS)[number];
/** The agent of a design that a test sends itself. */
type OtherStep = 'only';

const REQUEST = 'Compare three podcast apps by price and write a report about them';
const APPROVAL = 'ok, take option 2';
const LONGEST_HOLD_MS = 90_000;

export interface Story {
  readonly person: Person;
  readonly conversationId: string;
  /** What all sockets of the story have received, one after the other. */
  readonly events: readonly WireEvent[];
  request(): void;
  approve(): void;
  /** Holds all later calls of a step until it is opened. */
  hold(step: Step | OtherStep): { open(): void };
  arrived(step: Step | OtherStep): Promise<void>;
  /** How often each step has called its vendor. */
  calls(): Readonly<Record<Step, number>>;
  sees(what: string, isIt: (event: WireEvent) => boolean): Promise<void>;
  /** Goes on to the end from wherever the story stands. */
  finish(): Promise<void>;
  /** Connects again after the last event seen. */
  reconnect(): Promise<void>;
}

export interface Fixture {
  /** A new person whose story can begin. */
  enter(url: string): Promise<Story>;
}

export function createFixture(vendors: StandInVendors): Fixture {
  const stories = new Map<string, { holdOf(step: string): Promise<unknown> }>();
  vendors.setBehaviour((call) => {
    const hold = stories.get(call.key)?.holdOf(stepOf(call));
    return hold === undefined ? undefined : { kind: 'answer', hold };
  });
  return {
    async enter(url) {
      const person = await register(url);
      const key = `sk-test-${randomUUID()}`;
      const stored = await person.ask('POST', '/llm-keys', { provider: 'openai', api_key: key });
      if (stored.body.is_valid !== true) {
        throw new Error(`key not stored: ${stored.status} ${JSON.stringify(stored.body)}`);
      }
      const conversationId = await person.startConversation();
      const chat = await person.chat(conversationId);
      const { story, holdOf } = tell({ person, conversationId, chat, key, vendors });
      stories.set(key, { holdOf });
      return story;
    },
  };
}

/** Which step of a turn or a run a call is for. */
export function stepOf({ schema, prompt }: VendorCall): string {
  const asked = Object.keys(schema?.['properties'] ?? {});
  if (asked.length > 0) {
    return ['designs', 'critiques'].find((purpose) => asked.includes(purpose)) ?? 'intent';
  }
  const named = /(?:Your task: |You are ")(\w+)/.exec(prompt)?.[1];
  return named ?? 'joiner';
}

interface Cast {
  readonly person: Person;
  readonly conversationId: string;
  readonly chat: Chat;
  readonly key: string;
  readonly vendors: StandInVendors;
}

function tell(cast: Cast): { story: Story; holdOf(step: string): Promise<unknown> } {
  const { person, conversationId, key, vendors } = cast;
  const holds = new Map<string, Promise<unknown>>();
  const earlier: WireEvent[] = [];
  let chat = cast.chat;
  const all = () => [...earlier, ...chat.events];
  const said = { request: false, approval: false };
  const ofStep = (call: VendorCall, step: Step | OtherStep) =>
    call.kind === 'complete' && call.key === key && stepOf(call) === step;
  const sees: Story['sees'] = async (what, isIt) => {
    await until(what, () => all().some(isIt), LONGEST_HOLD_MS).catch((error: unknown) => {
      throw new Error(`${String(error)}; saw ${JSON.stringify(all().map(({ type }) => type))}`);
    });
  };
  const story: Story = {
    person,
    conversationId,
    get events() {
      return all();
    },
    request() {
      said.request = true;
      chat.send(REQUEST);
    },
    approve() {
      said.approval = true;
      chat.send(APPROVAL);
    },
    hold(step) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      holds.set(step, promise);
      return {
        open: () => {
          resolve(undefined);
        },
      };
    },
    arrived: (step) => vendors.until((calls) => calls.some((call) => ofStep(call, step))),
    calls() {
      const count = (step: Step) => vendors.calls.filter((call) => ofStep(call, step)).length;
      return {
        intent: count('intent'),
        designs: count('designs'),
        planner: count('planner'),
        left: count('left'),
        right: count('right'),
        joiner: count('joiner'),
      };
    },
    sees,
    async finish() {
      if (!said.request) {
        story.request();
      }
      await sees('designs', isOf('designs_presented'));
      if (!said.approval) {
        story.approve();
      }
      await sees('result', isOf('pipeline_result'));
    },
    async reconnect() {
      earlier.push(...chat.events);
      chat = await person.chat(conversationId, `after=${earlier.at(-1)?.['seq'] ?? 0}`);
    },
  };
  return {
    story,
    // the order of two that run at once is part of the story
    holdOf: (step) =>
      Promise.all([holds.get(step), step === 'right' ? sees('left end', isEndOf('left')) : null]),
  };
}

export function isOf(...types: readonly string[]): (event: WireEvent) => boolean {
  return ({ type }) => types.includes(type);
}

export function isEndOf(agent: Step): (event: WireEvent) => boolean {
  return (event) => event.type === 'agent_completed' && event['agent_name'] === agent;
}

const OWN_TO_EACH_RUN = [
  'timestamp',
  'duration',
  'duration_seconds',
  'total_duration',
  'conversation_id',
  'pipeline_id',
  'message_id',
];

/** What must not depend on the user, the time, or the kills meanwhile. */
export function withoutTimesAndIds(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (name, inner: unknown) =>
    OWN_TO_EACH_RUN.includes(name) ? undefined : inner,
  );
}

/** Everything stored, as a client that was never there gets it. */
export async function replay({ person, conversationId, events }: Story): Promise<WireEvent[]> {
  const chat = await person.chat(conversationId, 'after=0');
  await until('the replay', () => chat.events.length >= events.length);
  await chat.close();
  return [...chat.events];
}
