/** Pages that send their reader on: `<meta http-equiv="refresh">` and the header `Refresh`. */
const MAX_HEAD_CHARACTERS = 64 * 1024;

/** What a page may be left for at once; what comes later, or again and again, is the page itself. */
const MAX_REFRESH_SECONDS = 30;

/** Where a `<meta>` sends its reader; what `noscript` says is for browsers without scripts. */
export function refreshIn(html: string): string | null {
  const head = html
    .slice(0, MAX_HEAD_CHARACTERS)
    .replace(/<!--.*?(?:-->|$)/gs, ' ')
    .replace(/<noscript\b.*?(?:<\/noscript|$)/gis, ' ');
  for (const [tag] of head.matchAll(/<meta\b[^>]{0,2000}>/gi)) {
    if (/\bhttp-equiv\s{0,9}=\s{0,9}["']?\s{0,9}refresh\b/i.test(tag)) {
      const quoted = /\bcontent\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s>"']+))/i.exec(tag);
      const content = quoted?.[1] ?? quoted?.[2] ?? quoted?.[3] ?? '';
      return refreshTarget(content.replaceAll('&amp;', '&'));
    }
  }
  return null;
}

/** Of "0; url=/next", as a header and a `<meta>` have it. */
export function refreshTarget(content: string): string | null {
  const [, seconds = '', rest = ''] =
    /^\s{0,9}(\d{0,6})(?:\.\d{0,6})?\s{0,9}[;,]?\s{0,9}(.*)$/s.exec(content.slice(0, 4_096)) ?? [];
  const target = rest.replace(/^url\s{0,9}=\s{0,9}/i, '').trim();
  const bare = /^(["'])(.*?)(?:\1|$)/s.exec(target)?.[2] ?? target;
  return bare === '' || Number(seconds) > MAX_REFRESH_SECONDS ? null : bare;
}
