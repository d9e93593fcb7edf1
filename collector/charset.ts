import sniffEncoding from 'html-encoding-sniffer';

const BEST_GUESS = 'UTF-8';

/**
 * Bytes as text: by byte order mark, by what the server says, by what the document itself says.
 * Korean pages are often EUC-KR, and many say so only in a `<meta>`.
 */
export function decode(
  body: Uint8Array,
  { charset, contentKind }: { charset: string | null; contentKind: string },
): string {
  const options = {
    transportLayerEncodingLabel: charset ?? undefined,
    defaultEncoding: BEST_GUESS,
    xml: contentKind === 'xml', // its declaration counts
  };
  const encoding = sniffEncoding(body, options);
  return new TextDecoder(encoding).decode(body);
}
