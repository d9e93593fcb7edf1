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

function trimUrl(raw: string): string {
  const address = /^www\./iu.test(raw) ? `https://${raw}` : raw;
  let url = address;
  for (let before = ''; before !== url;) {
    before = url;
    url = url.replace(/[.,;:!?…。、·*_~|}\]]+$/u, '').replace(PARTICLE, '');
    if (url.endsWith(')') && !url.includes('(')) {
      url = url.slice(0, -1);
    }
  }
  return url;
}

/** Also bounds the time that trimming takes. */
function isShort(url: string): boolean {
  return url.length <= MAX_URL_LENGTH;
}

function isUsable(url: string): boolean {
  return /^https?:\/\/[^/?#]*[\p{L}\p{N}]/iu.test(url);
}
