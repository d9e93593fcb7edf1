import { z } from 'zod';
import type { ApprovalRow } from '../../../db/runs/approvals.js';

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
