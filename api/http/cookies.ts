/** @param header `Cookie` of a request @returns its pairs, `name=value` each */
export function cookiePairsOf(header: string): readonly string[] {
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '');
}
