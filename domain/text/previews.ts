/** Length of the previews that travel through histories, in UTF-16 units. */
export const PREVIEW_CHARACTERS = 200;

/** The beginning of a text; never half of a surrogate pair. */
export function previewOf(text: string, maxCharacters = PREVIEW_CHARACTERS): string {
  return text.slice(0, maxCharacters).replace(/[\uD800-\uDBFF]$/, '');
}
