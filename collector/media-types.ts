/** Which contents are collected, by what their server calls them. */
import type { SourceType } from './collection.js';

export type ContentKind = 'html' | 'xml' | 'text' | 'pdf';

export interface ContentType {
  readonly kind: ContentKind;
  readonly mediaType: string;
  /** As the server names it; null: it does not. */
  readonly charset: string | null;
}

const KINDS: Readonly<Record<string, ContentKind>> = {
  'text/html': 'html',
  'application/xhtml+xml': 'html',
  'text/xml': 'xml',
  'application/xml': 'xml',
  'text/plain': 'text',
  'text/markdown': 'text',
  'text/csv': 'text',
  'text/tab-separated-values': 'text',
  'application/json': 'text',
  'application/x-ndjson': 'text',
  'application/yaml': 'text',
  'application/pdf': 'pdf',
};

const READABLE: readonly ContentKind[] = ['html', 'xml', 'text'];
/** What each kind of source may turn out to be. */
const EXPECTED: Readonly<Record<SourceType, readonly ContentKind[]>> = {
  web: READABLE,
  api: READABLE,
  pdf: ['pdf'],
  file: [...READABLE, 'pdf'],
};

/** What is asked for, for the sake of servers that can choose. */
export const ACCEPT: Readonly<Record<SourceType, string>> = {
  web: 'text/html,application/xhtml+xml,application/xml;q=0.9,text/*;q=0.8,application/json;q=0.7',
  api: 'application/json,application/xml;q=0.9,text/*;q=0.8',
  pdf: 'application/pdf',
  file: 'text/*,application/json,application/xml,application/pdf;q=0.9',
};

/** @returns null for what is not collected from such a source */
export function contentTypeOf(header: string, source: SourceType): ContentType | null {
  const [first = '', ...parameters] = header.split(';').map((part) => part.trim());
  const mediaType = first.toLowerCase();
  const kind = KINDS[mediaType] ?? kindBySuffix(mediaType);
  if (kind === null || !EXPECTED[source].includes(kind)) {
    return null;
  }
  const named = parameters.find((parameter) => /^charset=/i.test(parameter)) ?? '';
  const charset = named.replace(/^charset=/i, '').replaceAll('"', '');
  return { kind, mediaType, charset: charset === '' ? null : charset };
}

/** Source: RFC 6838 §4.2.8: `application/feed+json`, `application/atom+xml`. */
function kindBySuffix(mediaType: string): ContentKind | null {
  const [, suffix] = /^application\/[\w.-]+\+(json|xml)$/.exec(mediaType) ?? [];
  return suffix === undefined ? null : suffix === 'xml' ? 'xml' : 'text';
}
