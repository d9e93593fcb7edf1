/** All that is stored of one run, for its archive. */
import { sql, type Selectable } from 'kysely';
import type { PipelineId } from '../../domain/ids.js';
import { nodeStepIds } from '../../domain/run/node-steps.js';
import { listPrompts, type CallPrompt } from '../billing/call-prompts.js';
import type { Db } from '../connect.js';
import { listSteps, type AgentStep } from '../runs/agent-steps.js';
import { listApprovals, type ApprovalRow } from '../runs/approvals.js';
import { listMessages, type StoredMessage } from '../discussions/messages.js';
import type { RunRecord } from '../runs/runs.js';
import type { ApprovalOffersTable, CostLedgerTable, ModelRepliesTable } from '../schema.js';

export interface RunRecords {
  readonly run: RunRecord;
  /** Of its conversation, up to what the run has said there. */
  readonly messages: readonly StoredMessage[];
  readonly steps: readonly AgentStep[];
  readonly approvals: readonly ApprovalRow[];
  readonly offers: readonly Selectable<ApprovalOffersTable>[];
  readonly calls: readonly Selectable<CostLedgerTable>[];
  readonly prompts: readonly CallPrompt[];
  readonly replies: readonly Selectable<ModelRepliesTable>[];
}

/** The run has ended, so that what is read one after the other belongs together. */
export async function readRunRecords(db: Db, run: RunRecord): Promise<RunRecords> {
  const { id } = run;
  const steps = await listSteps(db, id);
  const calls = await listCalls(db, id);
  const stepIds = [
    ...steps.flatMap((step) => nodeStepIds(step.id)),
    ...calls.map(({ stepId }) => stepId), // of agents that were cut off by the end of the run
  ];
  return {
    run,
    steps,
    calls,
    messages: await readTranscript(db, run),
    approvals: await listApprovals(db, id),
    offers: await db
      .selectFrom('approvalOffers')
      .selectAll()
      .where('pipelineId', '=', id)
      .orderBy('createdAt')
      .orderBy('id')
      .execute(),
    prompts: await listPrompts(
      db,
      calls.map(({ id: callId }) => callId),
    ),
    replies: await listReplies(db, stepIds),
  };
}

/** In the order of their steps. */
export async function listReplies(db: Db, stepIds: readonly string[]) {
  return db
    .selectFrom('modelReplies')
    .selectAll()
    .where(sql<boolean>`step_id = any(${[...new Set(stepIds)]}::text[])`)
    .orderBy('stepId')
    .execute();
}

async function listCalls(db: Db, pipelineId: PipelineId) {
  return db
    .selectFrom('costLedger')
    .selectAll()
    .where('pipelineId', '=', pipelineId)
    .orderBy('createdAt')
    .orderBy('id')
    .execute();
}

async function readTranscript(
  db: Db,
  { id, conversationId, endedAt }: RunRecord,
): Promise<readonly StoredMessage[]> {
  if (conversationId === null) {
    return [];
  }
  const messages = await listMessages(db, conversationId);
  const last = messages.findLastIndex(({ metadata }) => metadata?.['pipeline_id'] === id);
  return last === -1
    ? messages.filter(({ createdAt }) => createdAt <= (endedAt ?? createdAt))
    : messages.slice(0, last + 1);
}
