import { TextDecoder } from '@exodus/bytes/encoding.js'; // Node's own knows half of Korean only
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
    throw new CrawlFailed('unreadable', 'the encoding of the page is unknown');
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
  const named = encodingOf(charset) ?? ofNarrowLetters(encodingOf(labelIn(body, contentKind)));
  return unmarkedText(body, named ?? (sniffed === 'UTF-8' ? null : sniffed.toLowerCase()));
}

/** A document that names UTF-16 in letters of one byte is not written in it. */
function ofNarrowLetters(encoding: string | null): string | null {
  return encoding?.startsWith('utf-16') === true ? null : encoding;
}

/** Servers name these for pages in any charset, and every byte is a letter of theirs: they prove nothing. */
const SINGLE_BYTE =
  /^(?:windows-(?:125\d|874)|iso-8859-\d{1,2}(?:-i)?|koi8-[ru]|ibm866|macintosh|x-mac-cyrillic)$/;

function unmarkedText(body: Uint8Array, encoding: string | null): string {
  const isSure = encoding !== null && !SINGLE_BYTE.test(encoding);
  return (
    wideText(body) ??
    (isSure ? decodedBy(encoding, body) : escapedText(body)) ??
    decodedBy('utf-8', body) ??
    koreanText(body) ??
    bestGuess(body, encoding)
  );
}

/**
 * What switches to Korean or Japanese by escapes is ASCII to anyone who does not look for these.
 *
 * @throws CrawlFailed `unreadable`
 */
function escapedText(body: Uint8Array): string | null {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (bytes.includes('\u001B$)C')) {
    return encodingOf('iso-2022-kr');
  }
  const isJapanese = bytes.includes('\u001B$B') || bytes.includes('\u001B$@');
  return isJapanese ? decodedBy('iso-2022-jp', body) : null;
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
    const { encoding } = new TextDecoder(wanted.trim());
    return encoding === 'x-user-defined' ? null : encoding; // bytes without a meaning
  } catch {
    return null;
  }
}

/** What the document names where the standard's own look finds nothing that it knows. */
function labelIn(body: Uint8Array, contentKind: string): string | null {
  const head = Buffer.from(body.subarray(0, MAX_HEAD_BYTES)).toString('latin1');
  const declared = IN_XML.exec(head)?.[1] ?? null;
  if (contentKind === 'html') {
    return IN_META.exec(head)?.[1] ?? declared;
  }
  return contentKind === 'xml' ? declared : null;
}

function decodedBy(encoding: string, body: Uint8Array): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(body);
  } catch {
    return null;
  }
}

/** Every second byte of Latin letters is zero in UTF-16, and none in any other text. */
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
  // of other letters the other byte may be zero now and then, as in 가
  return even > many && odd < even / 4 ? 'be' : odd > many && even < odd / 4 ? 'le' : null;
}

const MIN_SYLLABLES = 0.85;
const MIN_COMMON = 0.7;
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
    countCommon(body) >= MIN_COMMON * letters.length &&
    broken.length <= MAX_BROKEN * letters.length;
  return isKorean ? text : null;
}

/** Syllables of KS X 1001: the rarer ones stand where other charsets have their letters. */
function countCommon(body: Uint8Array): number {
  let count = 0;
  for (let at = 0; at + 1 < body.length; at += 1) {
    const lead = body[at] ?? 0;
    const trail = body[at + 1] ?? 0;
    if (lead > 0x80) {
      at += 1;
      count += lead >= 0xb0 && lead <= 0xc8 && trail >= 0xa1 ? 1 : 0;
    }
  }
  return count;
}

const MAX_WESTERN = 0.15;

/** Western letters are few among ASCII; what is more is a script whose name is missing. */
function bestGuess(body: Uint8Array, encoding: string | null): string {
  const high = body.reduce((count, byte) => count + (byte > 0x7f ? 1 : 0), 0);
  const isWestern = encoding === 'windows-1252' || high <= MAX_WESTERN * body.length;
  const guess = encoding === null && isWestern ? 'windows-1252' : (encoding ?? 'utf-8');
  return new TextDecoder(guess).decode(body);
}
