/** The whole story with the vendors' own SDKs and wire formats, paid by the user's own keys. */
import { VENDORS, type Vendor } from '../../domain/agents/models.js';
import { rounded } from '../../domain/run/result-rules.js';
import { register } from '../support/person.js';
import { playStory } from '../support/story.js';
import {
  billOf,
  chargedTo,
  completions,
  registerKeys,
  startVendorProduct,
  type VendorProduct,
} from '../support/vendor-product.js';
import type { VendorCall } from '../support/vendors/server.js';
import { answerTokensOf } from '../support/models.js';

const LANGUAGES = [
  ['English', 'openai', 'response_format'],
  ['Korean', 'google', 'generationConfig'],
] as const;

const KEY_HEADER: Readonly<Record<Vendor, (key: string) => readonly [string, string]>> = {
  openai: (key) => ['authorization', `Bearer ${key}`],
  anthropic: (key) => ['authorization', `Bearer ${key}`], // as its SDK does since version 1
  google: (key) => ['x-goog-api-key', key],
};

/** Where each vendor wants the instructions that are not the user's. */
const SYSTEM_TEXT: Readonly<Record<Vendor, (body: any) => unknown>> = {
  openai: (body) => (body.messages[0].role === 'system' ? body.messages[0].content : null),
  anthropic: (body) => body.system,
  google: (body) => body.systemInstruction?.parts[0].text,
};

function usageOf({ usage }: VendorCall): number {
  return (usage?.promptTokens ?? 0) + (usage?.completionTokens ?? 0);
}

describe.each(LANGUAGES)('a paid conversation in %s, designed by %s', (...row) => {
  const [language, designer, schemaField] = row;
  let fixture: VendorProduct;
  let keys: Record<Vendor, string>;
  const story = playStory(language, async () => {
    fixture = await startVendorProduct({
      apis: 2,
      env: { DEFAULT_LLM_PROVIDER: designer },
    });
    const { product } = fixture;
    const person = await register(product.url);
    keys = await registerKeys(person);
    return { product, person };
  });
  afterAll(() => fixture.close());

  const calls = () => completions(fixture.vendors);
  const result = () => story().chat.events.findLast(({ type }) => type === 'pipeline_result');

  test('every request was one that its vendor understands', () => {
    expect(calls().map(({ status }) => status)).toEqual(calls().map(() => 200));
    for (const call of calls()) {
      const [header, value] = KEY_HEADER[call.vendor](keys[call.vendor]);
      expect(call.headers[header]).toBe(value);
      expect(JSON.stringify(call.body)).not.toContain(keys[call.vendor]);
      expect(SYSTEM_TEXT[call.vendor](call.body)).toMatch(/\w{3,}/);
    }
  });

  test("the discussion's answers were asked for in the vendor's own structured form", () => {
    const structured = calls().filter(({ schema }) => schema !== null);
    const asked = structured.map(({ schema }) => Object.keys(schema?.['properties'] ?? {})[0]);
    expect(asked).toEqual([
      ...['task', 'task', 'designs', 'critiques', 'designs'], // the story
      ...['task', 'designs'], // and the fresh discussion after it
    ]);
    expect(structured.every(({ vendor }) => vendor === designer)).toBe(true);
    expect(structured.every(({ body }) => JSON.stringify(body).includes(schemaField))).toBe(true);
    expect(structured.map(answerTokensOf)).toEqual([
      ...[1_024, 1_024, 4_096, 4_096, 4_096],
      ...[1_024, 4_096],
    ]);
  });

  test('one run used the models of all three vendors, as its design says', () => {
    const agents = calls().filter(({ schema }) => schema === null);
    expect(agents.map(({ vendor }) => vendor).toSorted()).toEqual([
      'anthropic',
      'anthropic',
      'google',
      'openai',
    ]);
    expect(new Set(agents.map(({ vendor }) => vendor))).toEqual(new Set(VENDORS));
    expect(agents.map(({ model }) => model)).toContain('claude-opus-4-6');
    expect(agents.every((call) => answerTokensOf(call) === 4_096)).toBe(true);
  });

  test("the result carries the vendors' own counts", () => {
    const agents = calls().filter(({ schema }) => schema === null);
    const { agent_results: results, ...totals } = result()?.['result'];
    const tokens = results.map((it: any) => it.tokens_used);
    expect(tokens.toSorted()).toEqual(agents.map(usageOf).toSorted());
    expect(totals.total_tokens).toBe(agents.reduce((sum, call) => sum + usageOf(call), 0));
    expect(totals.total_cost).toBe(rounded(Number(billOf(agents)), 6));
    for (const { content, cost_estimate } of results) {
      expect(content).toContain('stand-in answer');
      expect(cost_estimate).toBeGreaterThan(0);
    }
  });

  test('the day costs what the vendors bill, to the last digit', async () => {
    const { product, person } = story();
    const bill = billOf(calls());
    expect(await chargedTo(product, person)).toBe(bill);
    const usage = await person.ask('GET', '/auth/me/usage');
    expect(usage.body.daily_cost).toBe(Number(Number(bill).toFixed(4)));
    const history = await person.ask('GET', '/stats/usage-history');
    expect(history.body.at(-1).cost).toBeCloseTo(Number(bill), 6);
  });

  test('nothing was simulated, although that is allowed where no key pays', async () => {
    const { product, person } = story();
    const runs = await product.db.selectFrom('pipelineExecutions').select('simulated').execute();
    expect(runs).toEqual([{ simulated: false }]);
    const ledger = await product.db
      .selectFrom('costLedger')
      .select(['provider', 'state'])
      .execute();
    expect(ledger).toHaveLength(calls().length);
    expect(ledger.every(({ provider }) => provider !== 'simulated')).toBe(true);
    expect(ledger.every(({ state }) => state === 'settled')).toBe(true);
    const { body } = await person.ask('GET', '/llm-keys');
    expect(body.every((it: any) => it.last_used_at !== null)).toBe(true);
  });
});
