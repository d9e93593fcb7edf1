/** Sources that were to be read and could not be: why, in words of ours only. */
import type { CollectorProblem } from './texts.js';
import { CRAWL_FAILURES, crawlFailureIn } from './crawl-failures.js';
import type { Language } from '../text/languages.js';
import { previewOf } from '../text/previews.js';

/** What the collector names, and what else keeps a source from being read. */
export const UNREAD_REASONS = [
  ...CRAWL_FAILURES,
  'collector-status',
  'collector-timeout',
  'collector-unreadable',
  'collector-unreachable',
  'not-collected',
] as const;

export type UnreadReason = (typeof UNREAD_REASONS)[number];

export interface UnreadSource {
  readonly url: string;
  readonly code: UnreadReason;
  /** Of the page, or of the collector for `collector-status`. */
  readonly http_status?: number;
}

/** Longest part of an address that is shown. */
const MAX_URL_CHARACTERS = 300;

export function unreadSource(url: string, problem: CollectorProblem): UnreadSource {
  const told = previewOf(url, MAX_URL_CHARACTERS);
  switch (problem.kind) {
    case 'blocked':
      return { url: told, code: codeOfRefusal(problem.reason) };
    case 'timeout':
      return { url: told, code: 'collector-timeout' };
    case 'status':
      return problem.refusal === undefined
        ? { url: told, code: 'collector-status', http_status: problem.status }
        : { url: told, code: problem.refusal };
    case 'failed': {
      const status = pageStatusIn(problem.reason);
      const unnamed = status === null ? 'not-collected' : 'page-status';
      const code = crawlFailureIn(problem.reason) ?? unnamed;
      return { url: told, code, ...(status === null ? {} : { http_status: status }) };
    }
    case 'unreadable':
      return { url: told, code: 'collector-unreadable' };
    case 'unreachable':
      return { url: told, code: 'collector-unreachable' };
  }
}

/** A collector that names no reason has asked for robots.txt: nothing else is checked there. */
function codeOfRefusal(reason: string): UnreadReason {
  const named = crawlFailureIn(reason);
  if (named !== null) {
    return named;
  }
  return reason.trim() === '' || reason.toLowerCase().includes('robots')
    ? 'disallowed-by-robots'
    : 'refused-address';
}

function pageStatusIn(reason: string): number | null {
  const [, status] = /\bHTTP (?:status )?(\d{3})\b/.exec(reason) ?? [];
  return status === undefined ? null : Number(status);
}

/** As `https://…: not read, because …`. */
export function unreadText(source: UnreadSource, language: Language): string {
  const text = TEXTS[source.code][language];
  return `${source.url}: ${text.replace('{status}', () => String(source.http_status ?? '?'))}`;
}

type Texts = Readonly<Record<Language, string>>;

const TEXTS: Readonly<Record<UnreadReason, Texts>> = {
  'refused-address': {
    en: 'not read, because the address is refused (private, or not for web pages)',
    ko: '접근이 거부된 주소라 읽지 못했습니다 (사설 주소이거나 웹 페이지용이 아님)',
  },
  'disallowed-by-robots': {
    en: 'not read, because its robots.txt does not allow it',
    ko: 'robots.txt가 허용하지 않아 읽지 못했습니다',
  },
  'page-status': {
    en: 'not read, because it answered with HTTP status {status}',
    ko: 'HTTP 상태 {status}(으)로 응답하여 읽지 못했습니다',
  },
  'page-unavailable': {
    en: 'not read, because it answered with HTTP status {status}',
    ko: 'HTTP 상태 {status}(으)로 응답하여 읽지 못했습니다',
  },
  unresolvable: {
    en: 'not read, because its name has no address: no answer',
    ko: '이름에 해당하는 주소가 없어 읽지 못했습니다 (응답 없음)',
  },
  'connection-failed': {
    en: 'not read, because it gave no answer',
    ko: '응답이 없어 읽지 못했습니다',
  },
  timeout: {
    en: 'not read, because it gave no answer in time',
    ko: '제시간에 응답이 없어 읽지 못했습니다',
  },
  'tls-failed': {
    en: 'not read, because it offers no connection that is secure',
    ko: '안전한 연결을 맺을 수 없어 읽지 못했습니다',
  },
  'bad-redirect': {
    en: 'not read, because its redirect cannot be followed',
    ko: '리디렉션을 따라갈 수 없어 읽지 못했습니다',
  },
  'content-type': {
    en: 'not read, because it is of a type that cannot be read',
    ko: '읽을 수 없는 형식이라 읽지 못했습니다',
  },
  'too-large': { en: 'not read, because it is too large', ko: '너무 커서 읽지 못했습니다' },
  unreadable: {
    en: 'not read, because its content cannot be read',
    ko: '내용을 해석할 수 없어 읽지 못했습니다',
  },
  'no-text': { en: 'not read, because it holds no text', ko: '텍스트가 없어 읽지 못했습니다' },
  interrupted: {
    en: 'not read, because the data collector was interrupted',
    ko: '데이터 수집기가 중단되어 읽지 못했습니다',
  },
  'collector-status': {
    en: 'not read, because the data collector answered with HTTP status {status}',
    ko: '데이터 수집기가 HTTP 상태 {status}(으)로 응답하여 읽지 못했습니다',
  },
  'collector-timeout': {
    en: 'not read, because the data collector gave no answer in time',
    ko: '데이터 수집기가 제시간에 응답하지 않아 읽지 못했습니다',
  },
  'collector-unreadable': {
    en: "not read, because the data collector's answer cannot be read",
    ko: '데이터 수집기의 응답을 해석할 수 없어 읽지 못했습니다',
  },
  'collector-unreachable': {
    en: 'not read, because the data collector could not be reached',
    ko: '데이터 수집기에 연결할 수 없어 읽지 못했습니다',
  },
  'not-collected': {
    en: 'not read, because it could not be collected',
    ko: '수집하지 못했습니다',
  },
};
