import fc from 'fast-check';

/** Any UTF-16, lone surrogates too; fast-check's own `binary` has none, and takes a second to make. */
export const anyText = fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) });
