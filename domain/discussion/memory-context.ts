import type { Memory } from './memory.js';

/** Source: contract, discussion §7. */
export const MAX_CONTEXT = 4_000;
const SUMMARIES_SHOWN = 3;
export const NOTHING_REMEMBERED = 'No earlier discussion to consider.';
export const CONTEXT_CUT = '\n… (truncated)';

/** The discussion so far, for a prompt: at most 4000 characters, marked where cut. */
export function memoryContext(memory: Memory): string {
  const sections = [
    section('Agreed decisions', memory.agreements),
    section('Open questions', memory.open_questions),
    section(
      'User preferences',
      Object.entries(memory.user_preferences).map(([key, value]) => `${key}: ${value}`),
    ),
    section(
      'Previous rounds',
      memory.round_summaries
        .slice(-SUMMARIES_SHOWN)
        .map((summary) => `Round ${summary.round}: ${summary.text}`),
    ),
    section(
      'Resolved questions',
      memory.resolved_questions.map(({ question, resolution }) => `${question} → ${resolution}`),
    ),
  ].filter((text) => text !== '');
  return sections.length === 0 ? NOTHING_REMEMBERED : cutContext(sections.join('\n\n'));
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : [`## ${title}`, ...lines.map((line) => `- ${line}`)].join('\n');
}

function cutContext(text: string): string {
  if (text.length <= MAX_CONTEXT) {
    return text;
  }
  const head = text.slice(0, MAX_CONTEXT - CONTEXT_CUT.length).replace(/[\uD800-\uDBFF]$/u, '');
  return head + CONTEXT_CUT;
}
