/** Designs as clients post them: domain/design/parse.ts reads them, and says what form they have. */
import { z } from 'zod';
import type { Problem } from '../../../domain/design/fields.js';
import {
  DESIGN_FORMS,
  parseAgentChanges,
  parseDesign,
  type AgentChanges,
  type Parsed,
} from '../../../domain/design/parse.js';
import type { Design } from '../../../domain/design/designs.js';

/**
 * Bytes of a body with a design: twenty agents whose every text is as long as it may be take 1.2 MB
 * in Korean, and 2.1 MB where a client escapes it.
 */
export const MAX_DESIGN_BYTES = 4 * 1_048_576;

export const designBody: z.ZodType<Design> = parsedBy('DesignInput', (value) =>
  parseDesign(value, 'client'),
);
export const agentChanges: z.ZodType<AgentChanges> = parsedBy('AgentChanges', parseAgentChanges);

function parsedBy<T>(id: keyof typeof DESIGN_FORMS, parse: (value: unknown) => Parsed<T>) {
  return z
    .unknown()
    .transform((value, context): T => {
      const parsed = parse(value);
      if (parsed.kind === 'parsed') {
        return parsed.value;
      }
      context.issues.push(...parsed.problems.map((problem) => issueOf(problem, value)));
      return z.NEVER;
    })
    .meta({ id, ...DESIGN_FORMS[id] });
}

function issueOf({ path, message }: Problem, input: unknown): z.core.$ZodRawIssue {
  return { code: 'custom', path: [...path], message, input };
}
