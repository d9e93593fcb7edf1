/** Remarks in brackets, as names carry them: "Fast (속도 우선)". */
const OPENING = /[([]/g;
const CLOSING = /[)\]]/g;

interface Remark {
  readonly start: number;
  /** Behind the closing bracket. */
  readonly end: number;
}

/** From each opening bracket to the next closing one, of whichever kind; in linear time. */
function remarksIn(text: string): readonly Remark[] {
  const remarks: Remark[] = [];
  for (let at = 0; ;) {
    OPENING.lastIndex = at;
    CLOSING.lastIndex = OPENING.exec(text)?.index ?? text.length;
    const start = CLOSING.lastIndex;
    const closing = CLOSING.exec(text);
    if (closing === null) {
      return remarks;
    }
    at = closing.index + 1;
    remarks.push({ start, end: at });
  }
}

/** What stands in the brackets. */
export function remarkTextsOf(text: string): readonly string[] {
  return remarksIn(text).map(({ start, end }) => text.slice(start + 1, end - 1));
}

/** The pieces of a text between its remarks, before the first and behind the last one. */
export function piecesWithoutRemarks(text: string): readonly string[] {
  const remarks = remarksIn(text);
  const starts = [0, ...remarks.map(({ end }) => end)];
  return starts.map((start, at) => text.slice(start, remarks[at]?.start));
}
