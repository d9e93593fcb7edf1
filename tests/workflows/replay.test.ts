/** Every recorded history of every released version replays on today's workflow code. */
import { readFileSync } from 'node:fs';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { readableHistory } from '../../audit/history.js';
import { DISCUSSION_STATES } from '../../domain/discussion/machine.js';
import { createKeyRing } from '../../temporal/key-ring.js';
import { createPayloadCodec } from '../../temporal/payload-codec.js';
import { HISTORY_KEY } from '../support/history-key.js';
import {
  HISTORIES,
  readHistory,
  recordings,
  replay,
  replayRecordings,
  type Replayed,
} from '../support/replay.js';

const codec = createPayloadCodec(createKeyRing([Buffer.from(HISTORY_KEY, 'base64')]));
const BUNDLE = { codePath: new URL('../../dist/workflow-bundle.js', import.meta.url).pathname };

const replayed: Replayed[] = [];
beforeAll(async () => {
  for await (const result of replayRecordings(BUNDLE)) {
    replayed.push(result);
  }
});

test('there are recordings of every kind', () => {
  const kinds = recordings.map((recording) => recording.replace(/^.*\/|\.json$/g, ''));
  expect(kinds).toEqual(
    expect.arrayContaining([
      'discussion-1',
      'discussion-2',
      'discussion-asleep',
      'pipeline-parallel',
      'pipeline-failed',
      'pipeline-cancelled',
    ]),
  );
});

test('the discussion was recorded over continue-as-new', () => {
  const { events } = readHistory(recordings.find((it) => it.endsWith('discussion-1.json')) ?? '');
  expect(events.at(-1).eventType).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW');
});

/** Of what happened, one entry per activity: its type, and the task that has scheduled it. */
const scheduledIn = (recording: string): readonly [type: string, task: string][] =>
  readHistory(recording).events.flatMap((event: any) => {
    const scheduled = event.activityTaskScheduledEventAttributes;
    return scheduled === undefined
      ? []
      : [[scheduled.activityType.name, scheduled.workflowTaskCompletedEventId]];
  });

test('the latest parallel run had two agents at once, and a condition that let one not begin', () => {
  const recording = recordings.find((it) => it.endsWith('pipeline-parallel.json')) ?? '';
  const tasks = scheduledIn(recording).map(([, task]) => task);
  const [root, left, right, join, ...others] = tasks;
  expect(left).toBe(right);
  expect(new Set([root, left, join]).size).toBe(3);
  expect(others).toEqual([]); // of five nodes
});

test('the latest discussion was understood, designed, debated, refined, and run', async () => {
  const [newest = ''] = recordings;
  const [version = ''] = newest.split('/');
  const parts = recordings.filter((it) => /^discussion-\d/.test(it.replace(`${version}/`, '')));
  const histories = parts.map((part) => historyFromJSON(readHistory(part)));
  const readable = await Promise.all(histories.map((history) => readableHistory(history, codec)));
  // the plans of its turns, whether they are results of activities or of local ones
  const plans = [...JSON.stringify(readable).matchAll(/plan\W+kind\W+([\w-]+)/g)].map(
    ([, kind]) => kind,
  );
  const count = (...kinds: string[]) => plans.filter((kind) => kinds.includes(kind ?? '')).length;
  expect(count('understand', 'begin-anew')).toBeGreaterThan(2); // a clarification, and a restart
  expect(count('refine')).toBeGreaterThan(0);
  expect(count('critique')).toBeGreaterThan(0);
  const events = parts.flatMap((part) => readHistory(part).events as { eventType: string }[]);
  const runs = events.filter(({ eventType }) => /START_CHILD.*_INITIATED$/.test(eventType));
  expect(runs.length).toBeGreaterThan(1);
});

test('the latest discussion carried every state along', async () => {
  const recording = recordings.find((it) => it.endsWith('discussion-2.json')) ?? '';
  const events = await readableHistory(historyFromJSON(readHistory(recording)), codec);
  const states = [...JSON.stringify(events).matchAll(/to_state\W+(\w+)/g)].map(([, to]) => to);
  expect(new Set(states)).toEqual(new Set(DISCUSSION_STATES));
});

test.each(recordings)('%s names no path of the machine that recorded it', (recording) => {
  expect(readFileSync(new URL(recording, HISTORIES), 'utf8')).not.toContain('node_modules');
});

test.each(recordings)('%s replays', (recording) => {
  expect(replayed).toContainEqual([recording, null]);
});

test('a history that the code would not have made is refused', async () => {
  const recording = recordings.find((it) => it.endsWith('pipeline-parallel.json')) ?? '';
  const history = readHistory(recording);
  for (const event of history.events) {
    const attributes = event.activityTaskScheduledEventAttributes;
    if (attributes !== undefined) {
      attributes.activityType.name = 'somethingElse';
    }
  }
  await expect(replay(history, BUNDLE)).rejects.toThrow(/nondeterminism/i);
});
