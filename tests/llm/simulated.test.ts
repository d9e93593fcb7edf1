import { checkDesigns } from '../../domain/design/rules.js';
import type { Critique, Design, Intent } from '../../domain/design/designs.js';
import type { Language } from '../../domain/text/languages.js';
import { checkGraph } from '../../domain/run/pipeline.js';
import type { AgentResult } from '../../domain/run/results.js';
import { findInjection } from '../../domain/security/sanitizer.js';
import type { Purpose } from '../../llm/model.js';
import { createSimulated } from '../../llm/providers/simulated/simulated.js';
import { parametersOf } from '../support/models.js';
import { SIMULATED_NOTE } from '../../llm/providers/simulated/purposes.js';

const simulated = createSimulated();

function ask(purpose: Purpose, maxTokens = 4_096) {
  return simulated.complete(
    {
      model: 'simulated',
      messages: [{ role: 'user', content: 'twelve chars' }],
      temperature: 1,
      maxTokens,
      parameters: parametersOf('simulated'),
      purpose,
      ...(purpose.kind === 'agent' ? {} : { answer: { name: purpose.kind, schema: {} } }),
    },
    { apiKey: '', signal: new AbortController().signal, timeoutMs: 1_000 },
  );
}

async function intentOf(request: string, language: Language): Promise<Intent> {
  const { content } = await ask({ kind: 'intent', request, language });
  return JSON.parse(content) as Intent;
}

async function designsOf(
  request: string,
  language: Language,
  feedback: readonly string[] = [],
): Promise<readonly Design[]> {
  const intent = await intentOf(request, language);
  const purpose = { kind: 'designs', request, language, intent, previous: [], feedback } as const;
  return (JSON.parse((await ask(purpose)).content) as { designs: Design[] }).designs;
}

const REQUESTS = [
  ['네이버 리뷰를 감성 분석해서 보고서로 만들어 줘', 'ko'],
  ['Compare the prices on https://shop.example/a and show a table', 'en'],
  ['이 글을 영어로 번역해 줘', 'ko'],
  ['Summarize this text for me please', 'en'],
  ['Analyze last quarter sales trends from a csv file', 'en'],
] as const;

test.each(REQUESTS)('"%s" is understood without a question', async (request, language) => {
  const intent = await intentOf(request, language);
  expect(intent).toMatchObject({ needs_clarification: false, clarification_questions: [] });
  expect(intent.task).not.toBe('custom');
  expect(intent.confidence).toBeGreaterThan(0.7);
  expect(intent.summary).toContain(language === 'ko' ? '(모의 응답)' : '(simulated)');
});

test.each([
  ['help me', 'en'],
  ['도와줘', 'ko'],
  ['report', 'en'],
  ['보고서', 'ko'],
  ['Do something nice with my stuff', 'en'],
  ['?', 'en'],
] as const)('"%s" is asked back about, in the language of the user', async (request, language) => {
  const intent = await intentOf(request, language);
  expect(intent.needs_clarification).toBe(true);
  expect(intent.clarification_questions.length).toBeGreaterThanOrEqual(1);
  expect(intent.clarification_questions.length).toBeLessThanOrEqual(3);
  const mark = language === 'ko' ? '(모의 응답)' : '(simulated)';
  expect(intent.clarification_questions[0]?.startsWith(mark)).toBe(true);
  const isKorean = /\p{Script=Hangul}/u.test(
    intent.clarification_questions.join().replace(mark, ''),
  );
  expect(isKorean).toBe(language === 'ko');
});

describe.each(REQUESTS)('for "%s"', (request, language) => {
  test('three designs that can run, exactly one recommended', async () => {
    const designs = await designsOf(request, language);
    expect(checkDesigns(designs)).toBeNull();
    expect(designs.filter(({ recommended }) => recommended)).toHaveLength(1);
    expect(designs.map((design) => checkGraph(design).kind)).toEqual(['graph', 'graph', 'graph']);
    const names = designs.map(({ name }) => name.toLowerCase());
    expect(names[0]).toContain('speed');
    expect(names[1]).toContain('quality');
    expect(names[2]).toContain('balanced');
  });

  test('the quality design has parallel branches that join', async () => {
    const edges = (await designsOf(request, language))[1]?.edges ?? [];
    const most = (end: 'source' | 'target') =>
      Math.max(...edges.map((one) => edges.filter((other) => other[end] === one[end]).length));
    expect(most('source')).toBe(2);
    expect(most('target')).toBe(2);
  });

  test('a collector is there exactly when there is a source', async () => {
    const intent = await intentOf(request, language);
    for (const design of await designsOf(request, language)) {
      const collects = design.agents.some(({ role }) => role === 'collector');
      expect(collects).toBe(intent.source_type !== 'none');
    }
  });

  test('nothing in the designs reads like an attack on the agents', async () => {
    expect(findInjection(JSON.stringify(await designsOf(request, language)))).toEqual([]);
  });

  test('the designs and their analysts say what was asked for', async () => {
    for (const design of await designsOf(request, language)) {
      expect(design.description).toContain(request);
      const workers = design.agents.filter(({ role }) => role === 'analyzer' || role === 'critic');
      expect(workers.every(({ description }) => description.includes(request))).toBe(true);
    }
  });

  test('Korean particles fit their words', async () => {
    expect(JSON.stringify(await designsOf(request, language, ['느려요']))).not.toMatch(
      /\(를\)|\(으\)|\(가\)|\(는\)/,
    );
  });

  test('the same question has the same answer', async () => {
    expect(await designsOf(request, language)).toEqual(await designsOf(request, language));
  });
});

const models = (designs: readonly Design[]) =>
  designs.flatMap(({ agents }) => agents.map(({ llm_model }) => llm_model));
const roles = (design: Design | undefined) => design?.agents.map(({ role }) => role) ?? [];

test.each([
  ['Compare two laptops in a table', 'en', 'make it cheaper'],
  ['노트북 두 대를 비교해 줘', 'ko', '더 저렴하게 해 줘'],
] as const)(
  '"%s": asked for less cost, the models get smaller',
  async (request, language, remark) => {
    const before = await designsOf(request, language);
    const after = await designsOf(request, language, [remark]);
    expect(models(before)).toContain('gpt-4o');
    expect(models(after)).not.toContain('gpt-4o');
    expect(after.find(({ recommended }) => recommended)?.name.toLowerCase()).toContain('speed');
    expect(after[0]?.description).not.toBe(before[0]?.description);
  },
);

test('asked for a validator, every design has one', async () => {
  const before = await designsOf('Compare two laptops', 'en');
  expect(roles(before[0])).not.toContain('validator');
  for (const design of await designsOf('Compare two laptops', 'en', ['please validate it'])) {
    expect(roles(design)).toContain('validator');
  }
});

test('asked for speed, steps are left out', async () => {
  const steps = (designs: readonly Design[]) => designs.flatMap(({ agents }) => agents).length;
  const before = await designsOf('Compare two laptops', 'en');
  expect(steps(await designsOf('Compare two laptops', 'en', ['faster please']))).toBeLessThan(
    steps(before),
  );
});

test('asked for quality after cheapness, the later wish wins', async () => {
  const remarks = ['make it cheaper', 'no, quality matters more'];
  const designs = await designsOf('Compare two laptops', 'en', remarks);
  expect(models(designs)).toContain('claude-sonnet-4-5');
  expect(designs[1]?.recommended).toBe(true);
});

test.each([
  ['Compare two laptops', 'en', '(simulated)'],
  ['노트북 두 대를 비교해 줘', 'ko', '(모의 응답)'],
] as const)('each design and each critique of "%s" says that it is simulated', async (...row) => {
  const [request, language, mark] = row;
  const designs = await designsOf(request, language);
  expect(designs).toHaveLength(3);
  for (const { description } of designs) {
    expect(description.startsWith(mark)).toBe(true);
  }
  const intent = await intentOf(request, language);
  const { content } = await ask({ kind: 'critiques', language, intent, designs, feedback: '' });
  const { critiques } = JSON.parse(content) as { critiques: Critique[] };
  expect(critiques).toHaveLength(3);
  for (const { recommendation } of critiques) {
    expect(recommendation.startsWith(mark)).toBe(true);
  }
});

test('any other remark is at least repeated in the designs', async () => {
  const designs = await designsOf('Compare two laptops', 'en', ['use tables from Korea']);
  expect(designs[0]?.description).toContain('use tables from Korea');
});

test.each(['ko', 'en'] as const)('each design gets a specific critique (%s)', async (language) => {
  const request = language === 'ko' ? '네이버 리뷰를 비교해 줘' : 'Compare reviews on the web';
  const designs = await designsOf(request, language);
  const intent = await intentOf(request, language);
  const feedback = language === 'ko' ? '더 싸게' : 'cheaper';
  const { content } = await ask({ kind: 'critiques', language, intent, designs, feedback });
  const { critiques } = JSON.parse(content) as { critiques: Critique[] };
  expect(critiques.map(({ design_name }) => design_name)).toEqual(designs.map(({ name }) => name));
  for (const [index, critique] of critiques.entries()) {
    expect(critique.overall_score).toBeGreaterThanOrEqual(1);
    expect(critique.overall_score).toBeLessThanOrEqual(10);
    expect(JSON.stringify(critique)).toContain(designs[index]?.agents[0]?.name);
    expect(critique.risks.join()).toContain(feedback);
  }
  expect(critiques[1]?.scalability_notes.join()).toContain('strengths_analyst, weaknesses_analyst');
});

const PRIOR: AgentResult = {
  agent_name: 'collector',
  role: 'collector',
  content: 'Seven reviews, five of them good.',
  tokens_used: 1,
  cost_estimate: 0,
  duration_seconds: 1,
  status: 'success',
  error: null,
};
const NODES = ['collector', 'analyzer', 'validator', 'synthesizer', 'reporter', 'custom'] as const;

describe.each(['ko', 'en'] as const)('in %s', (language) => {
  const agent = (node: (typeof NODES)[number], upstream = [PRIOR]): Purpose => ({
    kind: 'agent',
    language,
    node,
    agentName: 'the worker',
    agentDescription: 'counts the stars',
    designName: 'Star Design',
    designDescription: 'finds out what people like',
    upstream,
  });

  test.each(NODES)('the %s node writes its own text, labelled as simulated', async (node) => {
    const { content, usage, finish } = await ask(agent(node));
    expect(content.startsWith(SIMULATED_NOTE[language])).toBe(true);
    expect(content).toContain(
      node === 'analyzer' ? 'the worker' : node === 'custom' ? 'the worker' : 'Star Design',
    );
    expect(content.length).toBeGreaterThan(120);
    expect(findInjection(content)).toEqual([]);
    expect(usage).toEqual({ promptTokens: 3, completionTokens: Math.ceil(content.length / 4) });
    expect(finish).toBe('stop');
    expect((await ask(agent(node))).content).toBe(content);
  });

  test.each(['analyzer', 'synthesizer', 'reporter', 'custom'] as const)(
    'the %s node uses the outputs before it',
    async (node) => {
      expect((await ask(agent(node))).content).toContain('Seven reviews');
    },
  );

  test.each(NODES)('the %s node does not repeat what the user has asked for', async (node) => {
    const [own] = await designsOf('Compare "the stars" on the web', language);
    const { description: designDescription = '', agents = [] } = own ?? {};
    const agentDescription = agents.at(-1)?.description ?? '';
    expect(designDescription).toContain('the stars');
    const { content } = await ask({
      ...agent(node, []),
      designDescription,
      agentDescription,
    } as Purpose);
    expect(content).not.toContain('the stars');
  });

  test('the reporter writes Markdown with its three sections', async () => {
    const { content } = await ask(agent('reporter'));
    expect(content).toMatch(/^# /m);
    expect(content.match(/^## /gm)).toHaveLength(3);
  });

  test('the validator names an output that is missing', async () => {
    const failed = { ...PRIOR, agent_name: 'lost', status: 'failed', content: '' } as const;
    expect((await ask(agent('validator', [failed]))).content).toContain('lost');
  });

  test('the note of an earlier text is not repeated', async () => {
    const first = await ask(agent('analyzer'));
    const upstreamOutput = { ...PRIOR, content: first.content };
    const { content } = await ask(agent('synthesizer', [upstreamOutput]));
    expect(content.split(SIMULATED_NOTE[language])).toHaveLength(2);
  });
});

test('a text is cut at the token limit, as a model would', async () => {
  const reply = await ask(
    {
      kind: 'agent',
      language: 'en',
      node: 'reporter',
      agentName: 'a',
      agentDescription: 'b',
      designName: 'c',
      designDescription: 'd',
      upstream: [],
    },
    10,
  );
  expect(reply).toMatchObject({ finish: 'length', usage: { completionTokens: 10 } });
});

test('a cancelled call answers nothing', async () => {
  const asking = simulated.complete(
    {
      model: 'simulated',
      messages: [],
      temperature: 0,
      maxTokens: 1,
      parameters: parametersOf('simulated'),
      purpose: { kind: 'key-check' },
    },
    { apiKey: '', signal: AbortSignal.abort(), timeoutMs: 1 },
  );
  await expect(asking).rejects.toMatchObject({ code: 'cancelled' });
});
