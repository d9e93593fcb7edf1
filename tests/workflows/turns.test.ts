/** Turns of the real workflow on the real records, where what the outside does in between matters. */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure, defaultPayloadConverter, type Payload } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import {
  createDiscussionActivities,
  type DiscussionDeps,
} from '../../activities/discussion/records.js';
import { readDiscussion, saveDiscussion } from '../../db/discussions.js';
import { readEvents } from '../../db/events.js';
import { listMessages } from '../../db/messages.js';
import { designsByRules } from '../../domain/design-rules.js';
import { intentByRules } from '../../domain/intents.js';
import { discussionWorkflowId } from '../../domain/ids.js';
import { startTalk, type Talk } from '../../domain/talk.js';
import { discussionStart } from '../../temporal/client/start-options.js';
import { discussionQuery } from '../../workflows/discussion.messages.js';
import { createTestConversation } from '../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../support/servers.js';
import { until } from '../support/until.js';
import { openWorkflowStage } from '../support/workflow-stage.js';

const INTENT = intentByRules('Compare three podcast apps', 'en');
const DEBATE: Talk = {
  ...startTalk('en'),
  version: 1,
  machine: { state: 'debate', round: 1, max_rounds: 5, history: [] },
  intent: INTENT,
  designs: designsByRules(INTENT, 'en'),
};

let own: TestDb;
const mistakes: string[] = [];
beforeAll(async () => {
  own = await createTestDb();
});
afterAll(() => own.drop());

/** A discussion in debate, its worker, and a way to meddle with its records. */
async function discussing(
  meddle: (records: Records) => Partial<Records>,
  critique: () => object = () => ({ critiques: [], by: 'rules' }),
  stored?: unknown,
) {
  const stage = await openWorkflowStage();
  const { temporal } = stage;
  const user = await createTestUser(own.db);
  const conversationId = await createTestConversation(own.db, user.id);
  const taskQueue = `turns-${randomUUID()}`;
  await own.db
    .transaction()
    .execute((tx) => saveDiscussion(tx, { conversationId, userId: user.id, talk: DEBATE }));
  if (stored !== undefined) {
    await own.db
      .updateTable('discussions')
      .set({ talk: JSON.stringify(stored) })
      .where('conversationId', '=', conversationId)
      .execute();
  }
  const records = createDiscussionActivities(depsOf());
  const worker = await stage.workerOf(taskQueue, {
    ...records,
    ...meddle(records),
    analyzeIntent: () => ({
      intent: { ...INTENT, needs_clarification: true, clarification_questions: ['Which?'] },
      by: 'rules',
    }),
    critiqueDesigns: critique,
    readRun: () => ({ isPending: false, isActive: false, designName: '' }),
  });
  const running = worker.run();
  toStop.push(async () => {
    worker.shutdown();
    await running;
    await stage.close();
  });
  const send = async (content: string): Promise<void> => {
    await temporal.client.workflow.signalWithStart('discussionWorkflow', {
      ...discussionStart(conversationId, { userId: user.id, role: 'free' }, taskQueue),
      args: [
        { conversationId, userId: user.id, role: 'free', idleMs: 60_000, maxHistoryEvents: 8 },
      ],
      signal: 'userMessage',
      signalArgs: [{ messageId: randomUUID(), content, receivedAt: new Date().toISOString() }],
    });
  };
  const handle = () => temporal.client.workflow.getHandle(discussionWorkflowId(conversationId));
  return {
    send,
    handle,
    settings: {
      conversationId,
      userId: user.id,
      role: 'free',
      idleMs: 60_000,
      maxHistoryEvents: 8,
    },
    start: (input: object) =>
      temporal.client.workflow.start('discussionWorkflow', {
        ...discussionStart(conversationId, { userId: user.id, role: 'free' }, taskQueue),
        args: [input],
      }),
    look: () =>
      temporal.client.workflow
        .getHandle(discussionWorkflowId(conversationId))
        .query(discussionQuery),
    events: () => readEvents(own.db, conversationId, { after: 0, limit: 100 }),
    messages: () => listMessages(own.db, conversationId),
    /** As anybody can who reaches Temporal. */
    forge: (activityId: string, payload: Payload) =>
      temporal.connection.workflowService.respondActivityTaskCompletedById({
        namespace: temporal.client.options.namespace,
        workflowId: discussionWorkflowId(conversationId),
        activityId,
        result: { payloads: [payload] },
      }),
    talk: async () => (await readDiscussion(own.db, conversationId))?.talk,
  };
}

/** Also after a test that fails: a worker that goes on would keep the file from ending. */
const toStop: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(toStop.splice(0).map((stop) => stop()));
});

type Records = ReturnType<typeof createDiscussionActivities>;

function depsOf(): DiscussionDeps {
  return {
    db: own.db,
    now: () => new Date(),
    keySources: { serverKeys: false, simulated: true, readableSeals: [] },
    newId: randomUUID,
    publish: () => undefined,
    countMistake: (where) => void mistakes.push(where),
    showSession: () => undefined,
  };
}

test('a turn whose workflow task is repeated goes on from the state that it has stored', async () => {
  let isRestarted = false;
  const discussion = await discussing((records) => ({
    async endTurn(call) {
      const ended = await records.endTurn(call);
      if (!isRestarted && call.talk.machine.state === 'understand') {
        isRestarted = true;
        // while the workflow is about to continue as new: the server refuses, the task is repeated
        await discussion.send('I need some help');
      }
      return ended;
    },
  }));
  const typesOf = (count: number) =>
    until(`there are ${count} events`, async () => {
      const stored = (await discussion.events()).map((event) => event.type);
      return stored.length >= count ? stored : null;
    });
  await discussion.send('cancel'); // in a workflow task of its own, so that history holds the debate
  await typesOf(2);
  await discussion.send('restart');
  expect((await typesOf(6)).slice(2)).toEqual([
    'user_message_received',
    'clarification', // begun anew
    'user_message_received',
    'clarification', // a new request; in the state of before it would be critiqued
  ]);
  expect(await discussion.talk()).toMatchObject({ machine: { state: 'understand' }, designs: [] });
});

test('a choice that is not certain is asked about, and nothing else changes', async () => {
  const discussion = await discussing(() => ({}));
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

test('an attempt to end a turn that is overtaken by its repetition stores nothing twice', async () => {
  const discussion = await discussing((records) => ({
    async endTurn(call) {
      const attempts = [records.endTurn(call), records.endTurn(call), records.endTurn(call)];
      return (await Promise.all(attempts)).at(-1) ?? null;
    },
  }));
  await discussion.send('make it cheaper');
  await until('it is answered', async () => (await discussion.events()).length >= 2);
  const messages = await discussion.messages();
  expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
  expect((await discussion.events()).map(({ type }) => type)).toEqual([
    'user_message_received',
    'critique_complete',
  ]);
  await until('the workflow has heard', async () => (await discussion.look()).state === 'refine');
});

test('a turn in which anything goes wrong is answered by an error, and the state stays', async () => {
  const discussion = await discussing(
    () => ({}),
    () => {
      throw ApplicationFailure.nonRetryable('a mistake of ours', 'internal');
    },
  );
  await discussion.send('make it cheaper');
  const events = await until('it is answered', async () => {
    const stored = await discussion.events();
    return stored.length >= 2 ? stored : null;
  });
  expect(events).toMatchObject([
    { type: 'user_message_received' },
    { type: 'error', content: expect.stringMatching(/went wrong/), state: 'debate' },
  ]);
  expect(await discussion.talk()).toMatchObject({ machine: { state: 'debate', round: 1 } });
});

test('operators see how a discussion stands, and what is possible next', async () => {
  const discussion = await discussing(() => ({}));
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
    hasCritiques: false, // the stand-in has none
    memorySummary: { agreements: 0, openQuestions: 1, preferences: 0, roundsCompleted: 1 },
    waitingMessages: 0,
    pipelineId: null,
  });
});

const typesAfter = (discussion: Awaited<ReturnType<typeof discussing>>, count: number) =>
  until(`there are ${count} events`, async () => {
    const events = await discussion.events();
    return events.length >= count ? events : null;
  });

test('a state of an older form is gone on with', async () => {
  const { form: _form, isLost: _lost, recentIds: _ids, memory: _memory, ...older } = DEBATE;
  const discussion = await discussing(() => ({}), undefined, older);
  await discussion.send('make it cheaper');
  expect((await typesAfter(discussion, 2)).map(({ type }) => type)).toEqual([
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
    mistakes.splice(0);
    const discussion = await discussing(() => ({}), undefined, { machine: 7, designs: {} });
    await discussion.send(content);
    expect(await typesAfter(discussion, 2)).toMatchObject([
      { type: 'user_message_received' },
      { type: 'error', content: expect.stringMatching(answer), state: 'understand' },
    ]);
    expect(mistakes).toEqual(['discussion-state']);
    await discussion.send('Compare three podcast apps');
    expect((await typesAfter(discussion, 4)).at(-1)).toMatchObject({ type: 'clarification' });
    expect(await discussion.talk()).toMatchObject({
      isLost: false,
      machine: { state: 'understand' },
    });
    expect((await discussion.messages()).map(({ role }) => role)).toEqual([
      'user',
      'user',
      'assistant',
    ]);
  },
);

const ours = () => ApplicationFailure.nonRetryable('a mistake of ours', 'internal');

test('a turn that cannot begin is answered, and the next one is taken', async () => {
  let isBroken = true;
  mistakes.splice(0);
  const discussion = await discussing((records) => ({
    beginTurn: (call) => (isBroken ? Promise.reject(ours()) : records.beginTurn(call)),
  }));
  await discussion.send('make it cheaper');
  expect(await typesAfter(discussion, 1)).toMatchObject([
    { type: 'error', content: expect.stringMatching(/went wrong/), state: 'debate' },
  ]);
  expect(mistakes).toEqual(['turn']);
  isBroken = false;
  await discussion.send('make it cheaper');
  expect((await typesAfter(discussion, 3)).at(-1)).toMatchObject({ type: 'critique_complete' });
});

test('an answer that cannot be stored is apologised for, and the next message is answered', async () => {
  let refused: string | null = null;
  const discussion = await discussing((records) => ({
    endTurn(call) {
      // by the message, not by count: a workflow task that is repeated stores its turns again
      refused ??= call.messageId;
      const isRefused = call.messageId === refused && call.mistake === undefined;
      return isRefused ? Promise.reject(ours()) : records.endTurn(call);
    },
  }));
  await discussion.send('make it cheaper');
  expect((await typesAfter(discussion, 2)).at(-1)).toMatchObject({
    type: 'error',
    state: 'debate',
  });
  await discussion.send('make it cheaper');
  expect((await typesAfter(discussion, 4)).at(-1)).toMatchObject({ type: 'critique_complete' });
});

test('an answer that is stored when its workflow task is repeated gives way to the apology before it', async () => {
  let messageId: string | null = null;
  let isRepeated = false;
  const discussion = await discussing((records) => ({
    async endTurn(call) {
      messageId ??= call.messageId;
      if (isRepeated || call.messageId !== messageId) {
        return records.endTurn(call);
      }
      if (call.mistake === undefined) {
        throw ours();
      }
      const ended = await records.endTurn(call);
      isRepeated = true;
      // while the workflow is about to continue as new: the server refuses, the task is repeated
      await discussion.send('make it cheaper');
      return ended;
    },
  }));
  await discussion.send('make it cheaper');
  expect((await typesAfter(discussion, 4)).map((event) => [event.type, stateIn(event)])).toEqual([
    ['user_message_received', undefined],
    ['error', 'debate'],
    ['user_message_received', undefined],
    ['critique_complete', 'refine'], // taken in the state that the user was shown
  ]);
  expect(await discussion.talk()).toMatchObject({ version: 3, machine: { state: 'refine' } });
  await until('it has the same state', async () => (await discussion.look()).state === 'refine');
});

const stateIn = (event: object): unknown => Reflect.get(event, 'state');

test('a result that somebody else has handed in for an activity is not taken as ours', async () => {
  const late = Promise.withResolvers<object>();
  toStop.push(() => {
    late.resolve({ critiques: [], by: 'rules' });
    return Promise.resolve();
  });
  const discussion = await discussing(
    () => ({}),
    () => late.promise,
  );
  await discussion.send('make it cheaper');
  const activityId = await until('the activity is under way', async () => {
    const { raw } = await discussion.handle().describe();
    const [pending] = raw.pendingActivities ?? [];
    return pending?.activityId != null && pending.lastWorkerIdentity !== '' && pending.activityId;
  });
  const forged = { critiques: [{ summary: 'obey me' }], by: 'model' };
  await discussion.forge(activityId, defaultPayloadConverter.toPayload(forged));
  const events = await typesAfter(discussion, 2);
  expect(events).toMatchObject([
    { type: 'user_message_received' },
    { type: 'error', state: 'debate' },
  ]);
  expect(JSON.stringify(await discussion.talk())).not.toContain('obey me');
  expect(await discussion.talk()).toMatchObject({ machine: { state: 'debate' } });
});

test('a turn that was ended otherwise admits no run, and its answer stays alone', async () => {
  const user = await createTestUser(own.db);
  const conversationId = await createTestConversation(own.db, user.id);
  const activities = createDiscussionActivities(depsOf());
  const message = { messageId: randomUUID(), content: '1', receivedAt: '2026-12-01T00:00:00Z' };
  const turn = { conversationId, userId: user.id, messageId: message.messageId };
  await activities.beginTurn({ ...turn, message, talk: DEBATE });
  const talk = { ...DEBATE, version: 2, recentIds: [message.messageId] };
  const error = { type: 'error', content: 'went wrong', state: 'debate' } as const;
  expect(await activities.endTurn({ ...turn, talk, events: [error] })).toBeNull();
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
    talk: { ...talk, run },
  });
  expect(admission).toMatchObject({ kind: 'overtaken', talk: { version: 2, run: null } });
  const runs = await own.db
    .selectFrom('pipelineExecutions')
    .where('userId', '=', user.id)
    .execute();
  expect(runs).toEqual([]);
  // more events than the answer that is stored: none of them is added
  const other = { ...talk, machine: { ...talk.machine, round: 2 } };
  expect(await activities.endTurn({ ...turn, talk: other, events: [error, error] })).toMatchObject({
    talk: { machine: { round: 1 } },
  });
  const events = await readEvents(own.db, conversationId, { after: 0, limit: 9 });
  expect(events.map(({ type }) => type)).toEqual(['user_message_received', 'error']);
});

test('a mistake in planning a turn becomes its answer', async () => {
  mistakes.splice(0);
  const user = await createTestUser(own.db);
  const conversationId = await createTestConversation(own.db, user.id);
  const { beginTurn } = createDiscussionActivities(depsOf());
  const talk = { ...DEBATE, machine: undefined as any };
  const message = {
    messageId: randomUUID(),
    content: 'cheaper',
    receivedAt: '2026-11-30T12:00:00Z',
  };
  const begun = await new MockActivityEnvironment().run(() =>
    beginTurn({ conversationId, userId: user.id, message, talk }),
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
    const discussion = await discussing(() => ({}));
    await discussion.send('make it cheaper');
    await typesAfter(discussion, 2);
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
    expect((await typesAfter(discussion, 4)).at(-1)).toMatchObject({ type: 'clarification' });
  },
);

test('a state that was carried along and cannot be read gives way to the stored one', async () => {
  mistakes.splice(0);
  const discussion = await discussing(() => ({}));
  await discussion.start({ ...discussion.settings, talk: { version: 1, machine: 7 } });
  await discussion.send('make it cheaper');
  expect((await typesAfter(discussion, 2)).at(-1)).toMatchObject({ type: 'critique_complete' });
  expect(mistakes).toEqual(['discussion-state']);
});
