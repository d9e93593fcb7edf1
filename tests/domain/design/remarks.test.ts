import fc from 'fast-check';
import { piecesWithoutRemarks, remarkTextsOf } from '../../../domain/design/remarks.js';

/** The expression that read remarks first, and took quadratic time for opening brackets. */
const REMARK = /[([]([^)\]]*)[)\]]/gu;

test('remarks are read as they always were', () => {
  const piece = fc.constantFrom('(', ')', '[', ']', 'a', ' ', '우선', '😀');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      expect(remarkTextsOf(text)).toEqual(
        Array.from(text.matchAll(REMARK), ([, inside]) => inside),
      );
      expect(piecesWithoutRemarks(text).join('|')).toBe(text.replace(REMARK, '|'));
    }),
  );
});
