/**
 * Bytes of UTF-8. Source: docs.temporal.io, "Enriching the User Interface": 200 bytes; what is kept
 * is JSON, sealed, which adds some seventy.
 */
const MAX_SUMMARY_BYTES = 120;

/** A text as the one line that the Temporal Web UI shows beside a workflow, an activity or a timer. */
export function summaryOf(text: string): string {
  let bytes = 0;
  let summary = '';
  for (const letter of text.replaceAll(/[\s"\\]+/g, ' ')) {
    bytes += bytesOf(letter);
    if (bytes > MAX_SUMMARY_BYTES) {
      return `${summary.trimEnd()}…`;
    }
    summary += letter;
  }
  return summary;
}

const LAST_OF_ONE_BYTE = 0x7f;
const LAST_OF_TWO_BYTES = 0x7_ff;
const LAST_OF_THREE_BYTES = 0xff_ff;

function bytesOf(letter: string): number {
  const code = letter.codePointAt(0) ?? 0;
  if (code <= LAST_OF_ONE_BYTE) {
    return 1;
  }
  if (code <= LAST_OF_TWO_BYTES) {
    return 2;
  }
  return code <= LAST_OF_THREE_BYTES ? 3 : 4;
}
