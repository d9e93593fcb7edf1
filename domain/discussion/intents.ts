import type { Intent, TaskComplexity } from '../design/designs.js';
import type { Language } from '../text/languages.js';
import { urlsIn } from '../collector/source-urls.js';
import { READ_BY_RULES } from '../text/limits.js';

/**
 * Understands a request without a model: substring tables, the first matching row wins.
 * Source: contract, discussion §6.1.
 */
type Row = readonly [result: string, ...keywords: string[]];

const TASKS: readonly Row[] = [
  ['sentiment_analysis', '감성', '감정', 'sentiment', '리뷰 분석'],
  ['data_collection', '수집', '크롤링', 'crawl', 'scrape', '긁어'],
  ['comparison', '비교', 'compare', 'vs'],
  ['report_generation', '리포트', '보고서', 'report'],
  ['translation', '번역', 'translate'],
  ['summarization', '요약', 'summarize'],
];

const NAVER = ['네이버', 'naver'] as const;

const SOURCES: readonly Row[] = [
  ['web_reviews', ...NAVER],
  ['web_reviews', 'url', 'http', '웹', '사이트', 'web'],
  ['pdf', 'pdf'],
  ['file', 'csv', 'excel', '엑셀', '파일'],
  ['api', 'api'],
];

const OUTPUTS: readonly Row[] = [
  ['report', '리포트', '보고서', 'report'],
  ['table', '표', 'table', '테이블'],
  ['chart', '차트', 'chart', '그래프'],
  ['json', 'json'],
];

const GENERIC_QUESTION: Readonly<Record<Language, string>> = {
  ko: '어떤 작업을 원하세요? (예: 리뷰 감성 분석, 데이터 수집, 비교, 보고서 작성, 번역, 요약)',
  en: 'Which work do you want done? (for example: review sentiment, data collection, a comparison, a report, a translation, a summary)',
};

const SUMMARY_MARKER: Readonly<Record<Language, string>> = {
  ko: '[패턴 매칭]',
  en: '[pattern match]',
};

/** Source: contract, discussion §6.1 (derived values). */
const COMPLEX_ABOVE_WORDS = 50;
const STANDARD_ABOVE_WORDS = 20;
const SUMMARY_CHARACTERS = 50;

/** @param whole the user's own text, without any wrapper; its beginning is read */
export function intentByRules(whole: string, language: Language): Intent {
  const request = whole.slice(0, READ_BY_RULES);
  const text = request.normalize('NFC').toLowerCase();
  const task = firstMatch(TASKS, text) ?? 'custom';
  const isCustom = task === 'custom';
  const isNaver = NAVER.some((keyword) => text.includes(keyword));
  return {
    task,
    source_type: firstMatch(SOURCES, text) ?? 'none',
    source_hints: [...(isNaver ? ['naver'] : []), ...urlsIn(request)],
    output_format: firstMatch(OUTPUTS, text) ?? 'text',
    needs_clarification: isCustom,
    clarification_questions: isCustom ? [genericQuestion(language)] : [],
    confidence: isCustom ? 0.3 : 0.7,
    estimated_complexity: complexityOf(task, request),
    summary: `${SUMMARY_MARKER[language]} ${task}: ${excerptOf(request)}`,
  };
}

/** The one question that is asked when nothing is known about the request. */
export function genericQuestion(language: Language): string {
  return GENERIC_QUESTION[language];
}

/** What is known after a model's answer that cannot be read. Source: contract, discussion §6. */
export function unparsableIntent(language: Language): Intent {
  return {
    task: 'custom',
    source_type: 'none',
    source_hints: [],
    output_format: 'text',
    needs_clarification: true,
    clarification_questions: [genericQuestion(language)],
    confidence: 0.1,
    estimated_complexity: 'simple',
    summary: '',
  };
}

function firstMatch(rows: readonly Row[], text: string): string | null {
  const row = rows.find(([, ...keywords]) => keywords.some((keyword) => text.includes(keyword)));
  return row?.[0] ?? null;
}

function complexityOf(task: string, request: string): TaskComplexity {
  const words = request.split(/\s+/u).filter((word) => word !== '').length;
  if (words > COMPLEX_ABOVE_WORDS || task === 'comparison') {
    return 'complex';
  }
  const needsSteps = task === 'report_generation' || task === 'data_collection';
  return words > STANDARD_ABOVE_WORDS || needsSteps ? 'standard' : 'simple';
}

function excerptOf(request: string): string {
  return Array.from(request.trim().slice(0, SUMMARY_CHARACTERS * 2))
    .slice(0, SUMMARY_CHARACTERS)
    .join('');
}
