/**
 * The prompts of the discussion's three agents. All text of users and models is isolated, notes
 * and designs of earlier turns as well; outside of the tags stand our own words only.
 */
import type { Design, Intent } from '../design/designs.js';
import { NODE_KINDS } from '../run/pipeline.js';
import { isolate, type IsolationTag } from '../security/isolator.js';
import type { Language } from '../text/languages.js';
import { previewOf } from '../text/previews.js';
import { READ_BY_RULES } from '../text/limits.js';

interface Prompt {
  readonly role: 'system' | 'user';
  readonly content: string;
}

const LANGUAGE_NAMES: Readonly<Record<Language, string>> = { ko: 'Korean', en: 'English' };

const INTENT_RULES = `You turn a request for automated work into one JSON object.
task: sentiment_analysis, data_collection, comparison, report_generation, translation, summarization, custom, or a better word.
source_type: web_reviews, api, pdf, file, database or none. source_hints: names and addresses of sources that the request mentions.
output_format: report, table, chart, json or text. estimated_complexity: simple, standard or complex. confidence: 0 to 1.
summary: one sentence in Korean. If the request is ambiguous, set needs_clarification and ask one to three short questions in clarification_questions; otherwise leave that list empty.
Answer with JSON only.`;

/** Kinds that a design may name, and two roles that run as analyzers. */
const OFFERED_ROLES = [
  ...NODE_KINDS.filter((kind) => kind !== 'custom' && kind !== 'approval'),
  ...['critic', 'cross_checker'],
].join(', ');

function designRules(models: readonly string[]): string {
  return `You design multi-agent pipelines. Answer with JSON: {"designs": [...]} holding exactly three alternatives:
one that puts speed and low cost first, one that puts quality first, one balanced; their names make that evident and are distinct. Exactly one is recommended.
Use cheap models for simple work and strong ones for reasoning. Known models: ${models.join(', ')}.
Roles: ${OFFERED_ROLES}. Agent names are unique within a design, in snake_case. A collector's description names the addresses it reads.
An agent knows nothing but its design's name and description, its own description and earlier agents' outputs: put what the user wants done, with every name, number, source and text that matters, into these descriptions.
edges is null for a sequence; otherwise a list of {source, target, condition} by agent name without cycles, condition null or "<field> <op> <number>".
complexity: low, medium or high. Honour the user's preferences and earlier feedback.`;
}

const CRITIQUE_RULES = `You are a devil's advocate. Examine every design for weaknesses, risks, edge cases, security, cost and scalability.
Answer with JSON: {"critiques": [...]} with exactly one entry per design, in the same order, design_name as given, overall_score from 1 (unusable) to 10 (excellent), and a recommendation.`;

export function intentPrompt(input: {
  texts: readonly string[];
  memory: string;
  language: Language;
}): readonly Prompt[] {
  return [
    { role: 'system', content: `${INTENT_RULES}\n${answerIn(input.language)}` },
    { role: 'user', content: isolated(input.texts, [memoryBlock(input)], input.language) },
  ];
}

export function designPrompt(input: {
  intent: Intent;
  texts: readonly string[];
  feedback: readonly string[];
  previous: readonly Design[];
  memory: string;
  language: Language;
  /** Names that designs may use; of our lists and of what the user has registered, without spaces. */
  models: readonly string[];
}): readonly Prompt[] {
  const { intent, previous, feedback, language } = input;
  const context = [
    outputBlock('Requirements:', requirementsOf(intent), language),
    ...(previous.length > 0 ? [outputBlock('Designs so far:', previous, language)] : []),
    memoryBlock(input),
  ];
  return [
    { role: 'system', content: `${designRules(input.models)}\n${answerIn(language)}` },
    { role: 'user', content: isolated([...input.texts, ...feedback], context, language) },
  ];
}

export function critiquePrompt(input: {
  intent: Intent;
  designs: readonly Design[];
  feedback: string;
  memory: string;
  language: Language;
}): readonly Prompt[] {
  const { intent, designs, feedback, language } = input;
  const { task, source_type, estimated_complexity } = intent;
  const context = [
    outputBlock('Requirements:', { task, source_type, estimated_complexity }, language),
    outputBlock('Designs:', designs, language),
    memoryBlock(input),
  ];
  return [
    { role: 'system', content: `${CRITIQUE_RULES}\n${answerIn(language)}` },
    { role: 'user', content: isolated([feedback], context, language) },
  ];
}

/** What the contract passes to the design generator (discussion §6.2). */
function requirementsOf(intent: Intent) {
  const { task, source_type, source_hints, output_format, estimated_complexity } = intent;
  return { task, source_type, source_hints, output_format, estimated_complexity };
}

/** Models wrote it, under a user's influence. */
function outputBlock(context: string, output: unknown, language: Language): string {
  return isolate(JSON.stringify(output), { context, language, tag: 'agent_output' });
}

/** It quotes the user: agreements, preferences and feedback of earlier turns. */
function memoryBlock({ memory, language }: { memory: string; language: Language }): string {
  const tag: IsolationTag = 'discussion_memory';
  return memory === '' ? '' : isolate(memory, { context: 'What was said before:', language, tag });
}

function isolated(texts: readonly string[], blocks: readonly string[], language: Language): string {
  const context = blocks.filter((block) => block !== '').join('\n\n');
  return isolate(fitting(texts).join('\n\n'), { context, language });
}

/** What was said last matters most: what does not fit is cut from the oldest text on. */
function fitting(texts: readonly string[]): readonly string[] {
  let room = READ_BY_RULES;
  const kept: string[] = [];
  for (const text of texts.toReversed()) {
    kept.unshift(text.length <= room ? text : `${previewOf(text, room)} […]`);
    room = Math.max(0, room - text.length);
  }
  return kept;
}

function answerIn(language: Language): string {
  return `Write all texts in ${LANGUAGE_NAMES[language]}.`;
}
