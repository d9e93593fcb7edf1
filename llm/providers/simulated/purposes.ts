import type { Language } from '../../../domain/text/languages.js';
import type { Purpose } from '../../model.js';

export type PurposeOf<Kind extends Purpose['kind']> = Extract<Purpose, { kind: Kind }>;

/** Stands first in every simulated agent text. */
export const SIMULATED_NOTE: Readonly<Record<Language, string>> = {
  en: '(simulated answer — no model was called)',
  ko: '(모의 응답 — 실제 모델을 호출하지 않았어요)',
};

/** The same in short, for one-line texts. */
export const SIMULATED_MARK: Readonly<Record<Language, string>> = {
  en: '(simulated)',
  ko: '(모의 응답)',
};

/** The beginning of a text on one line. */
export function excerptOf(text: string, characters: number): string {
  const line = text.replaceAll(/\s+/gu, ' ').trim();
  const letters = Array.from(line);
  return letters.length <= characters ? line : `${letters.slice(0, characters).join('')}…`;
}

type Names = Readonly<Record<Language, string>>;

const TASKS: Readonly<Record<string, Names>> = {
  sentiment_analysis: { en: 'sentiment analysis', ko: '감성 분석' },
  data_collection: { en: 'data collection', ko: '데이터 수집' },
  comparison: { en: 'comparison', ko: '비교 분석' },
  report_generation: { en: 'report writing', ko: '보고서 작성' },
  translation: { en: 'translation', ko: '번역' },
  summarization: { en: 'summary', ko: '요약' },
  classification: { en: 'classification', ko: '분류' },
  data_analysis: { en: 'data analysis', ko: '데이터 분석' },
  content_creation: { en: 'content creation', ko: '콘텐츠 작성' },
  research: { en: 'research', ko: '자료 조사' },
  monitoring: { en: 'monitoring', ko: '모니터링' },
};

const SOURCES: Readonly<Record<string, Names>> = {
  web_reviews: { en: 'web pages', ko: '웹 페이지' },
  api: { en: 'an API', ko: 'API' },
  pdf: { en: 'PDF documents', ko: 'PDF 문서' },
  file: { en: 'files', ko: '파일' },
  database: { en: 'a database', ko: '데이터베이스' },
};

const OUTPUTS: Readonly<Record<string, Names>> = {
  report: { en: 'a report', ko: '보고서' },
  table: { en: 'a table', ko: '표' },
  chart: { en: 'a chart', ko: '차트' },
  json: { en: 'JSON', ko: 'JSON' },
  text: { en: 'a text', ko: '텍스트' },
};

export function taskName(task: string, language: Language): string {
  return TASKS[task]?.[language] ?? task.replaceAll('_', ' ');
}

export function sourceName(source: string, language: Language): string {
  return SOURCES[source]?.[language] ?? source.replaceAll('_', ' ');
}

export function outputName(output: string, language: Language): string {
  return OUTPUTS[output]?.[language] ?? output;
}
