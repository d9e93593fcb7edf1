import { isTold, textOfAsked, type FailedAttempt } from '../../domain/run/failed-attempts.js';
import { clockOf, plain } from '../markdown.js';

/** What goes wrong, with whom, how often, and when it is tried again. */
export function failedAttemptText(failed: FailedAttempt): string {
  const { activity, node, call, attempt, code, asked, failedAtMs, nextAtMs } = failed;
  const who = plain(node ?? call ?? activity);
  const what = asked.length === 0 ? code : textOfAsked(asked);
  const later = isTold(attempt + 1) ? '' : ' Not each attempt is listed: see Pending Activities.';
  return `**${who} fails: ${plain(what)}.** Attempt ${attempt} failed at ${clockOf(failedAtMs)}, attempt ${attempt + 1} begins at ${clockOf(nextAtMs)}.${later}`;
}
