import fc from 'fast-check';
import { genericQuestion, intentByRules, unparsableIntent } from '../../domain/intents.js';
import { MAX_URLS, urlsIn } from '../../domain/source-urls.js';
import { anyText } from '../support/texts.js';

const TASKS: [string, string[]][] = [
  ['sentiment_analysis', ['감성', '감정', 'sentiment', '리뷰 분석']],
  ['data_collection', ['수집', '크롤링', 'crawl', 'scrape', '긁어']],
  ['comparison', ['비교', 'compare', 'vs']],
  ['report_generation', ['리포트', '보고서', 'report']],
  ['translation', ['번역', 'translate']],
  ['summarization', ['요약', 'summarize']],
];
const SOURCES: [string, string[]][] = [
  ['web_reviews', ['네이버', 'naver', 'url', 'http', '웹', '사이트', 'web']],
  ['pdf', ['pdf']],
  ['file', ['csv', 'excel', '엑셀', '파일']],
  ['api', ['api']],
];
const OUTPUTS: [string, string[]][] = [
  ['report', ['리포트', '보고서', 'report']],
  ['table', ['표', 'table', '테이블']],
  ['chart', ['차트', 'chart', '그래프']],
  ['json', ['json']],
];

function rows(table: [string, string[]][]): [string, string][] {
  return table.flatMap(([result, words]) => words.map((word): [string, string] => [word, result]));
}

test.each(rows(TASKS))('"%s" means the task %s', (word, task) => {
  const intent = intentByRules(`X ${word.toUpperCase()} y`, 'ko');
  expect(intent).toMatchObject({ task, confidence: 0.7, needs_clarification: false });
  expect(intent.clarification_questions).toEqual([]);
});

test.each(rows(SOURCES))('"%s" means the source %s', (word, source) => {
  expect(intentByRules(`X ${word.toUpperCase()} y`, 'ko').source_type).toBe(source);
});

test.each(rows(OUTPUTS))('"%s" means the output %s', (word, output) => {
  expect(intentByRules(`X ${word.toUpperCase()} y`, 'ko').output_format).toBe(output);
});

test.each([TASKS, SOURCES, OUTPUTS])(
  'an earlier row of a group wins over a later one',
  (...table) => {
    const fieldOf = { 6: 'task', 4: table[0]?.[0] === 'report' ? 'output_format' : 'source_type' };
    const field = (fieldOf as Record<number, 'task' | 'source_type' | 'output_format'>)[
      table.length
    ];
    table.forEach(([result, words], at) => {
      const later = table.slice(at + 1).flatMap(([, others]) => others);
      const text = [...later, words[0]].join(' ');
      expect(intentByRules(text, 'ko')[field ?? 'task']).toBe(result);
    });
  },
);

test('a request that fits no row asks the one question, in the language of the user', () => {
  for (const language of ['ko', 'en'] as const) {
    expect(intentByRules('hello there', language)).toMatchObject({
      task: 'custom',
      source_type: 'none',
      source_hints: [],
      output_format: 'text',
      needs_clarification: true,
      clarification_questions: [genericQuestion(language)],
      confidence: 0.3,
      estimated_complexity: 'simple',
    });
  }
  expect(genericQuestion('ko')).toMatch(/어떤 작업/);
  expect(genericQuestion('en')).toMatch(/which work/i);
});

test.each([
  ['summarize', 'simple'],
  [`summarize ${'w '.repeat(19)}`, 'simple'],
  [`summarize ${'w '.repeat(20)}`, 'standard'],
  [`summarize ${'w '.repeat(49)}`, 'standard'],
  [`summarize ${'w '.repeat(50)}`, 'complex'],
  ['write a report', 'standard'],
  ['crawl it', 'standard'],
  [`crawl ${'w '.repeat(50)}`, 'complex'],
  ['compare', 'complex'],
  ['', 'simple'],
])('the complexity of "%s" is %s', (text, complexity) => {
  expect(intentByRules(text, 'en').estimated_complexity).toBe(complexity);
});

test('the summary names the task and the first 50 characters', () => {
  const intent = intentByRules(`요약 ${'가'.repeat(100)}`, 'ko');
  expect(intent.summary).toBe(`[패턴 매칭] summarization: 요약 ${'가'.repeat(47)}`);
});

test('addresses follow the naver hint', () => {
  const intent = intentByRules(
    '네이버 리뷰 분석: https://shop.example/p/1, http://b.example',
    'ko',
  );
  expect(intent.source_type).toBe('web_reviews');
  expect(intent.source_hints).toEqual(['naver', 'https://shop.example/p/1', 'http://b.example']);
});

test('addresses are found without naver too', () => {
  const intent = intentByRules('summarize https://a.example/x', 'en');
  expect(intent.source_hints).toEqual(['https://a.example/x']);
});

test('a Korean keyword typed in decomposed letters counts', () => {
  expect(intentByRules('리뷰를 요약해줘'.normalize('NFD'), 'ko').task).toBe('summarization');
});

test.each([
  ['see https://a.example/x.', ['https://a.example/x']],
  ['(https://a.example/x)', ['https://a.example/x']],
  ['https://a.example/x_(y)', ['https://a.example/x_(y)']],
  ['"https://a.example?q=1&r=2#z"', ['https://a.example?q=1&r=2#z']],
  ['https://a.example/reviews에서 수집', ['https://a.example/reviews']],
  ['https://a.example/의 리뷰', ['https://a.example/']],
  ['https://ko.example/wiki/한국', ['https://ko.example/wiki/한국']],
  ['HTTPS://A.example/X and https://b.example!', ['HTTPS://A.example/X', 'https://b.example']],
  ['https://a.example https://a.example', ['https://a.example']],
  ['www.shop.example/list 분석', ['https://www.shop.example/list']],
  ['https://www.shop.example', ['https://www.shop.example']],
  ['<https://a.example/x>', ['https://a.example/x']],
  ['[link](https://a.example/x)', ['https://a.example/x']],
  ['http:// and https://.', []],
  ['ftp://a.example and mail@www.example', []],
  [`https://a.example/${'x'.repeat(3_000)}`, []],
])('the addresses in "%s"', (text, urls) => {
  expect(urlsIn(text)).toEqual(urls);
});

test('a request hands over a bounded number of addresses', () => {
  const text = Array.from({ length: 100 }, (_, at) => `https://a.example/${at}`).join(' ');
  expect(urlsIn(text)).toHaveLength(MAX_URLS);
});

test('an endless address is passed over in linear time', () => {
  const started = performance.now();
  expect(urlsIn(`https://a.example/x${')'.repeat(1_000_000)}`)).toEqual([]);
  expect(performance.now() - started).toBeLessThan(10_000);
});

test('what a model answers unreadably becomes a question', () => {
  expect(unparsableIntent('en')).toMatchObject({
    task: 'custom',
    confidence: 0.1,
    needs_clarification: true,
    clarification_questions: [genericQuestion('en')],
  });
});

test('any text becomes an intent whose question is asked exactly for custom', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const intent = intentByRules(text, 'en');
      expect(intent.needs_clarification).toBe(intent.task === 'custom');
      expect(intent.clarification_questions).toHaveLength(intent.task === 'custom' ? 1 : 0);
    }),
  );
});
