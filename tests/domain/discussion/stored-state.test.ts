import fc from 'fast-check';
import { critiquesByRules } from '../../../domain/discussion/critique-rules.js';
import { designsByRules } from '../../../domain/design/rules.js';
import { intentByRules } from '../../../domain/discussion/intents.js';
import {
  agree,
  prefer,
  recordCritiques,
  recordDesigns,
} from '../../../domain/discussion/memory.js';
import { readStoredDesign } from '../../../domain/design/stored-designs.js';
import { readDiscussionState } from '../../../domain/discussion/stored-state.js';
import {
  advance,
  startDiscussionState,
  type DiscussionState,
} from '../../../domain/discussion/state.js';

const intent = intentByRules('Compare three podcast apps', 'en');
const designs = designsByRules(intent, 'en');
const critiques = critiquesByRules(designs, intent, 'en');
const moved = advance(
  { ...startDiscussionState('ko'), version: 7 },
  ['requirements_analyzed', 'designs_generated', 'designs_presented'],
  '2026-11-30T12:00:00.000Z',
);
const remembered = recordCritiques(
  recordDesigns(startDiscussionState('en').memory, designs),
  critiques,
);
const FULL: DiscussionState = {
  ...(moved.kind === 'moved' ? moved.talk : startDiscussionState('ko')),
  ...{ intent, designs, critiques, selected: designs[1] ?? null },
  run: {
    kind: 'refused',
    refusal: { kind: 'refused', code: 'over-budget', limitUsd: 1, isServerKeySpent: true },
  },
  memory: prefer(agree(remembered, 'no PDFs'), 'feedback_round_1', 'cheaper'),
  requestIds: ['a'],
  recentIds: ['a', 'b'],
};

function stored(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

test('a state of the present form comes back as it was', () => {
  expect(readDiscussionState(stored(FULL))).toEqual({ kind: 'talk', talk: FULL });
  expect(readDiscussionState(stored(startDiscussionState('en')))).toEqual({
    kind: 'talk',
    talk: startDiscussionState('en'),
  });
});

test('a state of an older form has defaults for what came later', () => {
  const { form: _form, isLost: _isLost, recentIds: _ids, critiques: _critiques, ...older } = FULL;
  const agents = (designs[0]?.agents ?? []).map(({ name, role, llm_model, description }) => ({
    ...{ name, role, llm_model, description },
  }));
  const { source_hints: _hints, ...design } = { ...designs[0], agents };
  const old = { ...older, designs: [design], memory: { agreements: ['no PDFs'] } };
  expect(readDiscussionState(stored(old))).toMatchObject({
    kind: 'talk',
    talk: {
      ...{ form: 1, isLost: false, recentIds: [], critiques: [], version: 7 },
      designs: [{ source_hints: [], agents: [{ approval: false, max_tokens: 4096 }, {}] }],
      memory: { agreements: ['no PDFs'], round_summaries: [] },
    },
  });
});

test('fields that a newer release has added are left out', () => {
  expect(readDiscussionState(stored({ ...FULL, form: 2, mood: 'good' }))).toEqual({
    kind: 'talk',
    talk: FULL,
  });
});

test.each([
  ['nothing', null],
  ['a text', 'x'],
  ['no machine', { version: 3 }],
  ['an unknown state', { ...FULL, machine: { state: 'dreaming' } }],
  ['designs that are none', { ...FULL, designs: [{ name: 'x' }] }],
  ['a run without a kind', { ...FULL, run: {} }],
])('%s is no state, and the problem names where', (_, value) => {
  const read = readDiscussionState(stored(value));
  expect(read).toMatchObject({ kind: 'unreadable', problem: expect.stringMatching(/^talk/) });
});

test('reading any document answers, and what it answers can be read again', () => {
  const json = fc.jsonValue();
  const changed = fc
    .tuple(fc.constantFrom(...Object.keys(FULL)), json)
    .map(([field, value]) => ({ ...FULL, [field]: value }));
  fc.assert(
    fc.property(fc.oneof(json, changed), (value) => {
      const read = readDiscussionState(stored(value));
      const again = read.kind === 'talk' ? readDiscussionState(stored(read.talk)) : read;
      expect(again).toEqual(read);
    }),
  );
});

test('a stored design whose names cannot be stored gets the names that PostgreSQL gave its steps', () => {
  const [design] = designs;
  const agents = ['a\ud83d', 'a\ude00'].map((name) => ({ ...design?.agents[0], name }));
  const edges = [{ source: 'a\ud83d', target: 'a\ude00', condition: null }];
  const read = readStoredDesign(stored({ ...design, agents, edges }), 'x');
  expect(read.agents.map(({ name }) => name)).toEqual(['a\ufffd', 'a\ufffd_1']);
  expect(read.edges).toEqual([{ source: 'a\ufffd', target: 'a\ufffd_1', condition: null }]);
});

test('a design that cannot be read has no agents', () => {
  expect(readStoredDesign({ agents: 3 }, 'Mine')).toMatchObject({ name: 'Mine', agents: [] });
  expect(readStoredDesign(null, 'Mine')).toMatchObject({ name: 'Mine', agents: [] });
});
