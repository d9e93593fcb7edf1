import sniffEncoding from 'html-encoding-sniffer';
import { CrawlFailed } from './crawl-failed.js';

export interface Labelled {
  /** As the server names it; null: it does not. */
  readonly charset: string | null;
  readonly contentKind: string;
}

/** What the standard calls `euc-kr` (it is windows-949), in spellings that it does not list. */
const KOREAN_LABELS = new Set([
  ...['ms949', 'cp949', 'xcp949', 'windows949', 'xwindows949', 'win949', 'ibm949', '949', 'uhc'],
  ...['xuhc', 'euckr', 'xeuckr', 'ksc5601', 'ksc56011987', 'ksc56011989', 'ksx1001', 'korean'],
  ...['ksx10011992', 'ksx10012002', 'kscx5601', 'extendedwansung', 'wansung'],
]);
const OTHER_LABELS: Readonly<Record<string, string>> = {
  ...{ utf8mb4: 'utf-8', utf8mb3: 'utf-8', cp65001: 'utf-8', utf8n: 'utf-8', unicode: 'utf-16le' },
  ...{ cp932: 'shift_jis', cp936: 'gbk', ms936: 'gbk', cp950: 'big5', cp1252: 'windows-1252' },
};
/** Korean, Chinese and Japanese in escapes or in a table that no browser reads. */
const NOT_READ =
  /^(?:iso2022kr|csiso2022kr|iso2022cn|iso2022cnext|hzgb2312|johab|xjohab|cp1361|ms1361|windows1361|ksc56011992)$/;

const MAX_HEAD_BYTES = 4_096;
const IN_META = /<meta\b[^>]{0,500}?\bcharset\s{0,9}=\s{0,9}["']?\s{0,9}([\w:.-]{1,40})/i;
const IN_XML = /^\s{0,9}<\?xml\b[^>]{0,200}?\bencoding\s{0,9}=\s{0,9}["']([\w:.-]{1,40})/i;

/**
 * Bytes as text: by byte order mark, by what the server says, by what the document itself says, and
 * by what the bytes are. Korean pages are often EUC-KR, under many names or none.
 *
 * @throws CrawlFailed `unreadable` where much of the text would be lost
 */
export function decode(body: Uint8Array, labelled: Labelled): string {
  const text = textOf(body, labelled);
  const lost = text.split(REPLACEMENT).length - 1;
  if (lost > MAX_LOST * text.length) {
    throw new CrawlFailed('unreadable', 'the encoding of the page cannot be told');
  }
  return text.replaceAll(REPLACEMENT, '');
}

const REPLACEMENT = '\uFFFD';
/** A byte in two hundred: what browsers show as a question mark. */
const MAX_LOST = 1 / 200;

/** The same where a text is used as far as it can be read. */
export function decodeLeniently(body: Uint8Array, labelled: Labelled): string {
  try {
    return textOf(body, labelled);
  } catch {
    return new TextDecoder().decode(body);
  }
}

function textOf(body: Uint8Array, { charset, contentKind }: Labelled): string {
  const options = { defaultEncoding: 'UTF-8', xml: contentKind === 'xml' };
  const sniffed = sniffEncoding(body, options);
  if (hasByteOrderMark(body)) {
    return new TextDecoder(sniffed).decode(body);
  }
  const named = encodingOf(charset) ?? encodingOf(labelIn(body, contentKind));
  return unmarkedText(body, named ?? (sniffed === 'UTF-8' ? null : sniffed.toLowerCase()));
}

/** Servers name windows-1252 and latin1 for pages in any charset: these labels prove nothing. */
function unmarkedText(body: Uint8Array, encoding: string | null): string {
  const isSure = encoding !== null && encoding !== 'windows-1252';
  return (
    (isSure ? decodedBy(encoding, body) : null) ??
    decodedBy('utf-8', wideOrNot(body)) ??
    wideText(body) ??
    koreanText(body) ??
    bestGuess(body, encoding)
  );
}

function hasByteOrderMark([first, second, third]: Uint8Array): boolean {
  const isWide = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  return isWide || (first === 0xef && second === 0xbb && third === 0xbf);
}

/** @returns null for no label and for an unknown one @throws CrawlFailed `unreadable` */
function encodingOf(label: string | null): string | null {
  const folded = (label ?? '').toLowerCase().replace(/[^a-z\d]/g, '');
  if (NOT_READ.test(folded)) {
    throw new CrawlFailed('unreadable', `pages in the encoding ${folded} are not read`);
  }
  if (KOREAN_LABELS.has(folded)) {
    return 'euc-kr';
  }
  const wanted = OTHER_LABELS[folded] ?? label ?? '';
  try {
    return wanted === '' ? null : new TextDecoder(wanted.trim()).encoding;
  } catch {
    return null;
  }
}

/** What the document names where the standard's own look finds nothing that it knows. */
function labelIn(body: Uint8Array, contentKind: string): string | null {
  const head = Buffer.from(body.subarray(0, MAX_HEAD_BYTES)).toString('latin1');
  const declared = IN_XML.exec(head)?.[1] ?? null;
  const label =
    contentKind === 'html'
      ? (IN_META.exec(head)?.[1] ?? declared)
      : contentKind === 'xml'
        ? declared
        : null;
  return /^utf-?16/i.test(label ?? '') ? null : label; // it could not have been read
}

function decodedBy(encoding: string, body: Uint8Array | null): string | null {
  try {
    return body === null ? null : new TextDecoder(encoding, { fatal: true }).decode(body);
  } catch {
    return null;
  }
}

/** Every second byte of Latin letters is zero in UTF-16, and none in any other text. */
function wideOrNot(body: Uint8Array): Uint8Array | null {
  return endianOf(body) === null ? body : null;
}

function wideText(body: Uint8Array): string | null {
  const endian = endianOf(body);
  return endian === null ? null : decodedBy(`utf-16${endian}`, body);
}

function endianOf(body: Uint8Array): 'le' | 'be' | null {
  const head = body.subarray(0, MAX_HEAD_BYTES);
  const zeros = [0, 0];
  head.forEach((byte, at) => {
    zeros[at % 2] = (zeros[at % 2] ?? 0) + (byte === 0 ? 1 : 0);
  });
  const [even = 0, odd = 0] = zeros;
  const many = head.length / 8;
  return even > many && odd === 0 ? 'be' : odd > many && even === 0 ? 'le' : null;
}

const MIN_SYLLABLES = 0.85;
const MAX_BROKEN = 0.02;

/** Korean text is nearly all syllables; what is Chinese or Japanese would be half other signs. */
function koreanText(body: Uint8Array): string | null {
  const text = new TextDecoder('euc-kr').decode(body);
  const signs = text.match(/\P{ASCII}/gu) ?? [];
  const letters = signs.filter((sign) => /[\p{L}\uFFFD]/u.test(sign));
  const syllables = letters.filter((letter) => letter >= '가' && letter <= '힣');
  const broken = letters.filter((letter) => letter === REPLACEMENT);
  const isKorean =
    syllables.length > 0 &&
    syllables.length >= MIN_SYLLABLES * letters.length &&
    broken.length <= MAX_BROKEN * letters.length;
  return isKorean ? text : null;
}

const MAX_WESTERN = 0.15;

/** Western letters are few among ASCII; what is more is a script whose name is missing. */
function bestGuess(body: Uint8Array, encoding: string | null): string {
  const high = body.reduce((count, byte) => count + (byte > 0x7f ? 1 : 0), 0);
  const isWestern = encoding === 'windows-1252' || high <= MAX_WESTERN * body.length;
  const guess = encoding === null && isWestern ? 'windows-1252' : (encoding ?? 'utf-8');
  return new TextDecoder(guess).decode(body);
}
