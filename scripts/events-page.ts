/** The list of events in docs/events.md, made from the texts that are checked against their types. */
import { format, resolveConfig } from 'prettier';
import { CHAT_EVENTS, type DescribedEvent } from '../api/http/docs/chat-events.js';

const BEGIN =
  '<!-- Made by `npm run docs:generate` from api/http/docs/chat-events.ts: change that. -->';
const END = '<!-- The end of what is made. -->';

/** @returns the page with its list as it has to be. @throws Error where the marks are missing */
export async function withEvents(page: string): Promise<string> {
  const [before, ...rest] = page.split(BEGIN);
  const [, after] = rest.join(BEGIN).split(END);
  if (before === undefined || after === undefined) {
    throw new Error('docs/events.md has no place for the list of events');
  }
  const settings = await resolveConfig(import.meta.filename);
  const text = [before + BEGIN, ...sectionsOf(CHAT_EVENTS), END + after].join('\n\n');
  return format(text, { ...settings, parser: 'markdown' });
}

function sectionsOf(events: readonly DescribedEvent[]): readonly string[] {
  const stored = events.filter(({ isLive }) => !isLive);
  return [
    '## Events that every client gets',
    ...stored.filter(({ isExtended }) => !isExtended).map(sectionOf),
    '## Extended events',
    'Only clients that ask for extended events get these. They are stored and have a `seq`. A client that did not ask for them sees a gap in `seq`.',
    ...stored.filter(({ isExtended }) => isExtended).map(sectionOf),
    '## Live events',
    'Only clients that ask for extended events get these. They are not stored and have no `seq`.',
    ...events.filter(({ isLive }) => isLive).map(sectionOf),
  ];
}

function sectionOf({ type, when, fields }: DescribedEvent): string {
  const lines = Object.entries(fields).map(([name, text]) => `- \`${name}\`: ${text}`);
  return [`### \`${type}\``, '', when, '', ...lines].join('\n');
}
