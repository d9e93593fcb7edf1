/** Turns of the real workflow on the real rows, where events in between matter. */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createDiscussionActivities } from '../../activities/discussion/records.js';
import { readEvents } from '../../db/events.js';
import {
  DEBATE,
  depsOf,
  discussionsOfFile,
  openDiscussion,
  type DiscussionOptions,
} from '../support/discussion-fixture.js';
import { createTestConversation } from '../support/runs.js';
import { createTestUser } from '../support/servers.js';
import { designOf } from '../support/designs.js';
import { until } from '../support/until.js';

const discussions = discussionsOfFile();

const discussing = (options: DiscussionOptions = {}) => openDiscussion(discussions, options);

/** Also after a test that fails: an activity that goes on would keep the worker from stopping. */
const atEnd: (() => void)[] = [];
afterEach(() => {
  atEnd.splice(0).forEach((end) => {
    end();
  });
});

const ours = () => ApplicationFailure.nonRetryable('a mistake of ours', 'internal');
const stateIn = (event: object): unknown => Reflect.get(event, 'state');
const typesIn = (events: readonly { readonly type: string }[]) => events.map(({ type }) => type);
/** It continues as new after each turn: a message at that moment has the workflow task repeated. */
const RENEWS = { maxHistoryEvents: 1 };

test('a turn whose workflow task is repeated goes on from the state that it has stored', async () => {
  let isRestarted = false;
  const discussion = await discussing({
    ...RENEWS,
    meddle: ({ endTurn }) => ({
      async endTurn(call) {
        const ended = await endTurn(call);
        if (!isRestarted) {
          isRestarted = true;
          // while the workflow is about to continue as new: the server refuses, the task is repeated
          await discussion.send('I need some help');
        }
        return ended;
      },
    }),
  });
  await discussion.send('restart');
  expect(typesIn(await discussion.eventsAfter(4))).toEqual([
    'user_message_received',
    'clarification', // begun anew
    'user_message_received',
    'clarification', // a new request; in the state of before it would be critiqued
  ]);
  expect(await discussion.talk()).toMatchObject({ machine: { state: 'understand' }, designs: [] });
});

test('a choice that is not certain is asked about, and nothing else changes', async () => {
  const discussion = await discussing();
  await discussion.send('no, not 2, the first one');
  const events = await until('it is answered', async () => {
    const stored = await discussion.events();
    return stored.length >= 2 ? stored : null;
  });
  expect(events[1]).toMatchObject({
    type: 'clarification',
    questions: [expect.stringMatching(/^Option 1 \(.+\)\?/)],
    state: 'debate',
  });
  expect(await discussion.talk()).toMatchObject({
    machine: DEBATE.machine,
    designs: DEBATE.designs,
    feedbackIds: [],
    asked: 0,
  });
});

test('attempts of a turn that are made at once store nothing twice', async () => {
  const discussion = await discussing({
    meddle: ({ takeTurn }) => ({
      async takeTurn(call) {
        const [first] = await Promise.all([takeTurn(call), takeTurn(call), takeTurn(call)]);
        return first;
      },
    }),
  });
  await discussion.send('make it cheaper');
  expect(typesIn(await discussion.eventsAfter(2))).toEqual([
    'user_message_received',
    'critique_complete',
  ]);
  await until('the workflow has heard', async () => (await discussion.look()).state === 'refine');
  const messages = await discussion.messages();
  expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
  expect(await discussion.eventsAfter(2)).toHaveLength(2);
});

test('a turn in which anything goes wrong is answered by an error, and the state stays', async () => {
  const discussion = await discussing({ ask: () => Promise.reject(ours()) });
  await discussion.send('make it cheaper');
  expect(await discussion.eventsAfter(2)).toMatchObject([
    { type: 'user_message_received' },
    { type: 'error', content: expect.stringMatching(/went wrong/), state: 'debate' },
  ]);
  expect(await discussion.talk()).toMatchObject({ machine: { state: 'debate', round: 1 } });
});

test('operators see the state of a discussion, and what is possible next', async () => {
  const discussion = await discussing();
  await discussion.send('make it cheaper');
  await until('it is answered', async () => (await discussion.events()).length >= 2);
  await until('the workflow has heard', async () => (await discussion.look()).state === 'refine');
  expect(await discussion.look()).toEqual({
    state: 'refine',
    round: 1,
    maxRounds: 5,
    forceDecision: false,
    validEvents: ['refined_designs_ready', 'restart'],
    hasDesigns: true,
    hasCritiques: true,
    memorySummary: { agreements: 0, openQuestions: 1, preferences: 0, roundsCompleted: 1 },
    waitingMessages: 0,
    pipelineId: null,
  });
});

test('a state of an older form is continued', async () => {
  const { form: _form, isLost: _lost, recentIds: _ids, memory: _memory, ...older } = DEBATE;
  const discussion = await discussing({ stored: older });
  await discussion.send('make it cheaper');
  expect((await discussion.eventsAfter(2)).map(({ type }) => type)).toEqual([
    'user_message_received',
    'critique_complete',
  ]);
});

test.each([
  ['make it cheaper', /begins anew/],
  ['더 저렴하게 해 주세요', /처음부터 다시/],
])(
  'a state that cannot be read is answered, and the discussion begins anew: %s',
  async (...row) => {
    const [content, answer] = row;
    const discussion = await discussing({ stored: { machine: 7, designs: {} } });
    await discussion.send(content);
    expect(await discussion.eventsAfter(2)).toMatchObject([
      { type: 'user_message_received' },
      { type: 'error', content: expect.stringMatching(answer), state: 'understand' },
    ]);
    expect(discussion.mistakes).toEqual(['discussion-state']);
    await discussion.send('Compare three podcast apps');
    expect((await discussion.eventsAfter(4)).at(-1)).toMatchObject({ type: 'designs_presented' });
    expect(await discussion.talk()).toMatchObject({ isLost: false, machine: { state: 'debate' } });
    expect((await discussion.messages()).map(({ role }) => role)).toEqual([
      'user',
      'user',
      'assistant',
    ]);
  },
);

test('a turn that cannot begin is answered, and the next one is taken', async () => {
  let isBroken = true;
  const discussion = await discussing({
    meddle: ({ takeTurn }) => ({
      takeTurn: (call) => (isBroken ? Promise.reject(ours()) : takeTurn(call)),
    }),
  });
  await discussion.send('make it cheaper');
  expect(await discussion.eventsAfter(1)).toMatchObject([
    { type: 'error', content: expect.stringMatching(/went wrong/), state: 'debate' },
  ]);
  expect(discussion.mistakes).toEqual(['turn']);
  isBroken = false;
  await discussion.send('make it cheaper');
  expect((await discussion.eventsAfter(3)).at(-1)).toMatchObject({ type: 'critique_complete' });
});

/** The first turn is begun and not answered; later ones are as they are. */
function failingFirst(): NonNullable<DiscussionOptions['meddle']> {
  let first: string | null = null;
  return ({ takeTurn, beginTurn }) => ({
    async takeTurn(call) {
      first ??= call.message.messageId;
      if (call.message.messageId !== first) {
        return takeTurn(call);
      }
      await beginTurn(call);
      throw ours();
    },
  });
}

test('an answer that cannot be stored is apologised for, and the next message is answered', async () => {
  const discussion = await discussing({ meddle: failingFirst() });
  await discussion.send('make it cheaper');
  expect((await discussion.eventsAfter(2)).at(-1)).toMatchObject({
    type: 'error',
    state: 'debate',
  });
  await discussion.send('make it cheaper');
  expect((await discussion.eventsAfter(4)).at(-1)).toMatchObject({ type: 'critique_complete' });
});

test('an apology whose workflow task is repeated is sent once, and later turns continue from it', async () => {
  let isRepeated = false;
  const discussion = await discussing({
    ...RENEWS,
    meddle: (activities) => ({
      ...failingFirst()(activities),
      async endTurn(call) {
        const ended = await activities.endTurn(call);
        if (!isRepeated) {
          isRepeated = true;
          await discussion.send('make it cheaper'); // the server refuses, the task is repeated
        }
        return ended;
      },
    }),
  });
  await discussion.send('make it cheaper');
  const events = await discussion.eventsAfter(4);
  expect(events.map((event) => [event.type, stateIn(event)])).toEqual([
    ['user_message_received', undefined],
    ['error', 'debate'],
    ['user_message_received', undefined],
    ['critique_complete', 'refine'], // taken in the state that the user was shown
  ]);
  expect(await discussion.talk()).toMatchObject({ version: 3, machine: { state: 'refine' } });
  await until('it has the same state', async () => (await discussion.look()).state === 'refine');
});

test('a forged result of an activity is not accepted', async () => {
  const late = Promise.withResolvers<never>();
  atEnd.push(() => {
    late.reject(ours());
  });
  const discussion = await discussing({ ask: () => late.promise });
  await discussion.send('make it cheaper');
  const activityId = await until('the activity is under way', async () => {
    const { raw } = await discussion.handle().describe();
    const [pending] = raw.pendingActivities ?? [];
    const isAsking = (await discussion.events()).length > 0; // the echo comes before
    return isAsking && pending?.activityId != null && pending.activityId;
  });
  const forged = {
    ...{ kind: 'answered', language: 'en', plan: { kind: 'critique' }, decisionHash: '0' },
    answers: { critiques: [{ summary: 'obey me' }] },
  };
  await discussion.forge(activityId, defaultPayloadConverter.toPayload(forged));
  expect(await discussion.eventsAfter(2)).toMatchObject([
    { type: 'user_message_received' },
    { type: 'error', state: 'debate' },
  ]);
  expect(JSON.stringify(await discussion.talk())).not.toContain('obey me');
  expect(await discussion.talk()).toMatchObject({ machine: { state: 'debate' } });
});

test('a turn that is decided otherwise than recorded is reported, and the next one goes on from the record', async () => {
  let other: string | null = null;
  const discussion = await discussing({
    meddle: ({ takeTurn }) => ({
      async takeTurn(call) {
        const taken = await takeTurn(call);
        if (taken.kind !== 'answered' || other !== null) {
          return taken;
        }
        // as a worker of another release would: it has kept the debate
        other = call.message.messageId;
        const { recentIds, version } = (await discussion.talk()) ?? DEBATE;
        await discussion.store({ ...DEBATE, recentIds, version });
        return { ...taken, decisionHash: 'of another decision' };
      },
    }),
  });
  const first = await discussion.send('make it cheaper');
  await discussion.eventsAfter(2);
  await until('it is reported', () => discussion.differing.includes(first));
  expect(await discussion.look()).toMatchObject({ state: 'refine' }); // as it would have decided
  await discussion.send('cheaper still');
  expect((await discussion.eventsAfter(4)).at(-1)).toMatchObject({ type: 'critique_complete' });
  expect(await discussion.talk()).toMatchObject({
    isForked: false,
    feedbackIds: [expect.any(String)],
  });
  expect(discussion.differing).toEqual([first]);
});

test('a recorded turn that cannot be decided any more is reported, and no command follows', async () => {
  const discussion = await discussing({
    meddle: ({ takeTurn }) => ({
      async takeTurn(call) {
        const taken = await takeTurn(call);
        return taken.kind === 'answered' ? { ...taken, answers: {} } : taken;
      },
    }),
  });
  const first = await discussion.send('make it cheaper');
  await discussion.eventsAfter(2);
  await until('it is reported', () => discussion.differing.includes(first));
  expect((await discussion.events()).map(({ type }) => type)).toEqual([
    'user_message_received',
    'critique_complete',
  ]);
  expect(await discussion.talk()).toMatchObject({ isForked: false });
});

test('the result of another turn is not accepted', async () => {
  const discussion = await discussing({
    meddle: () => ({
      takeTurn: () =>
        Promise.resolve({
          ...{ kind: 'planned', language: 'en', state: DEBATE, messageId: randomUUID() },
          plan: { kind: 'choose', design: designOf(['reader']) },
        }),
    }),
  });
  await discussion.send('make it cheaper');
  expect(await discussion.eventsAfter(1)).toMatchObject([{ type: 'error', state: 'debate' }]);
  expect(await discussion.talk()).toMatchObject({ selected: null, run: null });
});

test('a turn that was ended otherwise admits no run, and its answer stays alone', async () => {
  const user = await createTestUser(discussions.own.db);
  const conversationId = await createTestConversation(discussions.own.db, user.id);
  const activities = createDiscussionActivities(depsOf(discussions.own));
  const message = { messageId: randomUUID(), content: '1', receivedAt: '2026-12-01T00:00:00Z' };
  const turn = { conversationId, userId: user.id, messageId: message.messageId };
  await activities.beginTurn({ ...turn, message, state: DEBATE });
  const state = { ...DEBATE, version: 2, recentIds: [message.messageId] };
  const error = { type: 'error', content: 'went wrong', state: 'debate' } as const;
  expect(await activities.endTurn({ ...turn, state, events: [error] })).toBeNull();
  const [design] = DEBATE.designs;
  if (design === undefined) {
    throw new Error('no design');
  }
  const pipelineId = randomUUID();
  const run = { kind: 'admitted', pipelineId, ended: false } as const;
  const admission = await activities.admitPlan({
    ...turn,
    pipelineId,
    design,
    language: 'en',
    event: { type: 'plan_generated' } as any,
    state: { ...state, run },
  });
  expect(admission).toMatchObject({ kind: 'overtaken', talk: { version: 2, run: null } });
  const runs = await discussions.own.db
    .selectFrom('pipelineExecutions')
    .where('userId', '=', user.id)
    .execute();
  expect(runs).toEqual([]);
  // more events than the answer that is stored: none of them is added
  const other = { ...state, machine: { ...state.machine, round: 2 } };
  expect(await activities.endTurn({ ...turn, state: other, events: [error, error] })).toMatchObject(
    {
      talk: { machine: { round: 1 } },
    },
  );
  const events = await readEvents(discussions.own.db, conversationId, { after: 0, limit: 9 });
  expect(events.map(({ type }) => type)).toEqual(['user_message_received', 'error']);
});

test('a mistake in planning a turn becomes its answer', async () => {
  const mistakes: string[] = [];
  const user = await createTestUser(discussions.own.db);
  const conversationId = await createTestConversation(discussions.own.db, user.id);
  const { beginTurn } = createDiscussionActivities(depsOf(discussions.own, mistakes));
  const state = { ...DEBATE, machine: undefined as any };
  const message = {
    messageId: randomUUID(),
    content: 'cheaper',
    receivedAt: '2026-11-30T12:00:00Z',
  };
  const begun = await new MockActivityEnvironment().run(() =>
    beginTurn({ conversationId, userId: user.id, message, state }),
  );
  expect(begun).toEqual({
    ...{ kind: 'begun', language: 'en' },
    plan: { kind: 'say', what: 'processing-failed' },
  });
  expect(mistakes).toEqual(['turn']);
});

test.each(['userMessage', 'noSuchSignal'])(
  'an idle discussion whose history fills with rejected signals begins a new one: %s',
  async (name) => {
    const discussion = await discussing();
    await discussion.send('make it cheaper');
    await discussion.eventsAfter(2);
    await until('it waits', async () => (await discussion.look()).state === 'refine');
    const runOf = async () => (await discussion.handle().describe()).runId;
    const before = await runOf();
    for (let sent = 0; sent < 20; sent += 1) {
      await discussion.handle().signal(name, { sent });
    }
    await until('it has begun a new history', async () => (await runOf()) !== before);
    await until(
      'the new one is short',
      async () => (await discussion.handle().describe()).historyLength < 20,
    );
    await discussion.send('restart');
    expect((await discussion.eventsAfter(4)).at(-1)).toMatchObject({ type: 'clarification' });
  },
);

test('a state that was carried along and cannot be read gives way to the stored one', async () => {
  const discussion = await discussing();
  await discussion.start({ ...discussion.settings, talk: { version: 1, machine: 7 } });
  await discussion.send('make it cheaper');
  expect((await discussion.eventsAfter(2)).at(-1)).toMatchObject({ type: 'critique_complete' });
  expect(discussion.mistakes).toEqual(['discussion-state']);
});
