/** Which keys pay: the user's own, the server's, or none; and a day that they spend. */
import { randomUUID } from 'node:crypto';
import { utcDay } from '../../domain/account/days.js';
import { VENDORS } from '../../domain/agents/models.js';
import { until } from '../support/until.js';
import { register, type Person } from '../support/person.js';
import {
  billOf,
  chargedTo,
  completions,
  registerKeys,
  startVendorProduct,
  type VendorProduct,
} from '../support/vendor-product.js';

/** $1.20 of gpt-4o-mini's output: more than a free user's day has. */
const DEAR = { promptTokens: 10, completionTokens: 2_000_000 };

const REQUEST = {
  English: 'Compare three podcast apps by price and write a report',
  Korean: '팟캐스트 앱 세 개의 가격을 비교해서 리포트를 만들어 줘',
} as const;

const DESIGN = {
  name: 'Two steps',
  description: 'Something to do',
  agents: [
    { name: 'reader', role: 'analyzer', llm_model: 'gpt-4o-mini', description: 'reads' },
    { name: 'writer', role: 'reporter', llm_model: 'claude-haiku-4-5', description: 'writes' },
  ],
};

describe('where no key pays unless one is registered', () => {
  let fixture: VendorProduct;
  let person: Person;
  beforeAll(async () => {
    fixture = await startVendorProduct({ env: { SIMULATED_MODELS: 'false' } });
  });
  beforeEach(async () => {
    fixture.vendors.setBehaviour();
    person = await register(fixture.product.url);
  });
  afterAll(() => fixture.close());

  const store = (provider: string, api_key: string) =>
    person.ask('POST', '/llm-keys', { provider, api_key });

  test.each(VENDORS)(
    'a key that %s accepts is valid, and one that it refuses is not',
    async (it) => {
      const refused = await store(it, 'sk-invalid-0123456789');
      expect(refused).toMatchObject({ status: 201, body: { provider: it, is_valid: false } });
      expect(refused.body.last_validated_at).not.toBeNull();
      const accepted = await store(it, 'sk-good-0123456789');
      expect(accepted).toMatchObject({
        status: 201,
        body: { id: refused.body.id, is_valid: true },
      });
      const checked = await person.ask('POST', `/llm-keys/${accepted.body.id}/validate`);
      expect(checked.body).toMatchObject({ provider: it, is_valid: true });
      expect(checked.body.message).toMatch(/valid/);
      expect(checked.body.models_available.length).toBeGreaterThan(0);
    },
  );

  test.each(VENDORS)('while %s is away a new key is kept, not checked, not valid', async (it) => {
    fixture.vendors.setBehaviour({ kind: 'status', status: 503 });
    const stored = await store(it, 'sk-good-0123456789');
    expect(stored).toMatchObject({
      status: 201,
      body: { is_valid: false, last_validated_at: null },
    });
    const checked = await person.ask('POST', `/llm-keys/${stored.body.id}/validate`);
    expect(checked).toMatchObject({ status: 200, body: { is_valid: false } });
    expect(checked.body.message).toMatch(/could not be checked/);
    fixture.vendors.setBehaviour();
    const again = await person.ask('POST', `/llm-keys/${stored.body.id}/validate`);
    expect(again.body.is_valid).toBe(true);
  });

  test('a key that was valid stays so while its vendor is away', async () => {
    const { body } = await store('openai', 'sk-good-0123456789');
    fixture.vendors.setBehaviour({ kind: 'status', status: 503 });
    await person.ask('POST', `/llm-keys/${body.id}/validate`);
    const listed = await person.ask('GET', '/llm-keys');
    expect(listed.body).toMatchObject([{ id: body.id, is_valid: true }]);
  });

  test('a run over HTTP is refused with 400', async () => {
    const answer = await person.ask('POST', '/pipelines/execute', { design: DESIGN });
    expect(answer).toMatchObject({ status: 400, body: { detail: expect.any(String) } });
    expect(answer.body.detail).toMatch(/LLM key/);
    await store('openai', 'sk-invalid-0123456789');
    const still = await person.ask('POST', '/pipelines/execute-direct', { design: DESIGN });
    expect(still.status).toBe(400);
    expect(completions(fixture.vendors, person.userId)).toEqual([]);
  });

  test('over HTTP body, day, lock, count and key are checked in this order, before the graph', async () => {
    const { db } = fixture.product;
    const { userId } = person;
    const unbuildable = { ...DESIGN, agents: [] };
    const ask = async (body: object) => {
      const answer = await person.ask('POST', '/pipelines/execute', body);
      return `${answer.status} ${JSON.stringify(answer.body.detail)}`;
    };
    const today = utcDay(new Date());
    await db
      .insertInto('userDailyCosts')
      .values({ userId, date: today, totalCost: '1.25' })
      .execute();
    const run = { userId, designName: 'd', design: '{}', language: 'en', simulated: true } as const;
    const runs = [true, false, false].map((holdsSlot) => ({
      ...{ ...run, id: randomUUID(), agentCount: 0, countedOn: today, holdsSlot },
    }));
    await db.insertInto('pipelineExecutions').values(runs).execute();
    expect(await ask({ design: { name: 'no description' } })).toMatch(/^422 /);
    expect(await ask({ design: unbuildable })).toBe('429 "Daily cost limit exceeded: $1.25/$1.00"');
    await db.deleteFrom('userDailyCosts').where('userId', '=', userId).execute();
    expect(await ask({ design: unbuildable })).toMatch(/^429 "A pipeline is already running/);
    const ofPerson = db.updateTable('pipelineExecutions').where('userId', '=', userId);
    await ofPerson.set({ holdsSlot: false, status: 'failed' }).execute();
    expect(await ask({ design: unbuildable })).toMatch(/^429 "Daily pipeline limit reached/);
    await ofPerson.set({ countedOn: null }).execute();
    expect(await ask({ design: unbuildable })).toMatch(/^400 "LLM key not configured/);
  });

  test('a key that no header can carry is kept, and not valid', async () => {
    for (const provider of VENDORS) {
      const { status, body } = await store(provider, '한글로 적은 열쇠입니다');
      expect([status, body.is_valid]).toEqual([201, false]);
    }
  });

  const WORDS = {
    English: ['ok, take option 2', 'run it again', /No LLM API key is registered/],
    Korean: ['2번으로 선택할게요', '다시 실행', /등록된 LLM API 키가 없어요/],
  } as const;

  test.each(['English', 'Korean'] as const)('in %s a plan waits for a key', async (language) => {
    const [approval, retry, noKey] = WORDS[language];
    const chat = await person.chat(await person.startConversation());
    expect(await chat.say(REQUEST[language])).toMatchObject({ type: 'designs_presented' });
    const refused = await chat.say(approval);
    expect(refused).toMatchObject({ type: 'error', state: 'plan' });
    expect(refused['content']).toMatch(noKey);
    expect(chat.events.map(({ type }) => type)).not.toContain('plan_generated');
    expect((await chat.say(retry))['content']).toMatch(noKey);
    await registerKeys(person);
    expect(completions(fixture.vendors, person.userId)).toEqual([]); // nothing runs by accident
    const answer = await chat.say(retry);
    expect(answer).toMatchObject({ type: 'pipeline_result', result: { status: 'completed' } });
    const echoes = chat.events.filter(({ type }) => type === 'plan_generated');
    expect(echoes).toHaveLength(1);
    const calls = completions(fixture.vendors, person.userId);
    expect(calls).toHaveLength(answer['result'].agent_results.length);
    expect(await chargedTo(fixture.product, person)).toBe(billOf(calls));
  });

  describe('a day that is spent in the middle of a run', () => {
    function agent(name: string) {
      return { name, role: 'analyzer', llm_model: 'gpt-4o-mini', description: `does ${name}` };
    }

    const SPENDING = {
      name: 'A dear design',
      description: 'Something to do',
      agents: ['dear', 'slow', 'late', 'last'].map(agent),
      edges: [
        { source: 'dear', target: 'late' },
        { source: 'late', target: 'last' },
      ],
    };

    /** The person's day is spent while the slow agent's call is under way. */
    async function spendDay() {
      await registerKeys(person, ['openai']);
      const { promise: lateHasFailed, resolve } = Promise.withResolvers<null>();
      // the slow call is under way, with its money reserved, before the expensive one spends the day
      const slow = Promise.withResolvers<null>();
      fixture.vendors.setBehaviour(({ prompt }) => {
        if (prompt.includes('does slow')) {
          slow.resolve(null);
          return { kind: 'answer', hold: lateHasFailed };
        }
        return prompt.includes('does dear')
          ? { kind: 'answer', usage: DEAR, hold: slow.promise }
          : undefined;
      });
      return () => {
        resolve(null);
      };
    }

    test('over budget in the middle: calls in flight end, nothing else starts', async () => {
      const release = await spendDay();
      const run = person.ask('POST', '/pipelines/execute', { design: SPENDING });
      await until('the late agent has failed', () =>
        fixture.product.db
          .selectFrom('agentSteps')
          .innerJoin('pipelineExecutions', 'pipelineExecutions.id', 'pipelineId')
          .select('agentSteps.id')
          .where('userId', '=', person.userId)
          .where('agentSteps.status', '=', 'failed')
          .executeTakeFirst(),
      );
      release();
      const { status, body } = await run;
      expect(status).toBe(200);
      expect(body.status).toBe('partial');
      expect(body.result.agent_results).toMatchObject([
        { agent_name: 'dear', status: 'success', cost_estimate: 1.2000015 },
        { agent_name: 'late', status: 'failed', cost_estimate: 0, tokens_used: 0 },
        { agent_name: 'slow', status: 'success' },
      ]);
      expect(body.result.error).toMatch(
        /^agent late: the daily cost limit does not cover this call/,
      );
      const calls = completions(fixture.vendors, person.userId);
      expect(calls).toHaveLength(2); // neither `late` nor `last` was asked for
      expect(await chargedTo(fixture.product, person)).toBe(billOf(calls));

      const refused = await person.ask('POST', '/pipelines/execute', { design: SPENDING });
      expect(refused.status).toBe(429);
      expect(refused.body.detail).toMatch(/cost limit.*\$1\.20\/\$1\.00/i);
      const usage = await person.ask('GET', '/auth/me/usage');
      expect(usage.body).toMatchObject({ daily_limit: 1, remaining: 0, is_unlimited: false });

      const chat = await person.chat(await person.startConversation());
      const presented = await chat.say('Compare three podcast apps by price and write a report');
      expect(presented).toMatchObject({ type: 'designs_presented' }); // by rules
      const error = await chat.say('ok, take option 2');
      expect(error).toMatchObject({ type: 'error', state: 'plan' });
      expect(error['content']).toContain('$1.20/$1.00');
      expect(chat.events.map(({ type }) => type)).not.toContain('plan_generated');
      expect(completions(fixture.vendors, person.userId)).toHaveLength(2);
    });

    test('a run of which no agent could be paid has failed', async () => {
      await spendDay();
      const design = { ...SPENDING, agents: [agent('dear'), agent('late')], edges: [] };
      await fixture.product.db
        .insertInto('userDailyCosts')
        .values({
          userId: person.userId,
          date: new Date().toISOString().slice(0, 10),
          totalCost: '0.999999',
          updatedAt: new Date(),
        })
        .execute();
      const { body } = await person.ask('POST', '/pipelines/execute', { design });
      expect(body).toMatchObject({ status: 'failed', result: { total_cost: 0 } });
      expect(body.result.agent_results).toMatchObject([{ agent_name: 'dear', status: 'failed' }]);
      expect(completions(fixture.vendors, person.userId)).toEqual([]);
    });
  });
});

describe("where the server's keys pay for users without own ones", () => {
  const SERVER_KEYS = { openai: 'sk-server-openai', anthropic: 'sk-server-anthropic' };
  let fixture: VendorProduct;
  beforeAll(async () => {
    fixture = await startVendorProduct({
      env: {
        OPENAI_API_KEY: SERVER_KEYS.openai,
        ANTHROPIC_API_KEY: SERVER_KEYS.anthropic,
        DEFAULT_LLM_PROVIDER: 'google', // has no key, so it is not asked
      },
    });
  });
  beforeEach(() => {
    fixture.vendors.clear();
  });
  afterAll(() => fixture.close());

  test('a discussion and its run are answered by the vendors, and charged to the user', async () => {
    const person = await register(fixture.product.url);
    const chat = await person.chat(await person.startConversation());
    await chat.say(REQUEST.English);
    const answer = await chat.say('ok, take option 2');
    expect(answer['result']).toMatchObject({ status: 'completed' });
    const calls = completions(fixture.vendors);
    expect(calls.map(({ vendor }) => vendor).toSorted()).toEqual([
      ...['anthropic', 'anthropic'],
      ...['openai', 'openai', 'openai', 'openai'], // the discussion, gpt-4o, and gemini's stand-in
    ]);
    expect(calls.every(({ vendor, key }) => key === Reflect.get(SERVER_KEYS, vendor))).toBe(true);
    expect(await chargedTo(fixture.product, person)).toBe(billOf(calls));
  });

  test("a user's own key wins, even where the server has keys of other vendors", async () => {
    const person = await register(fixture.product.url);
    const keys = await registerKeys(person, ['google']);
    const answer = await person.ask('POST', '/pipelines/execute', { design: DESIGN });
    expect(answer.body.status).toBe('completed');
    const calls = completions(fixture.vendors);
    expect(calls.map(({ key }) => key)).toEqual([keys.google, keys.google]);
    const [listed] = (await person.ask('GET', '/llm-keys')).body;
    expect(listed.last_used_at).toMatch(/^\d{4}-.*Z$/);
  });

  test('of several keys only the one that paid is used; a refused one is not valid until it is checked', async () => {
    const person = await register(fixture.product.url);
    await registerKeys(person, ['google', 'openai']);
    const listed = async (provider: string) =>
      (await person.ask('GET', '/llm-keys')).body.find((key: any) => key.provider === provider);
    const design = { ...DESIGN, agents: [{ ...DESIGN.agents[0], llm_model: 'gpt-4o-mini' }] };
    expect((await person.ask('POST', '/pipelines/execute', { design })).body.status).toBe(
      'completed',
    );
    await until('the use is noted', async () => (await listed('openai')).last_used_at !== null);
    expect((await listed('google')).last_used_at).toBeNull();
    fixture.vendors.setBehaviour({ kind: 'status', status: 401 });
    const refused = await person.ask('POST', '/pipelines/execute', { design });
    expect(refused.body.result.agent_results[0].error).toContain('refused');
    fixture.vendors.setBehaviour();
    await until('it is shown', async () => (await listed('openai')).is_valid === false);
    expect((await listed('google')).is_valid).toBe(true);
    const { id } = await listed('openai');
    expect((await person.ask('POST', `/llm-keys/${id}/validate`)).body.is_valid).toBe(true);
    expect((await listed('openai')).is_valid).toBe(true);
  });
});
