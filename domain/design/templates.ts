/** Source: contract, http §5; copies count too. */
export const MAX_TEMPLATES = 50;

/** Characters, the column's size. */
export const MAX_TEMPLATE_NAME = 255;

const FORK_MARK = ' (fork)';

/** The name of a copy; a long one is cut, so that the mark still fits. */
export function forkNameOf(name: string): string {
  const kept = Array.from(name).slice(0, MAX_TEMPLATE_NAME - FORK_MARK.length);
  return `${kept.join('')}${FORK_MARK}`;
}
