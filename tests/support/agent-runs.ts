/** Agents of a run, executed as activities against fake models. */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { NodeCall } from '../../activities/node/context.js';
import type { NodeResult } from '../../activities/node/result.js';
import { createNodeActivities } from '../../activities/node/run-node.js';
import { toApplicationFailure } from '../../activities/failures.js';
import type { Db } from '../../db/connect.js';
import { readEvents } from '../../db/events.js';
import type { Design } from '../../domain/design/designs.js';
import { DomainError, failureKind } from '../../domain/errors.js';
import type { StoredEvent } from '../../domain/events.js';
import { stepIdOf } from '../../domain/ids.js';
import type { ChargedReply } from '../../domain/agents/models.js';
import { nodeStepId, type NodeStep } from '../../domain/run/node-steps.js';
import { AttemptNotes, attemptScope, noteAsked } from '../../llm/attempt-scope.js';
import type { ModelRequest } from '../../llm/model.js';

const REPLY: ChargedReply = {
  content: 'the answer',
  provider: 'openai',
  model: 'gpt-4o-mini',
  usage: { promptTokens: 100, completionTokens: 20 },
  finish: 'stop',
  requestId: null,
  costUsd: 0.000_027,
  fallbackFrom: null,
  calls: 1,
};

export type Answer =
  Partial<ChargedReply> | DomainError | ((signal: AbortSignal) => Promise<never>);

export interface Owner {
  readonly db: Db;
  readonly userId: string;
}

interface Settings {
  readonly answers?: readonly Answer[];
  readonly collectorUrl?: string;
  /** What each failed attempt stays charged, as of unknown outcome. */
  readonly unknownUsd?: number;
  /** The node whose reply has arrived in an attempt that was lost. */
  readonly repliedNode?: string;
  /** Which of its steps; by default the first one. */
  readonly repliedStep?: NodeStep;
}

/** A run with fake models that give `answers` one after the other, the last one for ever. */
export async function startedRun(
  { db, userId }: Owner,
  design: Design,
  {
    answers = [{}],
    collectorUrl = '',
    unknownUsd = 0,
    repliedNode,
    repliedStep = 'answer',
  }: Settings = {},
) {
  const pipelineId = randomUUID();
  const conversationId = null;
  await db
    .insertInto('pipelineExecutions')
    .values({
      id: pipelineId,
      userId,
      conversationId,
      designName: design.name,
      design: JSON.stringify(design),
      language: 'en',
      simulated: false,
      status: 'running',
      holdsSlot: false,
      countedOn: null,
      agentCount: design.agents.length,
      durationSeconds: null,
      errorMessage: null,
      result: null,
      startedAt: new Date(),
      endedAt: null,
    })
    .execute();
  const replied =
    repliedNode === undefined ? null : nodeStepId(stepIdOf(pipelineId, repliedNode), repliedStep);
  if (replied !== null) {
    const { usage, costUsd, ...reply } = REPLY;
    await db
      .insertInto('modelReplies')
      .values({ ...reply, ...usage, stepId: replied, userId, cost: String(costUsd) })
      .execute();
  }
  const requests: ModelRequest[] = [];
  const published: StoredEvent[] = [];
  const steps: (string | undefined)[] = [];
  const unlookedFor: (string | undefined)[] = [];
  const failedPasses: { stepId: string | undefined; code: string }[] = [];
  const live: string[] = [];
  const spend = async (stepId: string | undefined, usd: number, errorCode: string | null) => {
    await db
      .insertInto('costLedger')
      .values({
        ...{ id: randomUUID(), stepId: stepId ?? '', runId: 'r', attempt: 1, userId, pipelineId },
        ...{ callNumber: steps.length, conversationId, date: '2026-11-24', provider: 'openai' },
        ...{ model: 'gpt-4o-mini', cost: String(usd), reserved: String(usd), maxTokens: 1 },
        ...{ inputUsdPerMillion: '1', outputUsdPerMillion: '1', errorCode, closedAt: new Date() },
        state: errorCode === null ? 'settled' : 'unknown',
      })
      .execute();
  };
  const activities = createNodeActivities({
    db: db,
    models: {
      async complete(request, { signal, stepId, beginReply, isNew }) {
        const tell = beginReply?.();
        const answer = answers[Math.min(requests.length, answers.length - 1)] ?? {};
        requests.push(request);
        steps.push(stepId);
        unlookedFor.push(...(isNew ? [stepId] : []));
        if (typeof answer === 'function') {
          return answer(signal);
        }
        if (answer instanceof DomainError) {
          if (['attempt', 'retried'].includes(failureKind(answer.code))) {
            noteAsked('openai', 'gpt-4o-mini')(answer);
          }
          failedPasses.push(
            ...(answer.code === 'model-on-hold' ? [] : [{ stepId, code: answer.code }]),
          );
          await spend(stepId, unknownUsd, answer.code);
          throw answer;
        }
        const reply = { ...REPLY, ...answer };
        tell?.(reply.content);
        await spend(stepId, reply.costUsd, null);
        return reply;
      },
    },
    ledger: {
      findReply: (stepId) => Promise.resolve(stepId === replied ? REPLY : null),
      readFailures: (stepId) => {
        const ofStep = failedPasses.filter((failed) => failed.stepId === stepId);
        const last = ofStep.at(-1);
        const empty = ofStep.filter(({ code }) => code === 'model-empty');
        return Promise.resolve({
          passes: ofStep.length,
          emptyAnswers: empty.length,
          last: last === undefined ? null : { code: last.code, provider: 'openai' },
        });
      },
    },
    collectorUrl,
    publish: (_, events) => {
      published.push(...events);
      live.push(...events.map(({ type }) => type));
    },
    openLive: ({ started: { node, attempt } }) => {
      live.push(`${node} starts (${attempt})`);
      return {
        beginReply: () => (text) => void live.push(text),
        end: () => {
          live.push(`${node} is complete`);
          return Promise.resolve();
        },
      };
    },
  });
  const callOf = (node: string, position: number): NodeCall => ({
    stepId: stepIdOf(pipelineId, node),
    userId,
    pipelineId,
    conversationId,
    node,
    position,
    simulated: false,
    timeoutMs: 1_000,
  });
  return {
    pipelineId,
    requests,
    /** Which step each request was of. */
    steps,
    /** Of those, the ones for which no stored reply is to be looked for. */
    unlookedFor,
    published,
    /** What was published live, and the types of the stored events, in order. */
    live,
    events: () => readEvents(db, pipelineId, { after: 0, limit: 100 }),
    end: (status: 'cancelled') =>
      db.updateTable('pipelineExecutions').set({ status }).where('id', '=', pipelineId).execute(),
    run: (node: string, position: number, options: RunOptions = {}): Promise<NodeResult> => {
      const { attempt = 1, scheduledMsAgo = 0, environment } = options;
      const env = environment ?? environmentOf({ attempt, scheduledMsAgo });
      const call = { ...callOf(node, position), ...options.call };
      return env.run(async () => {
        try {
          return await attemptScope.run(new AttemptNotes(), () => activities.runAgent(call));
        } catch (error) {
          throw toApplicationFailure(error); // as the worker's interceptor does
        }
      });
    },
  };
}

export interface RunOptions {
  readonly attempt?: number;
  readonly scheduledMsAgo?: number;
  readonly environment?: MockActivityEnvironment;
  readonly call?: Partial<NodeCall>;
}

export function environmentOf({
  attempt = 1,
  scheduledMsAgo = 0,
}: RunOptions): MockActivityEnvironment {
  const info = { attempt, scheduledTimestampMs: Date.now() - scheduledMsAgo };
  return new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') });
}

export async function failureOf(run: Promise<unknown>): Promise<ApplicationFailure> {
  const error: unknown = await run.then(
    () => new Error('it succeeded'),
    (failure: unknown) => failure,
  );
  if (!(error instanceof ApplicationFailure)) {
    throw error;
  }
  return error;
}
