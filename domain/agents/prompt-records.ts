/**
 * What a model was asked, as it is kept: our own parts verbatim, what earlier steps have written by
 * their ids. A copy of the whole would repeat each output in every prompt after it.
 */
import type { StepId } from '../ids.js';

/** A text that prompts repeat, and where it is kept. */
export interface QuotedText {
  /** `output`: of the agent of that step, as stored; `reply`: what a model answered there. */
  readonly of: 'output' | 'reply';
  readonly stepId: StepId;
  readonly text: string;
}

/** A text as it is, or the characters `from` to `to` (UTF-16) of one that is kept elsewhere. */
export type PromptPart =
  string | { readonly of: QuotedText['of']; readonly step_id: StepId; from: number; to: number };

export interface PromptRecord {
  readonly model: string;
  readonly temperature: number;
  /** The JSON Schema that the answer had to fit; null: a text was asked for. */
  readonly answer: { readonly name: string; readonly schema: object } | null;
  readonly messages: readonly { readonly role: string; readonly parts: readonly PromptPart[] }[];
}

/** All that is sent besides the cap of the answer, which the ledger decides and keeps. */
export interface SentPrompt extends Omit<PromptRecord, 'messages'> {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

export function recordPrompt(
  { messages, ...settings }: SentPrompt,
  quoted: readonly QuotedText[],
): PromptRecord {
  const left = new Set(quoted);
  return {
    ...settings,
    messages: messages.map(({ role, content }) => ({ role, parts: partsOf(content, left) })),
  };
}

const OPENING = '<agent_output>\n';
const CLOSING = '\n</agent_output>';
/** A shorter beginning of a longer text may be there by chance. */
const MIN_BEGINNING = 64;

function partsOf(content: string, left: Set<QuotedText>): readonly PromptPart[] {
  const parts: PromptPart[] = [];
  let told = 0;
  let at = content.indexOf(OPENING);
  while (at !== -1) {
    const start = at + OPENING.length;
    const found = quoteAt(content, start, left);
    if (found !== null) {
      parts.push(content.slice(told, start), ...found.parts);
      told = found.end;
      left.delete(found.quoted);
    }
    at = content.indexOf(OPENING, Math.max(start, told));
  }
  parts.push(content.slice(told));
  return parts.filter((part) => part !== '');
}

interface Quote {
  readonly quoted: QuotedText;
  readonly parts: readonly PromptPart[];
  readonly end: number;
}

/** The one that reaches furthest; of two that are alike, the first. */
function quoteAt(content: string, start: number, left: ReadonlySet<QuotedText>): Quote | null {
  let best: Quote | null = null;
  for (const quoted of left) {
    const quote = quoteOf(content, start, quoted);
    const isWhole = content.startsWith(CLOSING, quote.end);
    const isLong = isWhole ? quote.end > start : quote.end - start >= MIN_BEGINNING;
    if (isLong && quote.end > (best?.end ?? start)) {
      best = quote;
    }
  }
  return best;
}

/** How tags inside of a quoted text are written. Source: `escapeTags`. */
const ESCAPES = ['&lt;', '&gt;'];

function quoteOf(content: string, start: number, quoted: QuotedText): Quote {
  const { of, stepId, text } = quoted;
  const parts: PromptPart[] = [];
  let [at, from, to] = [start, 0, 0];
  const cut = () => {
    if (to > from) {
      parts.push({ of, step_id: stepId, from, to });
    }
  };
  while (to < text.length && at < content.length) {
    const escape = ESCAPES.find((each) => content.startsWith(each, at));
    if (content[at] === text[to]) {
      at += 1;
      to += 1;
    } else if (escape !== undefined) {
      cut();
      parts.push(escape);
      at += escape.length;
      from = to + 1;
      to = from;
    } else {
      break;
    }
  }
  cut();
  return { quoted, parts, end: at };
}

export type FindQuoted = (of: QuotedText['of'], stepId: StepId) => string | null;

/** What was sent; null: a text that it quotes is not there. */
export function promptOf(
  { messages, ...settings }: PromptRecord,
  find: FindQuoted,
): SentPrompt | null {
  const textOf = (part: PromptPart): string | null =>
    typeof part === 'string'
      ? part
      : (find(part.of, part.step_id)?.slice(part.from, part.to) ?? null);
  const told = messages.map(({ role, parts }) => ({ role, texts: parts.map(textOf) }));
  return told.some(({ texts }) => texts.includes(null))
    ? null
    : {
        ...settings,
        messages: told.map(({ role, texts }) => ({ role, content: texts.join('') })),
      };
}
