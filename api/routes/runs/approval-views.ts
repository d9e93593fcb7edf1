import { z } from 'zod';
import type { ApprovalRow, InboxPage } from '../../../db/runs/approvals.js';

import { formatInboxCursor } from './schemas.js';

export const approvalSchema = z
  .object({
    pipeline_id: z.guid(),
    node: z.string(),
    agent_name: z.string(),
    state: z.enum(['wanted', 'approved', 'rejected', 'withdrawn']),
    input: z.string().meta({ description: 'What the agents before it have made' }),
    edited_input: z.string().nullable(),
    comment: z.string().nullable(),
    requested_at: z.iso.datetime(),
    deadline: z.iso.datetime(),
    on_timeout: z.enum(['approve', 'reject']),
    decided_at: z.iso.datetime().nullable(),
    decided_by: z.enum(['user', 'deadline', 'run']).nullable(),
  })
  .meta({ id: 'Approval' });

export const approvalsSchema = z.array(approvalSchema);

export function viewApproval(row: ApprovalRow): z.output<typeof approvalSchema> {
  return {
    pipeline_id: row.pipelineId,
    node: row.node,
    agent_name: row.agentName,
    state: row.state,
    input: row.input,
    edited_input: row.editedInput,
    comment: row.comment,
    requested_at: row.requestedAt.toISOString(),
    deadline: row.deadline.toISOString(),
    on_timeout: row.onTimeout,
    decided_at: row.decidedAt?.toISOString() ?? null,
    decided_by: deciderOf(row),
  };
}

function deciderOf({ state, offerId }: ApprovalRow): 'user' | 'deadline' | 'run' | null {
  switch (state) {
    case 'wanted':
      return null;
    case 'withdrawn':
      return 'run'; // it ended first
    case 'approved':
    case 'rejected':
      return offerId === null ? 'deadline' : 'user';
  }
}

export const inboxSchema = z
  .object({
    items: z.array(
      z.object({
        pipeline_id: z.guid(),
        design_name: z.string(),
        conversation_id: z.guid().nullable(),
        node: z.string(),
        agent_name: z.string(),
        preview: z.string().meta({ description: 'The first 500 characters of the input' }),
        requested_at: z.iso.datetime(),
        deadline: z.iso.datetime(),
        on_timeout: z.enum(['approve', 'reject']).meta({ description: 'Decided at the deadline' }),
      }),
    ),
    open: z.int().meta({ description: 'On all pages' }),
    next: z.string().nullable().meta({ description: '`after` of the next page' }),
  })
  .meta({ id: 'Inbox' });

export function viewInbox({ items, open, next }: InboxPage): z.output<typeof inboxSchema> {
  return {
    items: items.map((item) => ({
      pipeline_id: item.pipelineId,
      design_name: item.designName,
      conversation_id: item.conversationId,
      node: item.node,
      agent_name: item.agentName,
      preview: item.preview,
      requested_at: item.requestedAt.toISOString(),
      deadline: item.deadline.toISOString(),
      on_timeout: item.onTimeout,
    })),
    open,
    next: next === null ? null : formatInboxCursor(next),
  };
}
