/** As many addresses as one request may hand to a collector. */
export const MAX_URLS = 20;

/** Browsers' and servers' common limit, in characters. */
export const MAX_URL_LENGTH = 2_048;

const URL_START = /(?:https?:\/\/|(?<![\p{L}\p{N}.@/-])www\.)[^\s<>"'`“”‘’「」]+/giu;

/** Korean writes particles onto the address: `https://a.example/list에서`. Only after an ASCII letter. */
const PARTICLE =
  /(?<=\p{ASCII})(?:에서는?|에는?|으로|로|의|을|를|은|는|이|가|와|과|랑|하고|부터|까지|도|만)$/u;

/** The web addresses in a text, in order, without repeats, punctuation around them removed. */
export function urlsIn(text: string): readonly string[] {
  const found = (text.match(URL_START) ?? []).filter(isShort).map(trimUrl).filter(isUsable);
  return [...new Set(found)].slice(0, MAX_URLS);
}

const AROUND = '.,;:!?…。、·*_~|}]';
/** The longest particle and the letter before it. */
const PARTICLE_CHARACTERS = 4;

function trimUrl(raw: string): string {
  const url = /^www\./iu.test(raw) ? `https://${raw}` : raw;
  const opening = url.indexOf('(');
  let end = url.length;
  for (let before = -1; before !== end;) {
    before = end;
    while (end > 0 && AROUND.includes(url.charAt(end - 1))) {
      end -= 1;
    }
    const tail = url.slice(Math.max(0, end - PARTICLE_CHARACTERS), end);
    end -= PARTICLE.exec(tail)?.[0].length ?? 0;
    if (url.charAt(end - 1) === ')' && (opening === -1 || opening >= end)) {
      end -= 1;
    }
  }
  return url.slice(0, end);
}

function isShort(url: string): boolean {
  return url.length <= MAX_URL_LENGTH;
}

function isUsable(url: string): boolean {
  return /^https?:\/\/[^/?#]*[\p{L}\p{N}]/iu.test(url);
}
