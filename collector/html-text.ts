import { compile } from 'html-to-text';

/** Beyond it no page holds anything that somebody would read. */
const MAX_HTML_CHARACTERS = 2 * 1024 * 1024;
const MAX_HEAD_CHARACTERS = 64 * 1024;
/** Of elements in each other: old pages close none. The thread's stack is made for it. */
const MAX_DEPTH = 10_000;

/** What is not the page's own text, or is not visible. */
const LEFT_OUT = [
  ...['title', 'img', 'nav', 'footer', 'noscript', 'template', 'svg', 'iframe', 'object'],
  ...['button', 'select', 'dialog', '[hidden]', '[aria-hidden="true"]'],
  ...['[style*="display:none"]', '[style*="display: none"]'],
  ...['[style*="visibility:hidden"]', '[style*="visibility: hidden"]'],
];

const HEADINGS = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'];

const toText = compile({
  wordwrap: false,
  whitespaceCharacters: ' \t\r\n\f', // a zero-width space is none: it hides in words
  limits: { maxDepth: MAX_DEPTH, ellipsis: '… [truncated]' },
  selectors: [
    ...HEADINGS.map((selector) => ({ selector, options: { uppercase: false } })),
    { selector: 'table', format: 'block' },
    { selector: 'tr', format: 'block', options: { leadingLineBreaks: 1, trailingLineBreaks: 1 } },
    ...['td', 'th'].map((selector) => ({
      selector,
      format: 'inlineSurround',
      options: { suffix: ' ' }, // cells are words of their own
    })),
    { selector: 'a', options: { ignoreHref: true } },
    ...LEFT_OUT.map((selector) => ({ selector, format: 'skip' })),
  ],
});

const toTitle = compile({
  wordwrap: false,
  baseElements: { selectors: ['title'], returnDomByDefault: false },
  limits: { maxBaseElements: 1 },
});

export function readHtml(html: string): { title: string; text: string } {
  const head = html.slice(0, MAX_HEAD_CHARACTERS);
  const end = head.search(/<\/title\s*>/i);
  return {
    title: end === -1 ? '' : toTitle(`${head.slice(0, end)}</title>`),
    text: toText(html.slice(0, MAX_HTML_CHARACTERS)),
  };
}
