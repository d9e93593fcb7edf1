/** HTML that is safe by construction: what is put into a template is escaped, unless it is HTML. */
export interface Html {
  readonly html: string;
}

type Part = string | number | Html | readonly Html[];

export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const written = texts.map((text, at) => text + textOf(parts[at] ?? ''));
  return { html: written.join('') };
}

export const nothing: Html = { html: '' };

export function joined(items: readonly Html[], between: string): Html {
  return { html: items.map((item) => item.html).join(escapeHtml(between)) };
}

/** For text that is no template, such as a style sheet of ours. */
export function trusted(text: string): Html {
  return { html: text };
}

function textOf(part: Part): string {
  if (typeof part === 'string' || typeof part === 'number') {
    return escapeHtml(String(part));
  }
  return 'html' in part ? part.html : part.map((item) => item.html).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
}
