/** Texts of models that no database takes as they are, and states that no release has written. */
import { discussionWorkflowId } from '../../domain/ids.js';
import { register, type Person } from '../support/person.js';
import { temporalOf } from '../support/temporal.js';
import {
  logged,
  metricOf,
  registerKeys,
  startVendorProduct,
  type VendorProduct,
} from '../support/vendor-product.js';
import { STAND_IN_DESIGNS } from '../support/vendors/answers.js';

const REQUEST = 'Compare three podcast apps by price and write a report';

let fixture: VendorProduct;
let person: Person;
beforeAll(async () => {
  fixture = await startVendorProduct();
});
beforeEach(async () => {
  fixture.vendors.setBehaviour();
  person = await register(fixture.product.url);
  await registerKeys(person, ['anthropic']);
});
afterAll(() => fixture.close());

const worker = () => fixture.product.workers[0];
const [HIGH, LOW, NUL] = ['\ud83d', '\ude00', '\0'];
const agent = (name: string, role = 'analyzer') => ({
  ...{ name, role, llm_model: 'claude-haiku-4-5' },
  description: `works ${HIGH}${NUL}`,
});
const edge = (source: string, target: string) => ({ source, target, condition: null });

/** Answers designs of which the first has these agents and edges, and agents with odd texts. */
function designing(agents: readonly object[], edges: readonly object[] | null): void {
  const [first, ...others] = STAND_IN_DESIGNS;
  const designs = [{ ...first, agents, edges, pros: [`fast ${LOW}`] }, ...others];
  fixture.vendors.setBehaviour(({ schema }) => {
    const asked = Object.keys(schema?.['properties'] ?? {});
    return asked.includes('designs')
      ? { kind: 'answer', json: { designs } }
      : asked.length === 0
        ? { kind: 'answer', text: `an answer ${HIGH} with ${NUL}` }
        : undefined;
  });
}

test.each([
  ['half a surrogate pair, in a chain', [agent(`a${HIGH}`), agent(`b${LOW}`, 'reporter')], null],
  ['NUL in a name and a role', [agent(`a${NUL}`), agent('b', `reporter${NUL}`)], null],
  [
    'names that become equal, with edges',
    [agent(`a${HIGH}`), agent(`a${LOW}`), agent(`a${NUL}`), agent('end', 'reporter')],
    [edge(`a${HIGH}`, 'end'), edge(`a${LOW}`, 'end'), edge(`a${NUL}`, 'end')],
  ],
])('a design with %s is run to its end', async (_, agents, edges) => {
  designing(agents, edges);
  const chat = await person.chat(await person.startConversation());
  const presented = await chat.say(REQUEST);
  const [shown] = presented['designs'];
  expect(shown.agents).toHaveLength(agents.length);
  expect(new Set(shown.agents.map(({ name }: any) => name)).size).toBe(agents.length);
  expect(JSON.stringify(presented)).not.toMatch(/\\u0000|\\ud[89a-f]/i);
  const run = await chat.say('ok, take option 1');
  expect(run).toMatchObject({ type: 'pipeline_result', result: { status: 'completed' } });
  expect(run['result'].agent_results).toHaveLength(agents.length);
  expect(run['result'].output).toBe('an answer \ufffd with \ufffd');
});

test('a state that no release has written is answered, logged and counted', async () => {
  const conversationId = await person.startConversation();
  const chat = await person.chat(conversationId);
  await chat.say(REQUEST);
  const { db } = fixture.product;
  const temporal = await temporalOf(fixture.product);
  await temporal.client.workflow.getHandle(discussionWorkflowId(conversationId)).terminate();
  await temporal.close();
  await db
    .updateTable('discussions')
    .set({ talk: JSON.stringify({ machine: { state: 'dreaming' } }) })
    .where('conversationId', '=', conversationId)
    .execute();
  const counted = { where: 'discussion-state' };
  const before = await metricOf(worker(), 'internal_errors_total', counted);
  expect(await chat.say('make it cheaper')).toMatchObject({
    type: 'error',
    content: expect.stringMatching(/begins anew/),
  });
  expect(await metricOf(worker(), 'internal_errors_total', counted)).toBe(before + 1);
  const [line] = logged(worker(), 'the state of a discussion cannot be read');
  expect(line).toMatchObject({ level: 'error', conversationId });
  expect(JSON.stringify(line)).toContain('stack');
  expect(await chat.say(REQUEST)).toMatchObject({ type: 'designs_presented', round: 1 });
});
