import type { Db } from '../../db/connect.js';
import { readEvents } from '../../db/events.js';
import type { StoredEvent } from '../../domain/events.js';
import { createPipelineActivities, type PipelineActivities } from '../../activities/pipelines.js';
import { designOf, edgesOf } from '../support/designs.js';
import { admittedRun, createTestConversation } from '../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../support/servers.js';

const NOW = new Date('2026-11-29T12:00:00Z');

let server: TestDb;
let db: Db;
let activities: PipelineActivities;
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
    countMistake: () => undefined,
  });
});
beforeEach(() => {
  published.length = 0;
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

test('whoever listens hears that a run begins, from each attempt to open it', async () => {
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

test('a run without a graph, or that has ended, is not said to begin', async () => {
  const circle = designOf(['one', 'two'], { edges: edgesOf('one>two', 'two>one') });
  const { pipelineId, conversationId } = await newRun(circle);
  expect(await activities.openRun({ pipelineId })).toMatchObject({ kind: 'unbuildable' });
  await activities.closeRun({ pipelineId, outcome: { kind: 'cancelled' } });
  expect(await activities.openRun({ pipelineId })).toEqual({ kind: 'already-ended' });
  const events = await readEvents(db, conversationId, { after: 0, limit: 10 });
  expect(events.map(({ type }) => type)).toEqual(['pipeline_result']);
  expect(published.flatMap((one) => one.events)).toEqual(events);
});
