/** Discussions of the real workflow on the real rows, by rules alone, and ways to disturb them. */
import { randomUUID } from 'node:crypto';
import { activityInfo } from '@temporalio/activity';
import type { Payload } from '@temporalio/common';
import type { WorkflowInfo } from '@temporalio/workflow';
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
import { createTestDb, createTestUser, type TestDb } from './servers.js';
import { until } from './until.js';
import { openWorkflowFixture, type WorkflowFixture } from './workflow-fixture.js';

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

/** By workflow: whom an activity's call or a finding of the workflow is for. */
type Known = Map<string, { readonly activities: object; readonly differing: string[] }>;

export interface Discussions {
  readonly own: TestDb;
  readonly fixture: WorkflowFixture;
  readonly taskQueue: string;
  readonly known: Known;
}

/** For the top of a test file or a describe: a database, and one worker for all of its discussions. */
export function discussionsOfFile(): Discussions {
  const taskQueue = `turns-${randomUUID()}`;
  const known: Known = new Map();
  let own: TestDb;
  let fixture: WorkflowFixture;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    own = await createTestDb();
    fixture = await openWorkflowFixture();
    const names = [
      'readRun',
      ...Object.keys(activitiesOn({ ...depsOf(own), ...questionDepsOf(own) })),
    ];
    const sinks = {
      decisions: {
        differs: {
          fn({ workflowId }: WorkflowInfo, { messageId }: { readonly messageId: string }) {
            known.get(workflowId)?.differing.push(messageId);
          },
          callDuringReplay: true,
        },
      },
    };
    const worker = await fixture.workerOf(taskQueue, dispatching(known, names), undefined, sinks);
    const running = worker.run();
    stop = async () => {
      worker.shutdown();
      await running;
    };
  });
  afterAll(async () => {
    await stop();
    await fixture.close();
    await own.drop();
  });
  return {
    taskQueue,
    known,
    get own() {
      return own;
    },
    get fixture() {
      return fixture;
    },
  };
}

/** Each call goes to the activities of its workflow. */
function dispatching(known: Known, names: readonly string[]): object {
  return Object.fromEntries(
    names.map((name) => [
      name,
      (...args: unknown[]): unknown => {
        const { workflowExecution } = activityInfo();
        const activities = known.get(workflowExecution?.workflowId ?? '')?.activities ?? {};
        return Reflect.apply(Reflect.get(activities, name), activities, args);
      },
    ]),
  );
}

function activitiesOn(deps: DiscussionDeps & QuestionDeps) {
  return {
    ...{ ...createDiscussionActivities(deps), ...createTurnActivities(deps) },
    ...createQuestionActivities(deps),
  };
}

export type DiscussionFixture = Awaited<ReturnType<typeof openDiscussion>>;

/** A discussion in debate. `mistakes` lists what was counted as a mistake of ours. */
export async function openDiscussion(
  { own, fixture, taskQueue, known }: Discussions,
  options: DiscussionOptions = {},
) {
  const { meddle, ask, stored = DEBATE, maxHistoryEvents = 8 } = options;
  const { temporal } = fixture;
  const user = await createTestUser(own.db);
  const conversationId = await createTestConversation(own.db, user.id);
  if (stored !== null) {
    await store(own, { conversationId, userId: user.id }, stored);
  }
  const mistakes: string[] = [];
  const differing: string[] = [];
  const activities = activitiesOn({ ...depsOf(own, mistakes), ...questionDepsOf(own, ask) });
  const workflowId = discussionWorkflowId(conversationId);
  known.set(workflowId, {
    activities: {
      ...activities,
      ...meddle?.(activities),
      readRun: () => ({ isPending: false, isActive: false, designName: '' }),
    },
    differing,
  });
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
