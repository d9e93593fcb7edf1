import fc from 'fast-check';
import type { Critique, Design } from '../../../domain/design/designs.js';
import { critiquesByRules } from '../../../domain/discussion/critique-rules.js';
import { designsByRules } from '../../../domain/design/rules.js';
import { intentByRules } from '../../../domain/discussion/intents.js';
import {
  agree,
  ask,
  bytesOf,
  emptyMemory,
  MAX_ENTRIES,
  MAX_HISTORY,
  MAX_TEXT,
  memoryContext,
  prefer,
  recordCritiques,
  recordDesigns,
  resolve,
  summarizeRound,
  type Memory,
} from '../../../domain/discussion/memory.js';
import {
  CONTEXT_CUT,
  MAX_CONTEXT,
  NOTHING_REMEMBERED,
} from '../../../domain/discussion/memory-context.js';
import { anyText } from '../../support/texts.js';

const intent = intentByRules('summarize', 'en');
const designs = designsByRules(intent, 'en');
const critiques = critiquesByRules(designs, intent, 'en');

function times(count: number, memory: Memory, change: (m: Memory, at: number) => Memory): Memory {
  return Array.from({ length: count }, (_, at) => at).reduce(change, memory);
}

test('agreements and open questions hold no duplicates and nothing empty', () => {
  const memory = agree(agree(agree(emptyMemory(), 'use design 2'), ' use  design 2\n'), '  ');
  expect(memory.agreements).toEqual(['use design 2']);
  expect(ask(ask(ask(emptyMemory(), 'why?'), 'why?'), '').open_questions).toEqual(['why?']);
});

test('no change touches the memory it was given', () => {
  const before = ask(agree(emptyMemory(), 'a'), 'q');
  const frozen = structuredClone(before);
  agree(before, 'b');
  resolve(before, 'q', 'r');
  prefer(before, 'k', 'v');
  recordDesigns(before, designs);
  recordCritiques(before, critiques);
  summarizeRound(before, { round: 1, feedback: 'f', scores: [7] });
  expect(before).toEqual(frozen);
});

test('a resolved question moves out of the open ones', () => {
  const memory = resolve(ask(emptyMemory(), 'cheaper?'), 'cheaper?', 'smaller models');
  expect(memory.open_questions).toEqual([]);
  expect(memory.resolved_questions).toEqual([
    { question: 'cheaper?', resolution: 'smaller models' },
  ]);
  expect(resolve(memory, 'never asked', 'x')).toEqual(memory);
});

test('a long question is found again by its full text and by its stored one', () => {
  const long = '왜 '.repeat(5_000);
  const asked = ask(emptyMemory(), long);
  expect(resolve(asked, long, 'so').open_questions).toEqual([]);
  expect(resolve(asked, asked.open_questions[0] ?? '', 'so').open_questions).toEqual([]);
});

test('a preference set again is replaced', () => {
  const memory = prefer(prefer(emptyMemory(), 'feedback_round_1', 'a'), 'feedback_round_1', 'b');
  expect(memory.user_preferences).toEqual({ feedback_round_1: 'b' });
});

test('the histories count their rounds on and keep outlines only', () => {
  const memory = times(7, emptyMemory(), (m) =>
    recordCritiques(recordDesigns(m, designs), critiques),
  );
  expect(memory.design_history.map(({ round }) => round)).toEqual([2, 3, 4, 5, 6]);
  expect(memory.critique_history.map(({ round }) => round)).toEqual([2, 3, 4, 5, 6]);
  expect(memory.design_history[0]?.designs[0]).toEqual({
    name: 'Simple Sequential Pipeline (speed)',
    roles: ['analyzer', 'reporter'],
  });
  expect(memory.critique_history[0]?.critiques[0]).toEqual({
    design_name: 'Simple Sequential Pipeline (speed)',
    overall_score: 6,
  });
});

test('each list keeps its newest entries', () => {
  const memory = times(30, emptyMemory(), (m, at) => {
    const answered = resolve(ask(agree(m, `a${at}`), `r${at}`), `r${at}`, 'yes');
    const preferred = prefer(ask(answered, `q${at}`), `k${at}`, 'v');
    return summarizeRound(preferred, { round: at, feedback: 'f', scores: [] });
  });
  for (const list of [memory.agreements, memory.resolved_questions, memory.round_summaries]) {
    expect(list).toHaveLength(MAX_ENTRIES);
  }
  expect(memory.open_questions.length).toBeGreaterThanOrEqual(MAX_ENTRIES - 1);
  expect(Object.keys(memory.user_preferences)).toHaveLength(MAX_ENTRIES);
  expect(memory.agreements.at(-1)).toBe('a29');
  expect(memory.agreements[0]).toBe('a10');
  expect(Object.keys(memory.user_preferences)[0]).toBe('k10');
});

test('stored texts are cut on whole characters and marked', () => {
  const [text = ''] = agree(emptyMemory(), '😀'.repeat(1_000)).agreements;
  expect(Array.from(text)).toHaveLength(MAX_TEXT);
  expect(text.endsWith('😀…')).toBe(true);
  expect(agree(emptyMemory(), 'x'.repeat(MAX_TEXT)).agreements).toEqual(['x'.repeat(MAX_TEXT)]);
});

test('a round summary holds 100 characters of feedback and the scores', () => {
  const memory = summarizeRound(emptyMemory(), {
    round: 3,
    feedback: 'f'.repeat(500),
    scores: [6.5, 7],
  });
  expect(memory.round_summaries).toEqual([
    { round: 3, text: `feedback "${'f'.repeat(99)}…", scores [6.5, 7]` },
  ]);
});

function hugeDesigns(text: string): Design[] {
  return designs.map((design) => ({
    ...design,
    name: text,
    agents: Array.from({ length: 40 }, () =>
      design.agents.map((a) => ({ ...a, role: text })),
    ).flat(),
  }));
}

test.each(['x', '가', '😀', '"\\', '\u0000', '\ud800', '\n'])(
  'two hundred turns of 64 KB of "%s" leave less than 32 KB',
  (unit) => {
    const text = unit.repeat(65_536 / unit.length);
    const memory = times(200, emptyMemory(), (m, at) => {
      const said = `${at} ${text}`;
      const asked = agree(ask(m, said), said);
      const answered = ask(resolve(asked, said, text), `again ${said}`);
      const preferred = prefer(answered, `feedback_round_${at} ${text}`, said);
      const designed = recordDesigns(preferred, hugeDesigns(text));
      const judged = Array.from({ length: 50 }, () => ({
        ...(critiques[0] as Critique),
        design_name: text,
      }));
      return summarizeRound(recordCritiques(designed, judged), {
        round: at,
        feedback: said,
        scores: [7],
      });
    });
    expect(Buffer.byteLength(JSON.stringify(memory))).toBe(bytesOf(memory));
    expect(bytesOf(memory)).toBeLessThan(32_768);
    expect(memory.agreements.at(-1)).toMatch(/^199/);
    expect(memory.round_summaries.at(-1)?.round).toBe(199);
    expect(memory.design_history.length).toBeLessThanOrEqual(MAX_HISTORY);
    expect(memoryContext(memory).length).toBeLessThanOrEqual(MAX_CONTEXT);
  },
);

test('an empty memory reads as one fixed sentence', () => {
  expect(memoryContext(emptyMemory())).toBe(NOTHING_REMEMBERED);
});

test('the context has its sections in order and the last three rounds with their real number', () => {
  const talked = times(5, ask(agree(emptyMemory(), 'design 2'), 'how fast?'), (m, at) =>
    summarizeRound(m, { round: at + 1, feedback: `f${at + 1}`, scores: [7] }),
  );
  const memory = resolve(ask(prefer(talked, 'feedback_round_1', 'cheap'), 'old?'), 'old?', 'done');
  expect(memoryContext(memory)).toBe(
    [
      '## Agreed decisions\n- design 2',
      '## Open questions\n- how fast?',
      '## User preferences\n- feedback_round_1: cheap',
      '## Previous rounds\n- Round 3: feedback "f3", scores [7]\n- Round 4: feedback "f4", scores [7]\n- Round 5: feedback "f5", scores [7]',
      '## Resolved questions\n- old? → done',
    ].join('\n\n'),
  );
});

test('a long context is cut at 4000 characters and says so', () => {
  const memory = times(20, emptyMemory(), (m, at) => agree(m, `${at}${'😀'.repeat(198)}`));
  const context = memoryContext(memory);
  expect(context.length).toBeLessThanOrEqual(MAX_CONTEXT);
  expect(context.length).toBeGreaterThan(MAX_CONTEXT - 3);
  expect(context.endsWith(CONTEXT_CUT)).toBe(true);
  expect(context).not.toMatch(/\p{Cs}/u);
});

test('any memory survives JSON unchanged', () => {
  fc.assert(
    fc.property(fc.array(anyText, { maxLength: 10 }), (texts) => {
      const memory = texts.reduce(
        (m, text) => prefer(ask(agree(m, text), text), text, text),
        emptyMemory(),
      );
      expect(JSON.parse(JSON.stringify(memory))).toEqual(memory);
      expect(Buffer.byteLength(JSON.stringify(memory))).toBe(bytesOf(memory));
    }),
  );
});
