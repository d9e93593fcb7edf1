/**
 * What has come from outside, read: the only code that parses it. It runs in a thread of its own
 * (reader.ts), because a page can be made so that it takes hours or all memory. Threads are many
 * and short, so each loads only what its page needs.
 */
import { maskPii, PII_TYPES, type PiiType } from '../domain/security/pii.js';
import { CrawlFailed } from './crawl-failed.js';
import type { ContentKind } from './media-types.js';
import { refreshIn } from './refresh.js';
import { tidy } from './tidy.js';

export interface PageTask {
  readonly kind: 'page';
  readonly contentKind: ContentKind;
  /** As the server names it; null: it does not. */
  readonly charset: string | null;
  readonly body: Uint8Array<ArrayBuffer>;
}

export interface RobotsTask {
  readonly kind: 'robots';
  /** Of the page. */
  readonly url: string;
  readonly text: string;
}

export type ReadTask = PageTask | RobotsTask;

export interface PageText {
  readonly title: string;
  /** Tidy, without personal data. */
  readonly text: string;
  readonly piiTypes: readonly PiiType[];
  /** Where a `<meta>` sends its reader at once, as written; null: nowhere. */
  readonly refresh: string | null;
}

/** In our words. */
export interface Unreadable {
  readonly unreadable: string;
}

export interface RobotsVerdict {
  readonly isAllowed: boolean;
  /** What the site asks for; null: nothing. */
  readonly crawlDelayMs: number | null;
}

/** In code points; what is longer ends with a mark. */
const MAX_TEXT_CHARACTERS = 100_000;
const MAX_TITLE_CHARACTERS = 300;
const CUT_MARK = '\n… [truncated]';

export async function readTask(task: ReadTask): Promise<PageText | RobotsVerdict | Unreadable> {
  if (task.kind === 'page') {
    return readPage(task).catch((error: unknown) => {
      if (error instanceof CrawlFailed) {
        return { unreadable: error.message }; // threads hand over data, no classes
      }
      throw error;
    });
  }
  const { decideRobots } = await import('./robots-rules.js');
  return decideRobots(task);
}

async function readPage(task: PageTask): Promise<PageText> {
  const { title, text, refresh = null } = await rawTextOf(task);
  const masked = maskPii(tidy(text));
  const maskedTitle = maskPii(tidy(title));
  return {
    title: firstOf(maskedTitle.text, MAX_TITLE_CHARACTERS),
    text: cut(masked.text),
    refresh,
    piiTypes: PII_TYPES.filter(
      (type) => masked.found.includes(type) || maskedTitle.found.includes(type),
    ),
  };
}

async function rawTextOf(
  task: PageTask,
): Promise<{ title: string; text: string; refresh?: string | null }> {
  if (task.contentKind === 'pdf') {
    const { readPdf } = await import('./pdf-text.js');
    return readPdf(task.body);
  }
  const { decode } = await import('./charset.js');
  const text = decode(task.body, task);
  if (task.contentKind !== 'html') {
    return { title: '', text };
  }
  const { readHtml } = await import('./html-text.js');
  return { ...readHtml(text), refresh: refreshIn(text) };
}

function cut(text: string): string {
  const kept = firstOf(text, MAX_TEXT_CHARACTERS);
  return kept.length === text.length ? text : `${kept}${CUT_MARK}`;
}

function firstOf(text: string, characters: number): string {
  return text.length <= characters ? text : Array.from(text).slice(0, characters).join('');
}
