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

/**
 * @param body looked at only where the server names no type
 * @returns null for what is not collected from such a source
 */
export function contentTypeOf(
  header: string,
  source: SourceType,
  body: Uint8Array = new Uint8Array(),
): ContentType | null {
  const { mediaType, charset } = lastTypeIn(header) ?? {
    mediaType: sniffedType(body),
    charset: null,
  };
  const kind = KINDS[mediaType] ?? kindBySuffix(mediaType);
  return kind === null || !EXPECTED[source].includes(kind) ? null : { kind, mediaType, charset };
}

/** Source: Fetch, "extract a MIME type": of a repeated header the last one that can be read counts. */
function lastTypeIn(header: string): Pick<ContentType, 'mediaType' | 'charset'> | null {
  const types = header.split(',').map(typeIn);
  const last = types.findLast(({ mediaType }) => isType(mediaType));
  if (last === undefined) {
    return null;
  }
  const { mediaType } = last;
  const named = types.findLast((it) => it.mediaType === mediaType && it.charset !== null);
  return { mediaType, charset: named?.charset ?? null };
}

function typeIn(value: string): Pick<ContentType, 'mediaType' | 'charset'> {
  const [first = '', ...parameters] = value.split(';').map((part) => part.trim());
  const named = parameters.find((parameter) => /^charset\s*=/i.test(parameter)) ?? '';
  const charset = named
    .replace(/^charset\s*=\s*/i, '')
    .replace(/["']/g, '')
    .trim();
  return { mediaType: first.toLowerCase(), charset: charset === '' ? null : charset };
}

function isType(mediaType: string): boolean {
  return /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(mediaType) && !SAYS_NOTHING.includes(mediaType);
}

const SAYS_NOTHING = ['unknown/unknown', 'application/unknown'];
const SNIFFED_BYTES = 1_024;

/** Source: MIME Sniffing §7.1, as far as it tells what is collected. */
function sniffedType(body: Uint8Array): string {
  const head = Buffer.from(body.subarray(0, SNIFFED_BYTES)).toString('latin1');
  const isWide = /^(?:\u00FF\u00FE|\u00FE\u00FF)/.test(head);
  const text = head
    .replaceAll('\u0000', '')
    .replace(/^[\u00EF\u00BB\u00BF\u00FE\u00FF\s]{0,100}/, '');
  if (text.startsWith('%PDF-')) {
    return 'application/pdf';
  }
  if (text.startsWith('<?xml')) {
    return 'application/xml';
  }
  if (
    /^<(?:!doctype html|!--|html|head|body|title|meta|script|style|table|div|h1|p|a|br|b)[\s>]/i.test(
      text,
    )
  ) {
    return 'text/html';
  }
  const isBinary = /[\u0000-\u0008\u000B\u000E-\u001A\u001C-\u001F]/.test(head);
  return isBinary && !isWide ? 'application/octet-stream' : 'text/plain';
}

/** Source: RFC 6838 §4.2.8: `application/feed+json`, `application/atom+xml`. */
function kindBySuffix(mediaType: string): ContentKind | null {
  const [, suffix] = /^application\/[\w.-]+\+(json|xml)$/.exec(mediaType) ?? [];
  return suffix === undefined ? null : suffix === 'xml' ? 'xml' : 'text';
}
