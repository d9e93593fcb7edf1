import { idAttributes, spanIdOf, spanIn, traceOfUuid, traceparentOf } from '../../domain/traces.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test.each([true, false])('a traceparent that is written is read back: sampled %p', (isSampled) => {
  const place = { traceId: TRACE, spanId: SPAN, isSampled };
  const text = traceparentOf(place);
  expect(text).toBe(`00-${TRACE}-${SPAN}-0${isSampled ? 1 : 0}`);
  expect(spanIn(text)).toEqual(place);
});

test.each([
  ['', 'nothing'],
  [`00-${'0'.repeat(32)}-${SPAN}-01`, 'no trace'],
  [`00-${TRACE}-${'0'.repeat(16)}-01`, 'no span'],
  [`ff-${TRACE}-${SPAN}-01`, 'a version that cannot be'],
  [`00-${TRACE.toUpperCase()}-${SPAN}-01`, 'capitals'],
  [`00-${TRACE}-${SPAN}`, 'no flags'],
  [`00-${TRACE}-${SPAN}-01 `, 'something behind it'],
])('"%s" is no traceparent: %s', (text) => {
  expect(spanIn(text)).toBeNull();
});

test('a later version of the header is read as far as we know it', () => {
  expect(spanIn(`01-${TRACE}-${SPAN}-03-more`)).toMatchObject({ traceId: TRACE, isSampled: true });
});

test('a message’s trace is found by the message’s id', () => {
  const id = '7d1f0c3a-0000-4000-8000-0123456789ab';
  expect(traceOfUuid(id)).toEqual({
    requestId: id,
    traceId: '7d1f0c3a0000400080000123456789ab',
  });
});

describe('a workflow’s span', () => {
  const RUN = '0199d3f2-6d5a-7c41-9f00-3a5b6c7d8e9f';
  const MESSAGES = [
    '7d1f0c3a-0000-4000-8000-0123456789ab',
    '7d1f0c3a-0000-4000-8000-0123456789ac',
  ] as const;

  test('has an id of its own, the same each time, for the run and for each of its turns', () => {
    const ids = [spanIdOf(RUN), ...MESSAGES.map((id) => spanIdOf(RUN, id))];
    expect(new Set(ids).size).toBe(3);
    expect(ids).toEqual([spanIdOf(RUN), ...MESSAGES.map((id) => spanIdOf(RUN, id))]);
    for (const id of ids) {
      expect(id).toMatch(/^[\da-f]{16}$/);
    }
  });

  test('never has the id that means none', () => {
    expect(spanIdOf(RUN, RUN)).toBe(spanIdOf(RUN));
    for (const [run, message] of [
      ['', ''],
      ['no', 'UUID'],
      [RUN, 'm-1'],
    ] as const) {
      expect(spanIn(`00-${TRACE}-${spanIdOf(run, message)}-01`)).not.toBeNull();
    }
  });
});

test('a span is about those ids that are known', () => {
  expect(idAttributes({ userId: 'u', pipelineId: undefined })).toEqual({ 'user.id': 'u' });
});
