import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import type { Db } from '../../db/connect.js';
import { readEvents } from '../../db/events.js';
import type { StoredEvent } from '../../domain/events.js';
import { createPipelineActivities, type PipelineActivities } from '../../activities/run/runs.js';
import { designOf, edgesOf } from '../support/designs.js';
import { admittedRun, createTestConversation } from '../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../support/servers.js';

const NOW = new Date('2026-11-29T12:00:00Z');

let server: TestDb;
let db: Db;
let activities: PipelineActivities;
const mistakes: string[] = [];
const published: { streamId: string; events: readonly StoredEvent[] }[] = [];
beforeAll(async () => {
  server = await createTestDb();
  db = server.db;
  activities = createPipelineActivities({
    db,
    now: () => NOW,
    pipelineTimeoutMs: 300_000,
    modelCallTimeoutMs: 60_000,
    publish: (streamId, events) => void published.push({ streamId, events }),
    tellDiscussion: () => Promise.resolve(),
    tellSlotGranted: () => Promise.resolve(),
    wantArchives: () => undefined,
    countRun: () => undefined,
    countMistake: (where) => void mistakes.push(where),
  });
});
beforeEach(() => {
  published.length = 0;
  mistakes.length = 0;
});
afterAll(async () => {
  await server.drop();
});

async function newRun(design = designOf(['reader', 'writer'])) {
  const { id: userId } = await createTestUser(db);
  const conversationId = await createTestConversation(db, userId);
  const pipelineId = await admittedRun(db, { userId, conversationId, design }, NOW);
  return { pipelineId, conversationId };
}

test('each attempt to open a run publishes that it begins', async () => {
  const { pipelineId, conversationId } = await newRun();
  const opening = await activities.openRun({ pipelineId });
  expect(opening).toMatchObject({ kind: 'open', designName: 'Quick look', timeoutMs: 300_000 });
  const events = await readEvents(db, conversationId, { after: 0, limit: 10 });
  expect(events).toMatchObject([
    {
      type: 'pipeline_started',
      design_name: 'Quick look',
      agent_count: 2,
      pipeline_id: pipelineId,
    },
  ]);
  expect(await activities.openRun({ pipelineId })).toEqual(opening); // its answer was lost
  expect(published).toEqual([
    { streamId: conversationId, events },
    { streamId: conversationId, events },
  ]);
});

test('a run without a graph, or that has ended, does not publish that it begins', async () => {
  const circle = designOf(['one', 'two'], { edges: edgesOf('one>two', 'two>one') });
  const { pipelineId, conversationId } = await newRun(circle);
  expect(await activities.openRun({ pipelineId })).toMatchObject({ kind: 'unbuildable' });
  await activities.closeRun({ pipelineId, outcome: { kind: 'cancelled' } });
  expect(await activities.openRun({ pipelineId })).toEqual({ kind: 'already-ended' });
  const events = await readEvents(db, conversationId, { after: 0, limit: 10 });
  expect(events.map(({ type }) => type)).toEqual(['pipeline_result']);
  expect(published.flatMap((one) => one.events)).toEqual(events);
});

test('a run whose result cannot be stored ends without the texts of its agents', async () => {
  const { pipelineId, conversationId } = await newRun();
  const environment = new MockActivityEnvironment();
  await environment.run(() => activities.openRun({ pipelineId }));
  await db
    .insertInto('agentSteps')
    .values({
      ...{ id: `${pipelineId}:reader:0`, pipelineId, node: 'reader', agentName: 'reader' },
      ...{ role: 'analyzer', status: 'success', content: 'unstorable', error: null, seq: 1 },
      ...{ tokensUsed: 1, cost: '0', durationSeconds: 1, provider: null, model: null },
      ...{ attempts: 1, fallbackFrom: null, errorCode: null, unreadSources: null },
      ...{ reusedFrom: null, endedAt: NOW },
    })
    .execute();
  await sql`create function refuse() returns trigger language plpgsql as $$ begin
      raise exception 'not to be stored' using errcode = '22021'; end $$`.execute(db);
  await sql`create trigger refuse before update on pipeline_executions for each row
    when (new.result::text like '%unstorable%') execute function refuse()`.execute(db);
  const close = () => activities.closeRun({ pipelineId, outcome: { kind: 'ended' } });
  const end = await environment.run(close);
  expect(end).toMatchObject({ pipelineId, status: 'failed' });
  expect(await environment.run(close)).toEqual({
    ...{ pipelineId, status: 'failed', totalCostUsd: 0 },
    kind: 'already-closed', // its answer was lost
  });
  expect(mistakes).toEqual(['run']);
  const run = await db
    .selectFrom('pipelineExecutions')
    .select(['status', 'holdsSlot', 'result', 'errorMessage'])
    .where('id', '=', pipelineId)
    .executeTakeFirstOrThrow();
  expect(run).toMatchObject({ status: 'failed', holdsSlot: false });
  expect(JSON.stringify(run)).toMatch(/internal error/i);
  expect(JSON.stringify(run)).not.toContain('unstorable');
  const events = await readEvents(db, conversationId, { after: 0, limit: 10 });
  expect(events.at(-1)).toMatchObject({ type: 'pipeline_result' });
});
