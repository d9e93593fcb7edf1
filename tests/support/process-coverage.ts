/** Has a built process tell what it covers when it ends, where scripts/coverage.ts asks for that. */
export function processCoverage(): Readonly<Record<string, string>> {
  const directory = process.env['PROCESS_COVERAGE'];
  return directory === undefined ? {} : { NODE_V8_COVERAGE: directory };
}
