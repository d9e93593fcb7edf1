const OPENING = '<think>';
const CLOSING = '</think>';

/** The answer without the thoughts that some models write before it. */
export function withoutThoughts(text: string): string {
  const start = text.trimStart();
  const end = start.startsWith(OPENING) ? start.indexOf(CLOSING) : -1;
  return end === -1 ? text : start.slice(end + CLOSING.length).trimStart();
}

/** Whether a model answered at all: thoughts, ended or cut, are no answer. */
export function hasAnswer(text: string): boolean {
  const answer = withoutThoughts(text).trim();
  return answer !== '' && !answer.startsWith(OPENING);
}
