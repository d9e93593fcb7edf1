import { z } from 'zod';
import { designInjection } from '../../domain/agents/prompts.js';
import { parseDesign } from '../../domain/design/parse.js';
import { withEvidentAims } from '../../domain/design/aims.js';
import { checkDesigns, withOneRecommendation } from '../../domain/design/rules.js';
import { toStorableDesigns } from '../../domain/design/names.js';
import type { Design } from '../../domain/design/designs.js';
import type { Language } from '../../domain/text/languages.js';
import { checkGraph } from '../../domain/run/pipeline.js';
import { answerSchema } from './structured.js';

const AskedDesigns = z.strictObject({
  designs: z.array(
    z.strictObject({
      name: z.string(),
      description: z.string(),
      agents: z.array(
        z.strictObject({
          name: z.string(),
          role: z.string(),
          llm_model: z.string(),
          description: z.string(),
        }),
      ),
      edges: z.nullable(
        z.array(
          z.strictObject({
            source: z.string(),
            target: z.string(),
            condition: z.nullable(z.string()),
          }),
        ),
      ),
      pros: z.array(z.string()),
      cons: z.array(z.string()),
      estimated_cost: z.string(),
      complexity: z.enum(['low', 'medium', 'high']),
      recommended: z.boolean(),
    }),
  ),
});

export const DESIGNS_ANSWER = answerSchema('designs', AskedDesigns);

interface DesignsOptions {
  readonly sourceHints: readonly string[];
  readonly language: Language;
}

/** More than are asked for, few enough to be looked through. */
const MAX_DESIGNS = 10;

const AnsweredDesign = z.unknown().transform((value, context): Design => {
  const parsed = parseDesign(value, 'model');
  if (parsed.kind === 'parsed') {
    return parsed.value;
  }
  for (const { path, message } of parsed.problems) {
    context.addIssue({ code: 'custom', path: [...path], message });
  }
  return z.NEVER;
});

/**
 * Three designs that can run, named by what each puts first, one recommended.
 *
 * @param order `sourceHints` are carried into each design, for its collector.
 */
export function designsAnswer({
  sourceHints,
  language,
}: DesignsOptions): z.ZodType<readonly Design[]> {
  return z
    .object({ designs: z.array(AnsweredDesign).max(MAX_DESIGNS) })
    .transform(({ designs }) =>
      toStorableDesigns(designs.map((design) => ({ ...design, source_hints: [...sourceHints] }))),
    )
    .superRefine((designs, context) => {
      problemsOf(designs).forEach((problem) => {
        context.addIssue({ code: 'custom', ...problem });
      });
    })
    .transform((designs) => withOneRecommendation(withEvidentAims(designs, language)));
}

interface AnswerProblem {
  readonly message: string;
  readonly path: (string | number)[];
}

/** What no schema states, in words that a model can act on. */
function problemsOf(designs: readonly Design[]): readonly AnswerProblem[] {
  const message = checkDesigns(designs);
  const ofAll = message === null ? [] : [{ message, path: ['designs'] }];
  const ofEach = designs.flatMap((design, index) => {
    const checked = checkGraph(design);
    return [
      ...(checked.kind === 'unbuildable' ? [checked.reason] : []),
      ...(designInjection(design).length > 0 ? [NO_INSTRUCTIONS] : []), // could not run
    ].map((problem) => ({ message: problem, path: ['designs', index] }));
  });
  return [...ofAll, ...ofEach];
}

const NO_INSTRUCTIONS = 'has texts that read like instructions to a model: describe the work only';
