import { critiquesByRules } from '../../../domain/discussion/critique-rules.js';
import { designsByRules } from '../../../domain/design/rules.js';
import { intentByRules } from '../../../domain/discussion/intents.js';
import { isKept, messageText, type KeptEvent } from '../../../domain/discussion/message-texts.js';

const intent = intentByRules('compare three podcast apps by price', 'en');

function presented(language: 'en' | 'ko'): KeptEvent {
  const designs = designsByRules(intent, language);
  return { type: 'designs_presented', content: 'Lead.', designs, state: 'debate', round: 1 };
}

function criticised(language: 'en' | 'ko'): KeptEvent {
  const critiques = critiquesByRules(designsByRules(intent, language), intent, language);
  return { type: 'critique_complete', content: 'Lead.', critiques, state: 'refine', round: 1 };
}

test('questions are numbered below the lead', () => {
  const event: KeptEvent = {
    type: 'clarification',
    content: '몇 가지 질문이 있어요.',
    questions: ['무엇을?', '언제\n까지?'],
    partial_intent: { task: 'summary', confidence: 0.4 },
    state: 'understand',
  };
  expect(messageText(event, 'ko')).toBe('몇 가지 질문이 있어요.\n\n1. 무엇을?\n2. 언제 까지?');
});

test('a plan has nothing beside its text', () => {
  const { content, designs } = presented('en') as KeptEvent & { designs: any[] };
  const event: KeptEvent = {
    type: 'plan_generated',
    content,
    pipeline_id: 'x',
    selected_design: designs[0],
    state: 'plan',
    discussion_summary: { total_rounds: 1, agreements: [], preferences: {} },
  };
  expect(messageText(event, 'en')).toBe('Lead.');
});

test.each(['en', 'ko'] as const)('%s: designs with all that clients draw of them', (language) => {
  const text = messageText(presented(language), language);
  const lines = text.split('\n');
  expect(lines.slice(0, 2)).toEqual(['Lead.', '']);
  designsByRules(intent, language).forEach((design, at) => {
    const head = lines.find((line) => line.startsWith(`${at + 1}. ${design.name}`));
    expect(head?.includes('★')).toBe(design.recommended);
    const { description, estimated_cost, pros, cons, agents } = design;
    const parts = [description, estimated_cost, ...pros, ...cons, ...agents.map((a) => a.name)];
    parts.forEach((part) => {
      expect(text).toContain(part.trim());
    });
  });
  expect(lines.filter((line) => line.includes('★'))).toHaveLength(1);
});

test('levels of complexity are words of the language; others stay as they are', () => {
  expect(messageText(presented('ko'), 'ko')).toContain('   - 복잡도: 낮음');
  expect(messageText(presented('en'), 'en')).toContain('   - Complexity: low');
  const event = presented('ko') as KeptEvent & { designs: any[] };
  const odd: any = { ...event, designs: [{ ...event.designs[0], complexity: 'toString' }] };
  expect(messageText(odd, 'ko')).toContain('   - 복잡도: toString');
});

test.each(['en', 'ko'] as const)('%s: critiques with their scores and concerns', (language) => {
  const text = messageText(criticised(language), language);
  for (const critique of critiquesByRules(designsByRules(intent, language), intent, language)) {
    expect(text).toContain(`- ${critique.design_name}: ${critique.overall_score}/10`);
    [...critique.weaknesses, ...critique.risks, critique.recommendation].forEach((part) => {
      expect(text).toContain(part);
    });
  }
});

test('what holds nothing has no line', () => {
  const event = criticised('en') as KeptEvent & { critiques: any[] };
  const bare = { ...event.critiques[0], weaknesses: [' '], risks: [], recommendation: '' };
  const text = messageText({ ...event, critiques: [bare] } as KeptEvent, 'en');
  expect(text).not.toMatch(/Weaknesses|Risks|Recommendation/);
});

test('errors and warnings are not kept', () => {
  expect(isKept({ type: 'security_warning', content: 'x', safe: false })).toBe(false);
  expect(isKept(presented('en'))).toBe(true);
});
