import { CRITIQUES_ANSWER, critiquesAnswer } from '../../activities/answers/critiques.js';
import { DESIGNS_ANSWER, designsAnswer } from '../../activities/answers/designs.js';
import { INTENT_ANSWER, IntentAnswer } from '../../activities/answers/intent.js';
import { intentByRules } from '../../domain/discussion/intents.js';
import { designsByRules } from '../../domain/design/rules.js';
import type { AnswerSchema, Provider, Purpose } from '../../llm/model.js';
import { createSimulated } from '../../llm/providers/simulated/simulated.js';
import type { Vendor } from '../../domain/agents/models.js';
import { parametersOf } from '../support/models.js';
import { createProviders } from '../support/vendors/providers.js';
import { startStandInVendors, type StandInVendors } from '../support/vendors/server.js';

const REQUEST = 'Compare two laptops in a table';
const intent = intentByRules(REQUEST, 'en');
const designs = designsByRules(intent, 'en');
const common = { language: 'en', request: REQUEST, intent } as const;

let vendors: StandInVendors;
let providers: Record<string, Provider>;

beforeAll(async () => {
  vendors = await startStandInVendors();
  providers = {
    ...createProviders(vendors),
    simulated: createSimulated(),
  };
});
afterAll(() => vendors.close());

async function ask(
  name: Vendor | 'simulated',
  answer: AnswerSchema,
  purpose: Purpose,
): Promise<unknown> {
  const reply = await providers[name]?.complete(
    {
      model: 'any',
      messages: [{ role: 'user', content: REQUEST }],
      temperature: 0.5,
      maxTokens: 4_096,
      answer,
      parameters: parametersOf(name),
      purpose,
    },
    { apiKey: 'sk-good', signal: new AbortController().signal, timeoutMs: 5_000 },
  );
  return JSON.parse(reply?.content ?? '');
}

describe.each(['openai', 'anthropic', 'google', 'simulated'] as const)('through %s', (name) => {
  test('the intent that is asked for comes back readable', async () => {
    const answer = await ask(name, INTENT_ANSWER, { kind: 'intent', ...common });
    expect(IntentAnswer.safeParse(answer)).toMatchObject({ success: true });
  });

  test('the designs that are asked for come back readable', async () => {
    const purpose = { kind: 'designs', ...common, previous: [], feedback: [] } as const;
    const answer = await ask(name, DESIGNS_ANSWER, purpose);
    expect(designsAnswer({ sourceHints: [], language: 'en' }).safeParse(answer)).toMatchObject({
      success: true,
    });
  });

  test('the critiques that are asked for come back readable', async () => {
    const purpose = { kind: 'critiques', ...common, designs, feedback: '' } as const;
    const answer = await ask(name, CRITIQUES_ANSWER, purpose);
    expect(critiquesAnswer(designs).safeParse(answer)).toMatchObject({ success: true });
  });
});
