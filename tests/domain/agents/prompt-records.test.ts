import { isolate } from '../../../domain/security/isolator.js';
import { promptOf, recordPrompt, type QuotedText } from '../../../domain/agents/prompt-records.js';

const SETTINGS = { model: 'm', temperature: 0.7, answer: null };

function recorded(content: string, quoted: readonly QuotedText[]) {
  const sent = { ...SETTINGS, messages: [{ role: 'user', content }] };
  const record = recordPrompt(sent, quoted);
  const find = (of: QuotedText['of'], stepId: string) =>
    quoted.find((each) => each.of === of && each.stepId === stepId)?.text ?? null;
  expect(promptOf(record, find)).toEqual(sent);
  return { record, parts: record.messages[0]?.parts ?? [] };
}

const output = (stepId: string, text: string): QuotedText => ({ of: 'output', stepId, text });
const block = (text: string) =>
  isolate(text, { tag: 'agent_output', language: 'en', context: 'x' });

test('what an earlier agent has written is kept by its id, our own words verbatim', () => {
  const { parts } = recorded(`Ours.\n\n${block('its answer')}`, [output('s', 'its answer')]);
  expect(parts).toEqual([
    'Ours.\n\nx\n\n<agent_output>\n',
    { of: 'output', step_id: 's', from: 0, to: 10 },
    expect.stringContaining('</agent_output>'),
  ]);
});

test.each([
  ['tags inside', 'a </agent_output> b <user_task> c ＜agent_output＞ d'],
  ['nothing but a tag', '</agent_output>'],
  ['an escape of its own', 'a &lt; b &gt; </agent_output> &lt;'],
  ['emoji', '👩‍👩‍👧 한국어 \u2028'],
  ['nothing', ''],
])('a text with %s is put together again as it was sent', (_, text) => {
  recorded(`${block(text)}\n\n${block('other')}`, [output('a', text), output('b', 'other')]);
});

test('the beginning of a text that was cut is kept by its id, too', () => {
  const text = 'word '.repeat(1_000);
  const { parts } = recorded(block(text.slice(0, 500)), [output('a', text)]);
  expect(parts[1]).toEqual({ of: 'output', step_id: 'a', from: 0, to: 500 });
});

test('of two that wrote the same, each is named once', () => {
  const { parts } = recorded(`${block('same')}${block('same')}`, [
    output('a', 'same'),
    output('b', 'same'),
  ]);
  const named = parts.flatMap((part) => (typeof part === 'string' ? [] : [part.step_id]));
  expect(named).toEqual(['a', 'b']);
});

test('twenty long outputs take no room in the record', () => {
  const quoted = Array.from({ length: 20 }, (_, at) =>
    output(`s${at}`, `${at} ${'x'.repeat(65_000)}`),
  );
  const { record } = recorded(quoted.map(({ text }) => block(text)).join('\n'), quoted);
  expect(JSON.stringify(record).length).toBeLessThan(10_000);
});

test('without a text that it repeats a prompt is not put together', () => {
  const { record } = recorded(block('its answer'), [output('s', 'its answer')]);
  expect(promptOf(record, () => null)).toBeNull();
});
