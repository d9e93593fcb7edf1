import { z } from 'zod';
import type { Intent } from '../../domain/design/designs.js';
import { answerSchema } from './structured.js';

const Complexity = z.enum(['simple', 'standard', 'complex']);

/** What vendors are asked for; stricter than what is accepted back. */
const AskedIntent = z.strictObject({
  task: z.string(),
  source_type: z.string(),
  source_hints: z.array(z.string()),
  output_format: z.string(),
  needs_clarification: z.boolean(),
  clarification_questions: z.array(z.string()),
  confidence: z.number(),
  estimated_complexity: Complexity,
  summary: z.string(),
});

export const INTENT_ANSWER = answerSchema('intent', AskedIntent);

const MAX_QUESTIONS = 3;
const MAX_HINTS = 10;
const name = (fallback: string) => z.string().trim().min(1).max(100).default(fallback);

/** Defaults of the contract, discussion §6.1; lists and numbers are checked. */
export const IntentAnswer: z.ZodType<Intent> = z
  .object({
    task: name('custom'),
    source_type: name('none'),
    source_hints: z.array(z.string().max(2_000)).default([]),
    output_format: name('text'),
    needs_clarification: z.boolean().default(false),
    clarification_questions: z.array(z.string().max(1_000)).default([]),
    confidence: z.number().min(0).max(1).default(0.5),
    estimated_complexity: Complexity.default('simple'),
    summary: z.string().max(2_000).default(''),
  })
  .transform((intent) => ({
    ...intent,
    source_hints: intent.source_hints.slice(0, MAX_HINTS),
    clarification_questions: intent.clarification_questions
      .filter((question) => question.trim() !== '')
      .slice(0, MAX_QUESTIONS),
  }));
