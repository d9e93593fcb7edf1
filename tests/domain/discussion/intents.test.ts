import fc from 'fast-check';
import {
  genericQuestion,
  intentByRules,
  unparsableIntent,
} from '../../../domain/discussion/intents.js';
import { MAX_URLS, urlsIn } from '../../../domain/collector/source-urls.js';
import { anyText } from '../../support/texts.js';

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

const PLAIN = 'https://example.com/plain';
const OTHER = 'https://example.org/other?x=1';

test.each<readonly [text: string, urls: readonly string[]]>([
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
  ['https://example.com/plain에서 리뷰를 모아줘'.normalize('NFD'), [PLAIN]],
  ...[
    ...[
      '에서',
      '에서는',
      '이랑',
      '랑',
      '입니다',
      '입니다.',
      '처럼',
      '이에요!',
      '예요',
      '인데요',
      '이고,',
      '까지',
      '부터',
    ],
    ...[
      '으로부터',
      '보다',
      '만큼',
      '하고',
      '한테',
      '에게',
      '의',
      '을',
      '를',
      '은',
      '는',
      '도',
      '만',
      '마다',
      '이라는',
    ],
    ...[
      '이나',
      '라도',
      '이든',
      '에서의',
      '에서만',
      '에서부터',
      '까지는',
      '으로는',
      '페이지에서',
      '사이트의',
      '링크를',
      '그리고',
      '참고해서',
      '크롤링해줘',
      '를요약해줘',
      '읽고',
      '관련',
      '😀',
      '—',
    ],
  ].flatMap((ending) => [
    [`${PLAIN}${ending} 리뷰를 모아줘`, [PLAIN]] as const,
    [`리뷰는 ${PLAIN}${ending}`.normalize('NFD'), [PLAIN]] as const,
    [`https://example.com${ending} 요약`, ['https://example.com']] as const,
    [`https://example.com/${ending} 요약`, ['https://example.com/']] as const,
  ]),
  [`${PLAIN},${OTHER}`, [PLAIN, OTHER]],
  [`${PLAIN};${OTHER}`, [PLAIN, OTHER]],
  [`${PLAIN}|${OTHER}`, [PLAIN, OTHER]],
  [`${PLAIN}、${OTHER}`, [PLAIN, OTHER]],
  [`${PLAIN}·${OTHER}`, [PLAIN, OTHER]],
  [`${PLAIN}.그리고 요약`, [PLAIN]],
  [`${PLAIN}그리고${OTHER}`, [PLAIN, OTHER]],
  [`😀${PLAIN}😀`, [PLAIN]],
  [`${PLAIN}，${OTHER}。`, [PLAIN, OTHER]],
  [`${PLAIN}와${OTHER}를 비교`, [PLAIN, OTHER]],
  [`${PLAIN}이랑 ${OTHER}이랑`, [PLAIN, OTHER]],
  [`${PLAIN},www.example.org`, [PLAIN, 'https://www.example.org']],
  [`（${PLAIN}）`, [PLAIN]],
  [`（${PLAIN}）에서`, [PLAIN]],
  [`【${PLAIN}】`, [PLAIN]],
  [`「${PLAIN}」와 『${OTHER}』`, [PLAIN, OTHER]],
  [`《${PLAIN}》`, [PLAIN]],
  [`“${PLAIN}”에서`, [PLAIN]],
  [`'${PLAIN}'을`, [PLAIN]],
  [`[리뷰](${PLAIN})에서 모아줘`, [PLAIN]],
  [`[리뷰](${PLAIN}).`, [PLAIN]],
  [`(${PLAIN})는`, [PLAIN]],
  [`(${PLAIN}에서)`, [PLAIN]],
  [`[${PLAIN}]`, [PLAIN]],
  [`**${PLAIN}**`, [PLAIN]],
  [`${PLAIN}...`, [PLAIN]],
  [`${PLAIN}…`, [PLAIN]],
  [`${PLAIN}。`, [PLAIN]],
  [`${PLAIN}！`, [PLAIN]],
  [`${PLAIN}？`, [PLAIN]],
  [`주소：${PLAIN}；`, [PLAIN]],
  [`${PLAIN}\u200b에서`, [PLAIN]],
  [`${PLAIN}\u3000요약`, [PLAIN]],
  [`${PLAIN}에서,리뷰를 모아줘`, [PLAIN]],
  [`${PLAIN}입니다.요약해 주세요`, [PLAIN]],
  ['https://ko.example/위키/서울', ['https://ko.example/위키/서울']],
  ['https://ko.example/위키/서울 요약', ['https://ko.example/위키/서울']],
  ['https://ko.example/위키/서울에서 모아줘', ['https://ko.example/위키/서울']],
  ['https://ko.example/위키/서울입니다', ['https://ko.example/위키/서울']],
  ['https://ko.example/위키/광야에서', ['https://ko.example/위키/광야에서']],
  ['https://ko.example/위키/고양이 요약', ['https://ko.example/위키/고양이']],
  [
    'https://ko.example/위키/%EC%84%9C%EC%9A%B8에서',
    ['https://ko.example/위키/%EC%84%9C%EC%9A%B8'],
  ],
  ['https://ko.example/위키/서울_(도시)', ['https://ko.example/위키/서울_(도시)']],
  ['https://ko.example/검색?q=은 요약', ['https://ko.example/검색?q=은']],
  ['https://예시.한국에서 모아줘', ['https://예시.한국']],
  ['https://예시.한국/목록', ['https://예시.한국/목록']],
  [
    'https://web.example/save/https://a.example/x',
    ['https://web.example/save/https://a.example/x'],
  ],
  ['https://a.example/map/@37.5,127.0,15z', ['https://a.example/map/@37.5,127.0,15z']],
  ['http://[2001:db8::1]:8080/x에서', ['http://[2001:db8::1]:8080/x']],
  ['https://a.example/x?a[]=1&b=(2)', ['https://a.example/x?a[]=1&b=(2)']],
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
