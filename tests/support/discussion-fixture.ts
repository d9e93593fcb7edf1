/** Discussions of the real workflow on the real rows, by rules alone, and ways to disturb them. */
import { randomUUID } from 'node:crypto';
import type { Payload } from '@temporalio/common';
import {
  createQuestionActivities,
  type QuestionDeps,
} from '../../activities/discussion/answers.js';
import {
  createDiscussionActivities,
  type DiscussionActivities,
  type DiscussionDeps,
} from '../../activities/discussion/records.js';
import { createTurnActivities, type TurnActivities } from '../../activities/discussion/turn.js';
import { decisionSinks } from '../../audit/replay.js';
import { readDiscussion, saveDiscussion } from '../../db/discussions/discussions.js';
import { readEvents } from '../../db/events.js';
import { listMessages } from '../../db/discussions/messages.js';
import { designsByRules } from '../../domain/design/rules.js';
import { DomainError } from '../../domain/errors.js';
import { intentByRules } from '../../domain/discussion/intents.js';
import { discussionWorkflowId } from '../../domain/ids.js';
import { startDiscussionState, type DiscussionState } from '../../domain/discussion/state.js';
import { silentLogger } from '../../telemetry/logger.js';
import { discussionStart } from '../../temporal/client/start-options.js';
import { discussionQuery } from '../../workflows/discussion/discussion.messages.js';
import { createTestConversation } from './runs.js';
import { createTestUser, type TestDb } from './servers.js';
import { until } from './until.js';
import { openWorkflowFixture } from './workflow-fixture.js';

const INTENT = intentByRules('Compare three podcast apps', 'en');
export const DEBATE: DiscussionState = {
  ...startDiscussionState('en'),
  version: 1,
  machine: { state: 'debate', round: 1, max_rounds: 5, history: [] },
  intent: INTENT,
  designs: designsByRules(INTENT, 'en'),
};

export type FixtureActivities = DiscussionActivities & TurnActivities;

export interface DiscussionOptions {
  readonly meddle?: (activities: FixtureActivities) => Partial<FixtureActivities>;
  /** Called where a model is asked; without it the rules answer. */
  readonly ask?: () => Promise<never>;
  /** What is stored at first, readable or not; null: nothing. */
  readonly stored?: unknown;
  readonly maxHistoryEvents?: number;
}

export type DiscussionFixture = Awaited<ReturnType<typeof openDiscussion>>;

/** A discussion in debate, and its worker. `mistakes` lists what was counted as a mistake of ours. */
export async function openDiscussion(own: TestDb, options: DiscussionOptions = {}) {
  const { meddle, ask, stored = DEBATE, maxHistoryEvents = 8 } = options;
  const fixture = await openWorkflowFixture();
  const { temporal } = fixture;
  const user = await createTestUser(own.db);
  const conversationId = await createTestConversation(own.db, user.id);
  const taskQueue = `turns-${randomUUID()}`;
  if (stored !== null) {
    await store(own, { conversationId, userId: user.id }, stored);
  }
  const mistakes: string[] = [];
  const differing: string[] = [];
  const deps = { ...depsOf(own, mistakes), ...questionDepsOf(own, ask) };
  const activities = { ...createDiscussionActivities(deps), ...createTurnActivities(deps) };
  const staged = {
    ...activities,
    ...createQuestionActivities(deps),
    ...meddle?.(activities),
    readRun: () => ({ isPending: false, isActive: false, designName: '' }),
  };
  const sinks = decisionSinks(({ messageId }) => void differing.push(messageId));
  const worker = await fixture.workerOf(taskQueue, staged, undefined, sinks);
  const running = worker.run();
  const workflowId = discussionWorkflowId(conversationId);
  const handle = () => temporal.client.workflow.getHandle(workflowId);
  const start = discussionStart(conversationId, { userId: user.id, role: 'free' }, taskQueue);
  const settings = {
    ...{ conversationId, userId: user.id, role: 'free', idleMs: 60_000, maxHistoryEvents },
  } as const;
  const events = () => readEvents(own.db, conversationId, { after: 0, limit: 1_000 });
  return {
    conversationId,
    workflowId,
    settings,
    /** Of turns that the workflow has decided otherwise than recorded. */
    differing,
    mistakes,
    handle,
    events,
    /** @returns the message's id */
    async send(content: string): Promise<string> {
      const messageId = randomUUID();
      await temporal.client.workflow.signalWithStart('discussionWorkflow', {
        ...start,
        args: [settings],
        signal: 'userMessage',
        signalArgs: [{ messageId, content, receivedAt: new Date().toISOString() }],
      });
      return messageId;
    },
    start: (input: object) =>
      temporal.client.workflow.start('discussionWorkflow', { ...start, args: [input] }),
    historyOf: (runId: string) =>
      temporal.client.workflow.getHandle(workflowId, runId).fetchHistory(),
    look: () => handle().query(discussionQuery),
    eventsAfter: (count: number) =>
      until(`there are ${count} events`, async () => {
        const found = await events();
        return found.length >= count ? found : null;
      }),
    messages: () => listMessages(own.db, conversationId),
    /** As any client can that reaches Temporal. */
    forge: (activityId: string, payload: Payload) =>
      temporal.connection.workflowService.respondActivityTaskCompletedById({
        namespace: temporal.client.options.namespace,
        workflowId,
        activityId,
        result: { payloads: [payload] },
      }),
    talk: async () => (await readDiscussion(own.db, conversationId))?.talk,
    store: (state: unknown) => store(own, { conversationId, userId: user.id }, state),
    async close() {
      worker.shutdown();
      await running;
      await fixture.close();
    },
  };
}

async function store(
  { db }: TestDb,
  discussion: { readonly conversationId: string; readonly userId: string },
  state: unknown,
): Promise<void> {
  await db.transaction().execute((tx) => saveDiscussion(tx, { ...discussion, talk: DEBATE }));
  await db
    .updateTable('discussions')
    .set({ talk: JSON.stringify(state) })
    .where('conversationId', '=', discussion.conversationId)
    .execute();
}

export function depsOf(own: TestDb, mistakes: string[] = []): DiscussionDeps {
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

function questionDepsOf(own: TestDb, ask?: () => Promise<never>): QuestionDeps {
  const refuse = () => Promise.reject(new DomainError('no-llm-key', 'there is none'));
  return {
    db: own.db,
    models: { complete: ask ?? refuse },
    logger: silentLogger,
    modelCallTimeoutMs: 1_000,
    listOffers: () => Promise.resolve(['gpt-6-luna']),
    usesSimulated: () => Promise.resolve(true),
    countFallback: () => undefined,
  };
}
