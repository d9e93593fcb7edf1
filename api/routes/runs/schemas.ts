import { z } from 'zod';
import type { InboxCursor } from '../../../db/runs/approvals.js';
import { DESIGN_LIMITS } from '../../../domain/design/limits.js';
import { DECISIONS } from '../../../domain/design/designs.js';
import { BUDGET_RULES } from '../../../domain/run/results.js';
import { toStorableText } from '../../../domain/text/storable-text.js';
import { agentChanges, designBody } from './design-schemas.js';
import { pipelineStatusNames } from './views.js';
import {
  dictionary,
  idText,
  list,
  queryInteger,
  text,
  timeCursor,
  uuid,
  valueError,
} from '../../http/schemas/fields.js';

/** What becomes of a run when a call does not fit into the day's budget. */
const onBudget = z.enum(BUDGET_RULES).default('stop');

/** Source: contract, decision 3. */
export const executePipelineBody = z
  .object({ design: designBody.nullish(), conversation_id: uuid.nullish(), on_budget: onBudget })
  .check(oneOf('conversation_id'))
  .meta({ id: 'ExecutePipelineBody', anyOf: eitherOf('conversation_id') });

export const executeDirectBody = z
  .object({ design: designBody.nullish(), template_id: uuid.nullish(), on_budget: onBudget })
  .check(oneOf('template_id'))
  .meta({ id: 'ExecuteDirectBody', anyOf: eitherOf('template_id') });

/** Either the design itself, or where to find it. */
function oneOf<Other extends string>(other: Other) {
  return (check: z.core.ParsePayload<{ design?: unknown } & Partial<Record<Other, unknown>>>) => {
    const { value } = check;
    if (value.design == null && value[other] == null) {
      check.issues.push({
        code: 'custom',
        path: ['design'],
        message: 'Field required',
        input: value,
      });
    }
    if (value.design != null && value[other] != null) {
      const message = `give either design or ${other}, not both`;
      check.issues.push({ ...valueError(value, message), path: [other] });
    }
  };
}

/** The same for the API's description. */
function eitherOf(other: string) {
  const ways = [
    ['design', other],
    [other, 'design'],
  ] as const;
  return ways.map(([given, absent]) => ({
    required: [given],
    properties: { [given]: { not: { type: 'null' } }, [absent]: { type: 'null' } },
  }));
}

export const pipelinePath = z.object({ pipeline_id: idText });

const RUN_PAGE = { initial: 20, max: 100 };
const MAX_MODEL = 200;

const instant = z.iso.datetime({ offset: true });
const usd = z
  .string()
  .regex(/^\d{1,9}(?:\.\d{1,12})?$/)
  .optional()
  .describe('US dollars, a decimal');

/** `after` is the `next` of the page before. */
export const runPageQuery = z.object({
  limit: queryInteger({ min: 1, ...RUN_PAGE }),
  after: timeCursor.optional(),
  status: z
    .preprocess(
      (value) => (value === undefined || Array.isArray(value) ? value : [value]),
      list(z.enum(pipelineStatusNames), { max: pipelineStatusNames.length }).optional(),
    )
    .describe('Several are given by repeating the parameter'),
  template_id: uuid.optional(),
  model: text({ min: 1, max: MAX_MODEL }).optional().describe('Whose call the run has made'),
  from: instant.optional().describe('Created then or later'),
  to: instant.optional().describe('Created before'),
  min_cost: usd,
  max_cost: usd,
});

/** Beyond any `seq`. */
const MAX_SEQ = 999_999_999;

export const runEventsQuery = z.object({
  /** 0: all events of the run. */
  after: queryInteger({ min: 0, max: MAX_SEQ, initial: 0 }),
  events: z.enum(['extended']).optional(),
});

/** What a browser sends when it comes back; it wins over `after`, which is in the address still. */
/** Source: RFC 7240 §4.1; other preferences are left alone, as it says. */
export const prefer = z.object({
  Prefer: z
    .string()
    .optional()
    .describe('`respond-async`: answer 202 at once, with where to ask in `Location`'),
});

export const lastEventId = z.object({
  'Last-Event-ID': z
    .string()
    .regex(/^\d{0,9}$/) // empty: the client has none
    .optional(),
});

/** Longer than any node's name. */
const MAX_NODE = 300;
const MAX_EDITED_INPUT = 100_000;
const MAX_COMMENT = 2_000;
/** Bytes of the body: an input of 100,000 characters of Korean, escaped, has 600,000. */
export const MAX_APPROVAL_BYTES = 1_048_576;

export const comparisonPath = pipelinePath.extend({ other: idText });
/** No node's name holds NUL, and PostgreSQL is not asked for one. */
const nodeText = z.string().overwrite(toStorableText);
export const approvalPath = pipelinePath.extend({ node: nodeText });

export const approvalBody = z
  .object({
    decision: z.enum(DECISIONS),
    input: text({ max: MAX_EDITED_INPUT }).nullish(),
    comment: text({ max: MAX_COMMENT }).nullish(),
  })
  .check(({ value, issues }) => {
    if (value.decision === 'reject' && value.input != null) {
      issues.push({ ...valueError(value, 'only an approval may edit the input'), path: ['input'] });
    }
  })
  .meta({ id: 'ApprovalBody' });

export const rerunBody = z
  .object({
    from: text({ max: MAX_NODE }).nullish(),
    changes: dictionary(text({ max: MAX_NODE }), agentChanges, {
      max: DESIGN_LIMITS.agents.client,
    }).nullish(),
    on_budget: onBudget,
  })
  .meta({ id: 'RerunBody' });

const INBOX_PAGE = { initial: 50, max: 100 };
/** A time, an id, and the name of a node in base64url. */
const INBOX_CURSOR = /^\d{1,16}\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.[\w-]{1,1000}$/;

/** `after` is the `next` of the page before. */
export const inboxQuery = z.object({
  limit: queryInteger({ min: 1, ...INBOX_PAGE }),
  after: z.string().regex(INBOX_CURSOR).optional(),
});

export function formatInboxCursor({ request, node }: InboxCursor): string {
  return [request.micros, request.id, Buffer.from(node).toString('base64url')].join('.');
}

/** @param after as `inboxQuery` has checked it */
export function parseInboxCursor(after: string): InboxCursor {
  const [micros = '', id = '', node = ''] = after.split('.');
  return {
    request: { micros, id },
    node: toStorableText(Buffer.from(node, 'base64url').toString()),
  };
}
