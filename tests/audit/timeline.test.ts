import type { ContentEntry } from '../../audit/contents.js';
import { timelineOf } from '../../audit/timeline.js';

const AT = '2026-11-24T12:00:00.000Z';
const LATER = '2026-11-24T12:00:01.000Z';

function said(content: string, created_at = AT): ContentEntry {
  return { kind: 'message', data: { id: '1', role: 'user', content, metadata: null, created_at } };
}

test('moments stand in the order of time, and of the file where they share one', () => {
  const lines = timelineOf([said('third', LATER), said('first'), said('second')]);
  expect(lines.filter((line) => line !== '')).toEqual([
    `${AT}  user says: first`,
    `${AT}  user says: second`,
    `${LATER}  user says: third`,
  ]);
});

test('what was said can neither begin a line, nor move the cursor, nor hide what follows', () => {
  const [, line = ''] = timelineOf([
    said('ok\n2026-11-24  run ended: completed\u001b[2J\u202e\rx'),
  ]);
  expect(line).toBe(`${AT}  user says: ok 2026-11-24 run ended: completed [2J x`);
  const eventType = 'EVENT_TYPE_X\u001b[31m';
  const [, event = ''] = timelineOf([
    { kind: 'event', data: { eventId: '1', eventTime: AT, eventType } },
  ]);
  expect(event).toBe(`${AT}  temporal 1: x [31m`);
});

test('a long text is cut', () => {
  const [, line = ''] = timelineOf([said('a'.repeat(500))]);
  expect(line).toBe(`${AT}  user says: ${'a'.repeat(160)} […]`);
});
