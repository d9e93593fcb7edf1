import { discussionTexts } from '../../../domain/discussion/texts.js';
import { designsByRules } from '../../../domain/design/rules.js';
import type { Design } from '../../../domain/design/designs.js';
import type { DiscussionMove, DiscussionStateName } from '../../../domain/discussion/machine.js';
import { intentByRules } from '../../../domain/discussion/intents.js';
import type { Language } from '../../../domain/text/languages.js';
import { agree, ask, emptyMemory } from '../../../domain/discussion/memory.js';
import { refusalText, type Refusal } from '../../../domain/run/refusals.js';
import {
  advance,
  beginAnew,
  planTurn,
  remarkText,
  remember,
  startDiscussionState,
  withFeedback,
  withRequest,
  withRunEnded,
  withRuns,
  type DiscussionState,
  type TurnPlan,
} from '../../../domain/discussion/state.js';

const NOW = '2026-01-02T03:04:05.000Z';
const NAMES = ['Alpha', 'Beta', 'Gamma'];
/** Beta is the recommended one. */
const designs: readonly Design[] = designsByRules(intentByRules('summarize', 'en'), 'en').map(
  (design, at) => ({ ...design, name: NAMES[at] ?? '', recommended: at === 1 }),
);
const [alpha, beta, gamma] = designs;
const overBudget: Refusal = { kind: 'refused', code: 'over-budget', spentUsd: 9.5, limitUsd: 10 };

const TO_DEBATE: readonly DiscussionMove[] = [
  ...(['requirements_analyzed', 'designs_generated', 'designs_presented'] as const),
];
const ROUND: readonly DiscussionMove[] = [
  ...(['feedback_received', 'refined_designs_ready', 'designs_presented'] as const),
];
const MOVES: Readonly<Partial<Record<DiscussionStateName, readonly DiscussionMove[]>>> = {
  understand: [],
  debate: TO_DEBATE,
  refine: [...TO_DEBATE, 'feedback_received'],
  plan: [...TO_DEBATE, 'user_satisfied', 'user_confirmed'],
};

function talkAfter(
  moves: readonly DiscussionMove[],
  fields: Partial<DiscussionState> = {},
): DiscussionState {
  const made = advance({ ...startDiscussionState('en'), designs, ...fields }, moves, NOW);
  if (made.kind !== 'moved') {
    throw new Error(`no way to ${made.event}`);
  }
  return made.talk;
}

function stateIn(
  state: DiscussionStateName,
  fields: Partial<DiscussionState> = {},
): DiscussionState {
  return talkAfter(MOVES[state] ?? [], fields);
}

/** The run of Alpha was refused for money. */
function refusedTalk(fields: Partial<DiscussionState> = {}): DiscussionState {
  const run = { kind: 'refused', refusal: overBudget } as const;
  return stateIn('plan', { selected: alpha ?? null, run, ...fields });
}

function endedTalk(fields: Partial<DiscussionState> = {}): DiscussionState {
  const run = { kind: 'admitted', pipelineId: 'p', ended: true } as const;
  return stateIn('plan', { selected: alpha ?? null, run, ...fields });
}

const words = {
  ko: { text: '너무 느려요', approval: '좋아요', third: '3번으로 할게요' },
  en: { text: 'it is too slow', approval: 'ok, go ahead', third: 'choose Gamma please' },
};
const controls = [
  ['취소', '처음부터', '다시 실행'],
  ['cancel', 'restart', 'run it again'],
] as const;

describe.each(['ko', 'en'] as const)('in %s', (language) => {
  const { text, approval, third } = words[language];

  test('any text in understand is the request', () => {
    expect(planTurn(stateIn('understand'), text, false)).toEqual({ kind: 'understand' });
    expect(planTurn(stateIn('understand'), approval, false)).toEqual({ kind: 'understand' });
    expect(planTurn(stateIn('understand'), third, false)).toEqual({ kind: 'understand' });
  });

  test.each<[DiscussionStateName, TurnPlan]>([
    ['debate', { kind: 'critique' }],
    ['refine', { kind: 'refine' }],
  ])(
    'in %s an approval chooses, a name chooses that design, the rest is feedback',
    (state, rest) => {
      expect(planTurn(stateIn(state), approval, false)).toEqual({ kind: 'choose', design: beta });
      expect(planTurn(stateIn(state), third, false)).toEqual({ kind: 'choose', design: gamma });
      expect(planTurn(stateIn(state), text, false)).toEqual(rest);
    },
  );

  test('after the fifth presentation a text that chooses nothing asks for a choice', () => {
    const forced = talkAfter([...TO_DEBATE, ...ROUND, ...ROUND, ...ROUND, ...ROUND]);
    expect(planTurn(forced, text, false)).toEqual({ kind: 'ask-to-choose' });
    expect(planTurn(forced, third, false)).toEqual({ kind: 'choose', design: gamma });
  });

  test('an approval without designs says that there is none', () => {
    expect(planTurn(stateIn('debate', { designs: [] }), '좋아요', false)).toEqual({
      kind: 'say',
      what: 'no-design',
    });
  });

  test('after a refused run an approval tries the refused design again', () => {
    expect(planTurn(refusedTalk(), approval, false)).toEqual({ kind: 'run-again', design: alpha });
  });

  test('after a refused run a design that the user names is chosen instead', () => {
    expect(planTurn(refusedTalk(), third, false)).toEqual({ kind: 'choose', design: gamma });
  });

  test('after a refused run any other text repeats the refusal with its hint', () => {
    const plan = planTurn(refusedTalk(), text, false);
    expect(plan).toEqual({ kind: 'say', what: 'try-again-hint', refusal: overBudget });
    expect(said(plan, language)).toBe(refusalText(overBudget, language));
    expect(said(plan, language)).toContain('$9.50/$10.00');
    expect(said(plan, language)).toContain(discussionTexts(language).tryAgainHint);
  });

  test('after an ended run any text begins anew, an approval and a name as well', () => {
    for (const message of [text, approval, third]) {
      expect(planTurn(endedTalk(), message, false)).toEqual({ kind: 'begin-anew' });
      expect(planTurn(endedTalk({ run: null }), message, false)).toEqual({ kind: 'begin-anew' });
    }
  });

  test('while a run is active every text is answered so, in any state', () => {
    const talks = [stateIn('understand'), stateIn('debate'), stateIn('refine'), refusedTalk()];
    for (const discussionState of [...talks, endedTalk()]) {
      for (const message of [text, approval, third]) {
        const plan = planTurn(discussionState, message, true);
        expect(plan).toEqual({ kind: 'say', what: 'pipeline-running' });
        expect(said(plan, language)).toBe(discussionTexts(language).errors.pipelineRunning);
      }
    }
  });
});

describe('the runs of the conversation that have not ended', () => {
  const run = (pipelineId: string, holdsSlot: boolean) =>
    ({ pipelineId, designName: 'Quick look', waitingFor: 'pause', holdsSlot }) as const;
  const runs = [run('new', false), run('old', false)];

  test('are all named to be cancelled, also those that the state does not know', () => {
    for (const kind of ['cancel', 'restart'] as const) {
      expect(withRuns({ kind }, runs)).toEqual({ kind, pipelineIds: ['new', 'old'] });
    }
  });

  test('block a message: one that waits is named, one that works is not', () => {
    const plan = planTurn(stateIn('debate'), 'hello there', true);
    const waits = withRuns(plan, runs);
    expect(said(waits, 'en')).toMatch(/"Quick look" \(new\) .*: it is paused/);
    expect(said(waits, 'ko')).toMatch(/"Quick look"\(new\).*일시 정지/);
    expect(withRuns(plan, [run('new', true), run('old', false)])).toEqual(plan);
    expect(withRuns({ kind: 'understand' }, runs)).toEqual({ kind: 'understand' });
  });
});

function said(plan: TurnPlan, language: Language): string {
  return plan.kind === 'say' ? remarkText(plan, language) : '';
}

describe.each(controls)('the control words %s, %s, %s', (cancel, restart, retry) => {
  const states = [stateIn('understand'), stateIn('debate'), stateIn('refine'), refusedTalk()];

  test('cancel ends an active run, and says so where there is none', () => {
    for (const discussionState of [...states, endedTalk()]) {
      expect(planTurn(discussionState, cancel, true)).toEqual({ kind: 'cancel' });
      expect(planTurn(discussionState, cancel, false)).toEqual({
        kind: 'say',
        what: 'nothing-running',
      });
    }
  });

  test('restart begins anew in any state, with and without a run', () => {
    for (const discussionState of [...states, endedTalk()]) {
      expect(planTurn(discussionState, restart, true)).toEqual({ kind: 'restart' });
      expect(planTurn(discussionState, restart, false)).toEqual({ kind: 'restart' });
    }
  });

  test('retry runs the confirmed design again, after a refusal and after an end', () => {
    expect(planTurn(refusedTalk(), retry, false)).toEqual({ kind: 'run-again', design: alpha });
    expect(planTurn(endedTalk(), retry, false)).toEqual({ kind: 'run-again', design: alpha });
    expect(planTurn(endedTalk(), retry, true)).toEqual({ kind: 'say', what: 'pipeline-running' });
  });

  test('retry says that there is nothing to run before a design is confirmed', () => {
    for (const discussionState of [...states.slice(0, 3), refusedTalk({ selected: null })]) {
      expect(planTurn(discussionState, retry, false)).toEqual({
        kind: 'say',
        what: 'nothing-to-run',
      });
    }
  });

  test('a control word within a sentence commands nothing', () => {
    for (const word of [cancel, restart, retry]) {
      const plan = planTurn(stateIn('debate'), `${word} xyz`, false);
      expect(plan).toEqual({ kind: 'critique' });
    }
  });
});

test.each([
  ['3', 2],
  ['Gamma please', 2],
  ['2번', 1],
  ['추천대로 해주세요', 1],
  ['1번 말고 3번', 2],
])('after a refused run of Alpha "%s" chooses what it names', (text, at) => {
  expect(planTurn(refusedTalk(), text, false)).toEqual({ kind: 'choose', design: designs[at] });
});

test.each(['1', 'Alpha', '1번으로 할게요'])('"%s" tries the refused Alpha again', (text) => {
  expect(planTurn(refusedTalk(), text, false)).toEqual({ kind: 'run-again', design: alpha });
});

test.each(['not 3', '1 or 3', '내일 3번', '3번은 별로예요', 'ok?'])(
  'after a refused run "%s" starts nothing',
  (text) => {
    expect(planTurn(refusedTalk(), text, false)).toMatchObject({ kind: 'say' });
  },
);

test('an approval after a refusal without a kept design takes the recommended one', () => {
  const discussionState = refusedTalk({ selected: null });
  expect(planTurn(discussionState, 'ok', false)).toEqual({ kind: 'choose', design: beta });
  expect(planTurn({ ...discussionState, designs: [] }, 'ok', false)).toEqual({
    kind: 'say',
    what: 'no-design',
  });
});

test.each(['design', 'present', 'confirm'] as const)('%s, never stored, begins anew', (state) => {
  const discussionState = stateIn('debate');
  const stuck = { ...discussionState, machine: { ...discussionState.machine, state } };
  expect(planTurn(stuck, 'ok', false)).toEqual({ kind: 'begin-anew' });
});

test('beginning anew keeps the agreements and the processed messages, nothing else', () => {
  const memory = ask(agree(emptyMemory(), 'Alpha'), 'why?');
  const discussionState = remember(withFeedback(refusedTalk({ memory }), 'f'), 'm');
  const anew = beginAnew(discussionState, NOW);
  expect(anew).toMatchObject({
    ...startDiscussionState('en'),
    machine: anew.machine,
    version: discussionState.version,
    memory: { ...emptyMemory(), agreements: ['Alpha'] },
    recentIds: ['m'],
  });
  expect(anew.machine).toMatchObject({ state: 'understand', round: 0 });
});

test('only the notice of its own run ends it', () => {
  const discussionState = stateIn('plan', {
    run: { kind: 'admitted', pipelineId: 'p', ended: false },
  });
  expect(withRunEnded(discussionState, 'other')).toBe(discussionState);
  expect(withRunEnded(discussionState, 'p').run).toEqual({
    kind: 'admitted',
    pipelineId: 'p',
    ended: true,
  });
  expect(withRunEnded(refusedTalk(), 'p').run).toEqual({ kind: 'refused', refusal: overBudget });
});

test('the last ten texts are kept, and the ids of the last two hundred messages', () => {
  const ids = Array.from({ length: 250 }, (_, at) => `m${at}`);
  const discussionState = ids.reduce(
    (t, id) => remember(withRequest(withFeedback(t, id), id), id),
    startDiscussionState('ko'),
  );
  expect(discussionState.requestIds).toEqual(ids.slice(-10));
  expect(discussionState.feedbackIds).toEqual(ids.slice(-10));
  expect(discussionState.recentIds).toEqual(ids.slice(-200));
});

test('of several moves none is made where one is invalid', () => {
  expect(
    advance(startDiscussionState('en'), ['requirements_analyzed', 'user_confirmed'], NOW),
  ).toEqual({
    kind: 'invalid-transition',
    state: 'design',
    event: 'user_confirmed',
    validEvents: ['designs_generated', 'restart'],
  });
});

describe('where it is not certain which design is meant', () => {
  const unsure = 'no, not 2, the first one';
  const plans = (
    text: string,
    fields: Partial<DiscussionState> = {},
    state: DiscussionStateName = 'debate',
  ) => planTurn(stateIn(state, fields), text, false);

  test('it is asked, and only a yes as the whole next message runs it', () => {
    expect(plans(unsure)).toEqual({ kind: 'ask-which', asked: 0 });
    for (const yes of ['yes', 'ok', 'Yes, please!', '네', '좋아요', 'option 1']) {
      expect(plans(yes, { asked: 0 })).toEqual({ kind: 'choose', design: alpha });
      expect(plans(yes, { asked: 0 }, 'refine')).toEqual({ kind: 'choose', design: alpha });
    }
    expect(plans('option 3', { asked: 0 })).toEqual({ kind: 'choose', design: gamma });
    expect(plans('yes, but cheaper', { asked: 0 })).toEqual({ kind: 'critique' });
    expect(plans('no', { asked: 0 })).toEqual({ kind: 'ask-which', asked: null });
    expect(plans('maybe 3', { asked: 0 })).toEqual({ kind: 'ask-which', asked: 2 });
  });

  test('the question is forgotten with the next message', () => {
    expect(remember({ ...stateIn('debate'), asked: 0 }, 'm').asked).toBeNull();
  });

  test('a yes that answers no question asks for the recommended one, after a critique it goes on', () => {
    expect(plans('yes')).toEqual({ kind: 'ask-which', asked: 1 });
    expect(plans('yes', {}, 'refine')).toEqual({ kind: 'refine' });
  });

  test('also when only a choice leads on', () => {
    const forced = talkAfter([...TO_DEBATE, ...ROUND, ...ROUND, ...ROUND, ...ROUND]);
    expect(planTurn(forced, unsure, false)).toEqual({ kind: 'ask-which', asked: 0 });
  });
});
