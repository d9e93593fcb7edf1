import { extractText, getDocumentProxy, getMeta } from 'unpdf';

const MAX_PAGES = 200;

export async function readPdf(body: Uint8Array): Promise<{ title: string; text: string }> {
  const document = await getDocumentProxy(body, { verbosity: 0 });
  if (document.numPages > MAX_PAGES) {
    throw new Error(`more than ${MAX_PAGES} pages`);
  }
  const { info } = await getMeta(document);
  const { text } = await extractText(document, { mergePages: false });
  const title: unknown = info['Title'];
  return { title: typeof title === 'string' ? title : '', text: text.join('\n\n') };
}
