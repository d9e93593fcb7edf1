/** What users and later agents read about a collection, in the user's language. */
import type { Language } from '../text/languages.js';
import { previewOf } from '../text/previews.js';

/** Why a page could not be collected. */
export type CollectorProblem =
  | { readonly kind: 'blocked'; readonly reason: string }
  | { readonly kind: 'timeout' }
  /** The collector answered with an HTTP error status, by which it may refuse a page. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly refusal?: 'refused-address' | 'disallowed-by-robots';
    }
  /** The collector answered, but the collection has failed. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** The collector's answer could not be understood, or was too large. */
  | { readonly kind: 'unreadable' }
  /** The collector went away between two pages. */
  | { readonly kind: 'unreachable' };

export interface CollectedPage {
  readonly url: string;
  readonly items: number;
  readonly text: string;
}

/** Source: contract, pipeline §3.2. */
const MAX_PAGE_CHARACTERS = 2_000;
const MAX_REASON_CHARACTERS = 200;

export function pageText({ url, items, text }: CollectedPage, language: Language): string {
  const isCut = text.length > MAX_PAGE_CHARACTERS;
  const cut = isCut ? `${previewOf(text, MAX_PAGE_CHARACTERS)}\n… [truncated]` : text;
  const title =
    language === 'ko'
      ? `${url} 에서 ${items}개 항목 수집`
      : `Collected ${items} item(s) from ${url}`;
  return `${title}\n\n${cut}`;
}

/** Keeps the words that clients look for ("blocked", "timed out") in both languages. */
export function problemText(url: string, problem: CollectorProblem, language: Language): string {
  const said = language === 'ko' ? inKorean(problem) : inEnglish(problem);
  return `${url}: ${said}`;
}

function inEnglish(problem: CollectorProblem): string {
  switch (problem.kind) {
    case 'blocked':
      return `collection blocked: ${reasonIn(problem.reason) ?? NO_REASON.en}`;
    case 'timeout':
      return 'the data collector timed out';
    case 'status':
      return `the data collector answered with HTTP status ${problem.status}`;
    case 'failed':
      return `collection failed: ${reasonIn(problem.reason) ?? NO_REASON.en}`;
    case 'unreadable':
      return 'the answer of the data collector could not be read';
    case 'unreachable':
      return 'the data collector could not be reached';
  }
}

function inKorean(problem: CollectorProblem): string {
  switch (problem.kind) {
    case 'blocked':
      return `수집이 차단되었습니다 (blocked): ${reasonIn(problem.reason) ?? NO_REASON.ko}`;
    case 'timeout':
      return '데이터 수집기의 응답 시간이 초과되었습니다 (timed out)';
    case 'status':
      return `데이터 수집기가 HTTP 상태 ${problem.status} 로 응답했습니다`;
    case 'failed':
      return `수집에 실패했습니다 (failed): ${reasonIn(problem.reason) ?? NO_REASON.ko}`;
    case 'unreadable':
      return '데이터 수집기의 응답을 읽을 수 없습니다';
    case 'unreachable':
      return '데이터 수집기에 연결할 수 없습니다';
  }
}

const NO_REASON: Readonly<Record<Language, string>> = {
  en: 'the data collector gave no reason',
  ko: '데이터 수집기가 이유를 알려 주지 않았습니다',
};

function reasonIn(reason: string): string | null {
  const said = previewOf(reason.replace(/\s+/g, ' ').trim(), MAX_REASON_CHARACTERS);
  return said === '' ? null : said;
}

/** Says that a plan is no data: the collector was away and a model answered instead. */
export const COLLECTOR_AWAY: Readonly<Record<Language, string>> = {
  en: 'Note: the data collector could not be reached; this is a plan, no data was collected.',
  ko: '참고: 데이터 수집기에 연결할 수 없어, 수집된 데이터가 아닌 수집 계획입니다.',
};
