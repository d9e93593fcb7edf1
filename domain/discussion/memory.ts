import type { Critique, Design } from '../design/designs.js';

/**
 * What a discussion remembers for its models. It travels with the discussion's workflow, so it is
 * bounded three times: each text, each list, and the whole.
 */
export interface Memory {
  readonly agreements: readonly string[];
  readonly open_questions: readonly string[];
  readonly resolved_questions: readonly ResolvedQuestion[];
  readonly user_preferences: Readonly<Record<string, string>>;
  readonly design_history: readonly RememberedDesigns[];
  readonly critique_history: readonly RememberedCritiques[];
  readonly round_summaries: readonly RoundSummary[];
}

export interface ResolvedQuestion {
  readonly question: string;
  readonly resolution: string;
}

/** One generation of designs, in outline. */
export interface RememberedDesigns {
  /** 0 for the first generation */
  readonly round: number;
  readonly designs: readonly { readonly name: string; readonly roles: readonly string[] }[];
}

/** One critique of all designs, in outline. */
export interface RememberedCritiques {
  /** 0 for the first critique */
  readonly round: number;
  readonly critiques: readonly { readonly design_name: string; readonly overall_score: number }[];
}

export interface RoundSummary {
  readonly round: number;
  readonly text: string;
}

/** A stored text, in characters: enough for a wish, and a list of twenty stays readable. */
export const MAX_TEXT = 200;
/** Characters of feedback in a summary. Source: contract, discussion §7. */
export const MAX_FEEDBACK = 100;
/** Entries of a list: a discussion has five rounds; more come only from earlier discussions. */
export const MAX_ENTRIES = 20;
/** Generations and critiques kept: one per round of a whole discussion. */
export const MAX_HISTORY = 5;
/** Outlined designs, roles of a design, critiques of a round: what an answer may hold is more. */
const MAX_OUTLINED = 5;
const MAX_ROLES = 20;
const MAX_ROLE = 30;
/** The whole memory as JSON, in bytes: Temporal keeps it in each run's input. */
export const MAX_BYTES = 32_000;

export function emptyMemory(): Memory {
  return {
    agreements: [],
    open_questions: [],
    resolved_questions: [],
    user_preferences: {},
    design_history: [],
    critique_history: [],
    round_summaries: [],
  };
}

export function agree(memory: Memory, agreement: string): Memory {
  return fitted({ ...memory, agreements: withEntry(memory.agreements, agreement) });
}

/** Opens a question; the feedback of a round is one until refined designs answer it. */
export function ask(memory: Memory, question: string): Memory {
  return fitted({ ...memory, open_questions: withEntry(memory.open_questions, question) });
}

/** Moves an open question to the resolved ones; one that is not open changes nothing. */
export function resolve(memory: Memory, question: string, resolution: string): Memory {
  const asked = cut(question, MAX_TEXT);
  if (!memory.open_questions.includes(asked)) {
    return memory;
  }
  const resolved = { question: asked, resolution: cut(resolution, MAX_TEXT) };
  return fitted({
    ...memory,
    open_questions: memory.open_questions.filter((other) => other !== asked),
    resolved_questions: [...memory.resolved_questions, resolved].slice(-MAX_ENTRIES),
  });
}

/** Sets a preference; one set again counts as the newest. */
export function prefer(memory: Memory, key: string, value: string): Memory {
  const name = cut(key, MAX_TEXT);
  const others = Object.entries(memory.user_preferences).filter(([other]) => other !== name);
  const entries = [...others, [name, cut(value, MAX_TEXT)] as const].slice(-MAX_ENTRIES);
  return fitted({ ...memory, user_preferences: Object.fromEntries(entries) });
}

export function recordDesigns(memory: Memory, designs: readonly Design[]): Memory {
  const outline = designs.slice(0, MAX_OUTLINED).map((design) => ({
    name: cut(design.name, MAX_TEXT),
    roles: design.agents.slice(0, MAX_ROLES).map((agent) => cut(agent.role, MAX_ROLE)),
  }));
  const entry = { round: nextRound(memory.design_history), designs: outline };
  return fitted({
    ...memory,
    design_history: [...memory.design_history, entry].slice(-MAX_HISTORY),
  });
}

export function recordCritiques(memory: Memory, critiques: readonly Critique[]): Memory {
  const outline = critiques.slice(0, MAX_OUTLINED).map((critique) => ({
    design_name: cut(critique.design_name, MAX_TEXT),
    overall_score: critique.overall_score,
  }));
  const entry = { round: nextRound(memory.critique_history), critiques: outline };
  return fitted({
    ...memory,
    critique_history: [...memory.critique_history, entry].slice(-MAX_HISTORY),
  });
}

export function summarizeRound(
  memory: Memory,
  { round, feedback, scores }: { round: number; feedback: string; scores: readonly number[] },
): Memory {
  const said = scores.slice(0, MAX_OUTLINED).join(', ');
  const text = `feedback "${cut(feedback, MAX_FEEDBACK)}", scores [${said}]`;
  return fitted({
    ...memory,
    round_summaries: [...memory.round_summaries, { round, text }].slice(-MAX_ENTRIES),
  });
}

function withEntry(entries: readonly string[], entry: string): readonly string[] {
  const text = cut(entry, MAX_TEXT);
  return text === '' || entries.includes(text) ? entries : [...entries, text].slice(-MAX_ENTRIES);
}

function nextRound(history: readonly { readonly round: number }[]): number {
  return (history.at(-1)?.round ?? -1) + 1;
}

/** On one line, without characters that JSON would have to write as six bytes. */
function cut(text: string, characters: number): string {
  const head = text.slice(0, characters * 4);
  const line = head.replace(/[\p{Cc}\p{Cs}\s]+/gu, ' ').trim();
  const points = Array.from(line);
  return points.length <= characters && head.length === text.length
    ? line
    : `${points.slice(0, characters - 1).join('')}…`;
}

/** Lists in the order in which they give way, least useful to a model first. */
const YIELDING = [
  'critique_history',
  'design_history',
  'resolved_questions',
  'round_summaries',
  'open_questions',
  'agreements',
] as const;

/** Drops the oldest entries until the whole fits; texts of 200 letters rarely come to that. */
function fitted(memory: Memory): Memory {
  let kept = memory;
  while (bytesOf(kept) > MAX_BYTES) {
    kept = withoutOldest(kept);
  }
  return kept;
}

function withoutOldest(memory: Memory): Memory {
  const field = YIELDING.find((name) => memory[name].length > 1);
  return field === undefined
    ? { ...memory, user_preferences: withoutFirst(memory.user_preferences) }
    : { ...memory, [field]: memory[field].slice(1) };
}

function withoutFirst(preferences: Memory['user_preferences']): Memory['user_preferences'] {
  return Object.fromEntries(Object.entries(preferences).slice(1));
}

/** Bytes of the memory's JSON in UTF-8. */
export function bytesOf(memory: Memory): number {
  let bytes = 0;
  for (const character of JSON.stringify(memory)) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x8_00 ? 2 : point < 0x1_00_00 ? 3 : 4;
  }
  return bytes;
}

export { memoryContext } from './memory-context.js';
