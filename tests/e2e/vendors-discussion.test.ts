/** A discussion whose models fail or answer nonsense: the rules answer, and operators can see it. */
import { callEntries } from '../../audit/records.js';
import { checkPrompts } from '../../audit/prompts.js';
import { readDiscussionCalls } from '../../db/audit/discussion-archives.js';
import { register, type Person } from '../support/person.js';
import {
  billOf,
  chargedTo,
  completions,
  logged,
  metricOf,
  registerKeys,
  startVendorProduct,
  validateKeys,
  type VendorProduct,
} from '../support/vendor-product.js';
import { STAND_IN_DESIGNS } from '../support/vendors/answers.js';
import type { Behaviour, VendorCall } from '../support/vendors/server.js';

const REQUEST = 'Compare three podcast apps by price and write a report';
const FALLBACKS = 'discussion_rule_fallbacks_total';

let fixture: VendorProduct;
let person: Person;
beforeAll(async () => {
  fixture = await startVendorProduct({ env: { MODEL_CALL_TIMEOUT_SECONDS: '1' } });
});
beforeEach(async () => {
  fixture.vendors.setBehaviour();
  person = await register(fixture.product.url);
  await registerKeys(person, ['anthropic']);
});
afterAll(() => fixture.close());

const worker = () => fixture.product.workers[0];

type Kind = 'needs_clarification' | 'designs' | 'critiques';

/** Misbehaves where an answer of this kind is asked for, the first `times`. */
function spoil(kind: Kind, behaviour: Behaviour, times = Number.POSITIVE_INFINITY): void {
  let left = times;
  fixture.vendors.setBehaviour(({ schema }: VendorCall) => {
    if (!Object.keys(schema?.['properties'] ?? {}).includes(kind) || left === 0) {
      return undefined;
    }
    left -= 1;
    return behaviour;
  });
}

async function fallbackOf(purpose: string, reason: string, turn: () => Promise<void>) {
  const labels = { purpose, reason };
  const before = await metricOf(worker(), FALLBACKS, labels);
  const seen = logged(worker(), 'rules answer instead of a model').length;
  await turn();
  expect(await metricOf(worker(), FALLBACKS, labels)).toBe(before + 1);
  const lines = logged(worker(), 'rules answer instead of a model').slice(seen);
  expect(lines).toMatchObject([{ level: 'warn', purpose, reason }]);
}

const cyclic = STAND_IN_DESIGNS.map((design) => ({
  ...design,
  edges: [
    { source: design.agents[0]?.name, target: design.agents[1]?.name, condition: null },
    { source: design.agents[1]?.name, target: design.agents[0]?.name, condition: null },
  ],
}));
const answer = (json: unknown): Behaviour => ({ kind: 'answer', json });

test.each<readonly [string, string, Behaviour]>([
  ['two designs', 'unusable-answer', answer({ designs: STAND_IN_DESIGNS.slice(1) })],
  ['designs with a cycle', 'unusable-answer', answer({ designs: cyclic })],
  ['no JSON', 'unusable-answer', { kind: 'answer', text: 'Sure! Here are three designs.' }],
  ['half of the JSON', 'unusable-answer', { kind: 'answer', text: '{"des', finish: 'length' }],
  ['nothing', 'model-empty', { kind: 'empty' }],
  ['garbage', 'model-unavailable', { kind: 'garbage' }],
  ['a refused key', 'model-key-refused', { kind: 'status', status: 401 }],
  ['a limited rate', 'model-rate-limited', { kind: 'status', status: 429 }],
  ['never', 'model-timeout', { kind: 'hang' }],
])('a model that answers with %s: the rules design instead', async (_what, reason, behaviour) => {
  const chat = await person.chat(await person.startConversation());
  spoil('designs', behaviour);
  await fallbackOf('designs', reason, async () => {
    const presented = await chat.say(REQUEST);
    expect(presented).toMatchObject({ type: 'designs_presented', state: 'debate', round: 1 });
    expect(presented['designs']).toHaveLength(3);
    expect(presented['designs'].filter((it: any) => it.recommended)).toHaveLength(1);
    expect(presented['designs'][0].description).not.toBe(STAND_IN_DESIGNS[0]?.description);
  });
  const isRepaired = reason === 'unusable-answer';
  // intent, designs, and the one repair of an answer that came: no retry
  expect(completions(fixture.vendors, person.userId)).toHaveLength(isRepaired ? 3 : 2);
  await validateKeys(person);
  const run = await chat.say('ok, take option 2'); // the design of the rules can be run
  expect(run).toMatchObject({ type: 'pipeline_result', result: { status: 'completed' } });
  const firstAgent = completions(fixture.vendors, person.userId)[isRepaired ? 3 : 2];
  expect(firstAgent?.prompt).toContain(REQUEST); // its agents know what they work on
});

test.each<readonly [Kind, Behaviour, string]>([
  ['needs_clarification', { kind: 'answer', text: 'I think you want a comparison.' }, 'no JSON'],
  ['designs', answer({ designs: cyclic }), 'Cycle detected'],
  ['designs', answer({ designs: STAND_IN_DESIGNS.slice(1) }), 'expected 3 designs, got 2'],
])(
  'an answer of the wrong form is repaired once, and paid: %s',
  async (kind, behaviour, problem) => {
    const chat = await person.chat(await person.startConversation());
    const seen = logged(worker(), 'rules answer instead of a model').length;
    spoil(kind, behaviour, 1);
    const presented = await chat.say(REQUEST);
    expect(presented['designs'].map((it: any) => it.description)).toEqual(
      STAND_IN_DESIGNS.map(({ description }) => description),
    );
    expect(logged(worker(), 'rules answer instead of a model')).toHaveLength(seen);
    const calls = completions(fixture.vendors, person.userId);
    expect(calls).toHaveLength(3);
    const at = calls.findIndex(({ prompt }) => prompt.includes('What is wrong with it:'));
    expect(calls[at]?.prompt).toContain(problem);
    expect(calls[at]?.schema).toEqual(calls[at - 1]?.schema);
    const ledger = await fixture.product.db
      .selectFrom('costLedger')
      .select(['stepId', 'state'])
      .where('userId', '=', person.userId)
      .orderBy('createdAt')
      .execute();
    const purpose = kind === 'designs' ? 'designs' : 'intent';
    const steps = ledger.map(({ stepId, state }) => [stepId.split(':').slice(1).join(':'), state]);
    expect(steps.filter(([step]) => step?.startsWith(purpose))).toEqual([
      [`${purpose}:0`, 'settled'],
      [`${purpose}:1`, 'settled'],
    ]);
    expect(await chargedTo(fixture.product, person)).toBe(billOf(calls));
  },
);

test('critiques of the wrong form are repaired too, and the proof has all that was asked', async () => {
  const conversationId = await person.startConversation();
  const chat = await person.chat(conversationId);
  await chat.say(REQUEST);
  spoil('critiques', answer({ critiques: [] }), 1);
  const critique = await chat.say('Can you make it cheaper?');
  expect(critique['critiques'][0]).toMatchObject({ overall_score: 7, recommendation: 'solid' });
  const calls = completions(fixture.vendors, person.userId);
  expect(calls).toHaveLength(4);
  const span = { from: new Date(0), to: new Date(8e15) };
  const records = await readDiscussionCalls(fixture.product.db, conversationId, span);
  const proved = checkPrompts(callEntries(records, []));
  expect(
    proved.map(({ call, kind }) => [call.step_id.split(':').slice(-2).join(':'), kind]),
  ).toEqual(
    ['intent:0', 'designs:0', 'critiques:0', 'critiques:1'].map((step) => [step, 'as-sent']),
  );
  const sent = proved.map((one) => one.sent?.messages.map(({ content }) => content).join('\n'));
  expect(sent).toEqual(calls.map(({ prompt }) => prompt));
});

test('an intent that is no JSON is found by rules', async () => {
  const chat = await person.chat(await person.startConversation());
  spoil('needs_clarification', { kind: 'answer', text: 'I think you want a comparison.' });
  await fallbackOf('intent', 'unusable-answer', async () => {
    expect(await chat.say(REQUEST)).toMatchObject({ type: 'designs_presented' });
  });
});

test('a model that finds a request unclear without saying why still makes the user be asked', async () => {
  const chat = await person.chat(await person.startConversation());
  spoil('needs_clarification', answer({ needs_clarification: true, clarification_questions: [] }));
  const asked = await chat.say(REQUEST);
  expect(asked).toMatchObject({ type: 'clarification', state: 'understand' });
  expect(asked['questions']).toEqual([expect.stringMatching(/Which work/)]);
});

test('critiques that are too few are made by rules', async () => {
  const chat = await person.chat(await person.startConversation());
  await chat.say(REQUEST);
  spoil('critiques', answer({ critiques: [{ design_name: 'Balanced', overall_score: 99 }] }));
  await fallbackOf('critiques', 'unusable-answer', async () => {
    const critique = await chat.say('Can you make it cheaper?');
    expect(critique).toMatchObject({ type: 'critique_complete', state: 'refine' });
    const names = critique['critiques'].map((it: any) => it.design_name);
    expect(names).toEqual(STAND_IN_DESIGNS.map(({ name }) => name));
    for (const { overall_score: score } of critique['critiques']) {
      expect(score).toBeGreaterThanOrEqual(1);
      expect(score).toBeLessThanOrEqual(10);
    }
  });
});
