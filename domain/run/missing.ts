/** What a run's agents should have made and did not: said to people, programs and later agents. */
import { failureReason } from '../agents/failures.js';
import type { Language } from '../text/languages.js';
import { previewOf } from '../text/previews.js';
import type { AgentResult, Missing } from './results.js';
import { unreadText } from '../collector/unread-sources.js';

/** One for each agent that failed, and one for each source that an agent could not read. */
export function missingOf(agents: readonly AgentResult[], language: Language): readonly Missing[] {
  return agents.flatMap((result): readonly Missing[] => {
    const agent = result.agent_name;
    const { unread_sources: unread = [] } = result;
    const sources = unread.map((source) => ({
      agent,
      reason: unreadText(source, language),
      code: source.code,
      url: source.url,
    }));
    const code = result.error_code ?? 'internal';
    const isToldBySources = sources.length > 0 && code.startsWith('collector-');
    return result.status === 'failed' && !isToldBySources
      ? [{ agent, reason: failureReason({ ...result, code }, language), code }, ...sources]
      : sources;
  });
}

/** The rest is counted: a person reads it, and the result lists all of them. */
const MAX_TOLD = 5;
/** Names and addresses come from outside. */
const MAX_PART_CHARACTERS = 500;

/** One line; null where nothing is missing. */
export function missingLine(missing: readonly Missing[], language: Language): string | null {
  if (missing.length === 0) {
    return null;
  }
  const told = missing
    .slice(0, MAX_TOLD)
    .map(({ agent, reason }) => `${oneLine(agent)}: ${oneLine(reason)}`)
    .join('; ');
  const rest = missing.length - MAX_TOLD;
  if (language === 'ko') {
    return `일부가 빠져 있습니다 — ${told}${rest > 0 ? ` 외 ${rest}건` : ''}`;
  }
  return `Incomplete, this is missing: ${told}${rest > 0 ? `; and ${rest} more` : ''}`;
}

function oneLine(text: string): string {
  return previewOf(text.replace(/\s+/gu, ' ').trim(), MAX_PART_CHARACTERS);
}
