/**
 * The prompt that follows an answer which was not of the form that was asked for. The
 * answer and what is wrong with it travel isolated: a model wrote them, and the schema is a user's.
 */
import { isolate } from '../security/isolator.js';
import type { Language } from '../text/languages.js';
import { previewOf } from '../text/previews.js';

export interface BadAnswer {
  readonly text: string;
  /** `where: what`, one each. */
  readonly problems: readonly string[];
  /** A JSON Schema. */
  readonly schema: unknown;
}

interface Prompt {
  readonly role: 'system' | 'user';
  readonly content: string;
}

/** Longest answer that is sent back, in characters: about 8,000 tokens of English. */
const MAX_ANSWER_CHARACTERS = 32_000;

const RULES = `An answer had to be one JSON document that fits a JSON Schema, and it does not.
Write the document as it should be: keep what the answer says and mend its form. Where something that the schema wants is missing, take what the answer implies; do not invent facts.
Answer with that JSON document alone.`;

const TEXTS_IN: Readonly<Record<Language, string>> = {
  en: 'Keep the language of its texts; write new ones in English.',
  ko: 'Keep the language of its texts; write new ones in Korean.',
};

export function repairPrompt(bad: BadAnswer, language: Language): readonly Prompt[] {
  const schema = JSON.stringify(bad.schema);
  const problems = bad.problems.map((problem) => `- ${problem}`).join('\n');
  const isWhole = bad.text.length <= MAX_ANSWER_CHARACTERS;
  const answer = isWhole ? bad.text : `${previewOf(bad.text, MAX_ANSWER_CHARACTERS)} […]`;
  const tag = 'agent_output';
  const blocks = [
    isolate(schema, { context: 'The JSON Schema:', language, tag: 'user_task' }),
    isolate(answer, { context: 'The answer:', language, tag }),
    isolate(problems, { context: 'What is wrong with it:', language, tag }),
  ];
  return [
    { role: 'system', content: `${RULES}\n${TEXTS_IN[language]}` },
    { role: 'user', content: blocks.join('\n\n') },
  ];
}
