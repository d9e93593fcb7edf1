import { z } from 'zod';
import { scoreOf } from '../../domain/discussion/critique-rules.js';
import type { Critique, Design } from '../../domain/design/designs.js';
import { toStorableText } from '../../domain/text/storable-text.js';
import { answerSchema } from './structured.js';

const AskedCritiques = z.strictObject({
  critiques: z.array(
    z.strictObject({
      design_name: z.string(),
      weaknesses: z.array(z.string()),
      risks: z.array(z.string()),
      edge_cases: z.array(z.string()),
      security_concerns: z.array(z.string()),
      cost_concerns: z.array(z.string()),
      scalability_notes: z.array(z.string()),
      overall_score: z.number(),
      recommendation: z.string(),
    }),
  ),
});

export const CRITIQUES_ANSWER = answerSchema('critiques', AskedCritiques);

const points = z.array(z.string().max(1_000)).max(20).default([]);

const AnsweredCritique = z
  .object({
    design_name: z.string().max(255).default('Unknown'),
    weaknesses: points,
    risks: points,
    edge_cases: points,
    security_concerns: points,
    cost_concerns: points,
    scalability_notes: points,
    overall_score: z.number().optional(),
    recommendation: z.string().max(2_000).default(''),
  })
  .transform((critique) => ({ ...critique, overall_score: scoreOf(critique.overall_score) }));

/**
 * One critique per design, in the designs' order; any other number is unusable. A model that
 * answers in another order is understood by its names, one that names other designs by position.
 */
export function critiquesAnswer(designs: readonly Design[]): z.ZodType<readonly Critique[]> {
  return z
    .object({ critiques: z.array(AnsweredCritique).length(designs.length) })
    .transform(({ critiques }) => inOrderOf(designs, critiques));
}

function inOrderOf(
  designs: readonly Design[],
  critiques: readonly Critique[],
): readonly Critique[] {
  const byName = new Map(critiques.map((critique) => [plain(critique.design_name), critique]));
  const areAllNamed = designs.every(({ name }) => byName.has(plain(name)));
  return designs.flatMap(({ name }, at) => {
    const critique = areAllNamed ? byName.get(plain(name)) : critiques[at];
    return critique === undefined ? [] : [{ ...critique, design_name: name }];
  });
}

function plain(name: string): string {
  return toStorableText(name).normalize('NFKC').trim().toLowerCase();
}
