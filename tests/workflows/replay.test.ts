/** Every recorded history of every released version replays on today's workflow code. */
import { readFileSync } from 'node:fs';
import {
  HISTORIES,
  readHistory,
  recordings,
  replay,
  replayRecordings,
  type Replayed,
} from '../support/replay.js';

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
