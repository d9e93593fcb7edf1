/** As many addresses as one request may hand to a collector. */
export const MAX_URLS = 20;

/** Browsers' and servers' common limit, in characters. */
export const MAX_URL_LENGTH = 2_048;

/** Besides them: what no address holds unless it is escaped, as quotes and brackets of texts. */
const URL_START =
  /(?:https?:\/\/|(?<![\p{L}\p{N}.@/-])www\.)[^\s<>"'`\\^|\u200B-\u200F\u2060\uFEFF“”‘’„«»「」『』【】〔〕〖〗《》〈〉（）［］｛｝＜＞＂＇｀，。、；：！？｡､…→⇒│\p{Extended_Pictographic}]+/giu;

/** `url1,url2`, `url1와url2`; not `web.example/save/https://…`. */
const BETWEEN_ADDRESSES = /(?:[,;·]|(?<=\p{Script=Hangul}))(?=https?:\/\/)|[,;](?=www\.)/iu;

/** The web addresses in a text, in order, without repeats, punctuation around them removed. */
export function urlsIn(text: string): readonly string[] {
  const found = Array.from(text.matchAll(URL_START), ({ 0: raw, index }) => {
    const after = text.slice(index + raw.length, index + raw.length + 3);
    return raw.split(BETWEEN_ADDRESSES).map((url, at, all) => ({
      url,
      isInSentence: at < all.length - 1 || KOREAN_WORD.test(after),
    }));
  });
  const urls = found
    .flat()
    .filter(({ url }) => url.length <= MAX_URL_LENGTH)
    .map(({ url, isInSentence }) => trimUrl(url, isInSentence));
  return [...new Set(urls.filter(isUsable))].slice(0, MAX_URLS);
}

const KOREAN_WORD = /^\s{1,2}\p{Script=Hangul}/u;
const AROUND = '.,;:!?·*_~}[(–—';

/** @param isInSentence whether Korean words follow after a space */
function trimUrl(raw: string, isInSentence: boolean): string {
  const whole = /^www\./iu.test(raw) ? `https://${raw}` : raw;
  let url = whole.slice(0, endOfAddress(whole));
  for (let before = ''; before !== url;) {
    before = url;
    let end = url.length;
    while (end > 0 && AROUND.includes(url.charAt(end - 1))) {
      end -= 1;
    }
    url = url.slice(0, end);
    url = url.slice(0, url.length - particleLength(url, isInSentence));
  }
  return url;
}

const GOES_ON = /[,;](?=\p{Script=Hangul})|(?<=[\p{L}\p{N}/])[.!](?=\p{Script=Hangul})/u;

/** Up to a bracket that was opened before the address, or to where a sentence goes on. */
function endOfAddress(url: string): number {
  const host = /^https?:\/\/[^/?#]*/iu.exec(url)?.[0].length ?? 0;
  const goesOn = url.slice(host).search(GOES_ON);
  const end = goesOn === -1 ? url.length : host + goesOn;
  let round = 0;
  let square = 0;
  for (let at = 0; at < end; at += 1) {
    round += STEPS.round[url.charAt(at)] ?? 0;
    square += STEPS.square[url.charAt(at)] ?? 0;
    if (round < 0 || square < 0) {
      return at;
    }
  }
  return end;
}

const STEPS: Readonly<Record<'round' | 'square', Readonly<Record<string, number>>>> = {
  round: { '(': 1, ')': -1 },
  square: { '[': 1, ']': -1 },
};

/** Korean writes what belongs to the sentence onto the address: `https://a.example/list에서`. */
const PARTICLES = [
  '에서부터|에서|에게서|에게|에다가|에다|에|으로부터|로부터|으로서|로서|으로써|로써|으로|로|부터|까지|의|을|를|은|는|이|가|와|과|이랑|랑|하고|도|만|그리고|또는|혹은',
  '한테서|한테|께서|께|보다|처럼|만큼|마다|마저|조차|밖에|뿐|대로|같은|같이|이라도|라도|이나|나|이든지|든지|이든|든|씩|쯤|등|및|중에서|중|안에서|안에|안|내에서|내|요',
  '입니다만|입니다|입니까|이에요|예요|이예요|에요|이야|야|이고요|이고|고|인데요|인데|이며|며|이라고|라고|이라는|라는|이란|란|이면|면|이다|다|이지만|지만|이죠|죠|이니까|니까|인가요|인|임|이네요|네요|이었어요|였어요|이었습니다|였습니다',
].join('|');
const NOUNS =
  '홈페이지|웹페이지|웹사이트|페이지|사이트|링크|주소|문서|기사|게시글|게시물|블로그|파일|글|들|쪽';
/** What shall be done with the page, written onto its address as well. */
const VERBS =
  '(?:참고|참조|요약|분석|수집|크롤링|번역|정리|비교|검토|확인|조사)(?:을|를)?(?:해|하|한|할|부탁)[가-힣]{0,6}|(?:읽|보)(?:고|아서|어서|어)|참고|관련';
const ONLY_PARTICLES = new RegExp(
  `^(?:(?:${NOUNS})(?:${PARTICLES}){0,2}|(?:${PARTICLES}){1,3}|(?:${PARTICLES})?(?:${VERBS}))$`,
  'u',
);
/** Behind Korean of the address itself only what ends no title, or hardly one. */
const PLAIN_PARTICLE =
  /(?<=\p{Script=Hangul}{2})(?:에서는|에서도|에서만|에서의|에서|으로부터|로부터|에서부터|부터|까지|이랑|처럼|하고)$/u;
const COPULA =
  /(?<=\p{Script=Hangul}{2})(?:입니다|입니다만|이에요|예요|인데요|이라는|라는|이에요|입니까|인가요)$/u;
/** Of hosts that end in Korean. Source: IANA's list of top-level domains. */
const KOREAN_TLD = /^(?:한국|닷컴|닷넷|삼성)/u;
/** More than any particle has, in decomposed letters. */
const MAX_TAIL = 60;

/** How much at the end of an address belongs to the sentence. In UTF-16 units. */
function particleLength(url: string, isInSentence: boolean): number {
  const raw = koreanEndOf(url);
  if (raw === '' || raw.length > MAX_TAIL) {
    return 0;
  }
  const run = raw.normalize('NFC');
  const before = url.charAt(url.length - raw.length - 1);
  const isHost = !/^https?:\/\/[^/?#]*[/?#]/iu.test(url);
  return rawLength(
    raw,
    isHost ? particleAtHost(run, before) : particleAtPath(run, before, isInSentence),
  );
}

function koreanEndOf(url: string): string {
  let start = url.length;
  while (start > 0 && url.length - start <= MAX_TAIL && KOREAN_LETTER.test(url.charAt(start - 1))) {
    start -= 1;
  }
  return url.slice(start);
}

const KOREAN_LETTER = /\p{Script=Hangul}/u;

/** No top-level domain is of two scripts: "com에서". */
function particleAtHost(run: string, before: string): string {
  if (before !== '.') {
    return before === '/' ? '' : run;
  }
  const rest = run.replace(KOREAN_TLD, '');
  return rest !== run && ONLY_PARTICLES.test(rest) ? rest : '';
}

function particleAtPath(run: string, before: string, isInSentence: boolean): string {
  const isAscii = /^[!-~]$/u.test(before) && !'=_+-'.includes(before);
  if (isAscii && ONLY_PARTICLES.test(run)) {
    return run;
  }
  const copula = COPULA.exec(run)?.[0];
  return copula ?? (isInSentence ? (PLAIN_PARTICLE.exec(run)?.[0] ?? '') : '');
}

/** Of the end of `raw` that is `particle` when it is composed. */
function rawLength(raw: string, particle: string): number {
  let length = particle.length;
  while (length < raw.length && raw.slice(-length).normalize('NFC') !== particle) {
    length += 1;
  }
  return particle === '' ? 0 : length;
}

function isUsable(url: string): boolean {
  return /^https?:\/\/[^/?#]*[\p{L}\p{N}]/iu.test(url);
}
