/** What PostgreSQL holds of a run, as entries of its bundle. */
import type { RunRecords } from '../db/audit/run-records.js';
import type { AgentStep } from '../db/runs/agent-steps.js';
import { nodeStepIds } from '../domain/run/node-steps.js';
import type { ContentEntry, DataOf } from './contents.js';

/** Texts of a conversation beyond this many characters, the newest first, are left out, and counted. */
const MAX_TRANSCRIPT_CHARACTERS = 8_388_608;

export function recordEntries(records: RunRecords): readonly ContentEntry[] {
  return [
    { kind: 'run', data: runOf(records) },
    { kind: 'design', data: { ...records.run.design } },
    ...transcriptOf(records),
    ...records.steps.map((step) => ({ kind: 'node' as const, data: nodeOf(records, step) })),
    ...records.approvals.map((row) => ({
      kind: 'approval' as const,
      data: approvalOf(records, row),
    })),
    ...callEntries(records, records.steps),
  ];
}

function runOf({ run }: RunRecords): DataOf<'run'> {
  return {
    pipeline_id: run.id,
    user_id: run.userId,
    conversation_id: run.conversationId,
    design_name: run.designName,
    status: run.status,
    language: run.language,
    simulated: run.simulated,
    on_budget: run.onBudget,
    rerun_of: run.rerunOf,
    reused_nodes: run.reusedNodes,
    created_at: run.createdAt.toISOString(),
    started_at: timeOf(run.startedAt),
    ended_at: timeOf(run.endedAt),
    duration_seconds: run.durationSeconds,
    total_cost: run.totalCost,
    result: run.result === null ? null : { ...run.result },
  };
}

export function transcriptOf({ messages }: Pick<RunRecords, 'messages'>): readonly ContentEntry[] {
  let room = MAX_TRANSCRIPT_CHARACTERS;
  const first = messages.findLastIndex(({ content, metadata }) => {
    room -= content.length + JSON.stringify(metadata).length;
    return room < 0;
  });
  const omitted = first + 1;
  return [
    ...(omitted === 0
      ? []
      : [{ kind: 'omitted' as const, data: { what: 'message' as const, count: omitted } }]),
    ...messages.slice(omitted).map(({ id, role, content, metadata, createdAt }) => ({
      kind: 'message' as const,
      data: { id, role, content, metadata, created_at: createdAt.toISOString() },
    })),
  ];
}

function nodeOf(records: RunRecords, step: AgentStep): DataOf<'node'> {
  const ids = nodeStepIds(step.id);
  return {
    step_id: step.id,
    node: step.node,
    agent_name: step.agentName,
    role: step.role,
    status: step.status,
    output: step.content,
    error: step.error,
    error_code: step.errorCode,
    provider: step.provider,
    model: step.model,
    attempts: step.attempts,
    fallback_from: step.fallbackFrom,
    truncated: step.truncated,
    tokens_used: step.tokensUsed,
    cost: step.cost,
    duration_seconds: step.durationSeconds,
    fields: step.fields,
    reused_from: step.reusedFrom,
    seq: step.seq,
    ended_at: step.endedAt.toISOString(),
    replies: records.replies
      .filter(({ stepId }) => ids.includes(stepId))
      .map((reply) => ({
        step_id: reply.stepId,
        content: reply.content,
        provider: reply.provider,
        model: reply.model,
        finish: reply.finish,
        request_id: reply.requestId,
        prompt_tokens: reply.promptTokens,
        completion_tokens: reply.completionTokens,
        cost: reply.cost,
        created_at: reply.createdAt.toISOString(),
      })),
  };
}

function approvalOf(
  { offers }: RunRecords,
  row: RunRecords['approvals'][number],
): DataOf<'approval'> {
  return {
    node: row.node,
    agent_name: row.agentName,
    input: row.input,
    edited_input: row.editedInput,
    state: row.state,
    on_timeout: row.onTimeout,
    comment: row.comment,
    requested_at: row.requestedAt.toISOString(),
    deadline: row.deadline.toISOString(),
    decided_at: timeOf(row.decidedAt),
    decided_by: row.decidedBy,
    offers: offers
      .filter(({ node }) => node === row.node)
      .map((response) => ({
        id: response.id,
        user_id: response.userId,
        decision: response.decision,
        input: response.input,
        comment: response.comment,
        created_at: response.createdAt.toISOString(),
        taken: response.id === row.offerId,
      })),
  };
}

/** @param nodes whose entries hold the replies that they were given */
export function callEntries(
  { calls, prompts, replies }: Pick<RunRecords, 'calls' | 'prompts' | 'replies'>,
  nodes: readonly Pick<AgentStep, 'id'>[],
): readonly ContentEntry[] {
  const promptsById = new Map(prompts.map((prompt) => [prompt.callId, prompt]));
  const held = new Set(nodes.flatMap(({ id }) => nodeStepIds(id)));
  const loose = new Map(
    replies.filter(({ stepId }) => !held.has(stepId)).map((reply) => [reply.stepId, reply]),
  );
  return calls.map((call, at) => {
    const isLast = calls.findLastIndex(({ stepId }) => stepId === call.stepId) === at;
    const reply = isLast ? loose.get(call.stepId) : undefined;
    const data = { ...callOf(call), prompt: promptOfCall(promptsById.get(call.id)) };
    return {
      kind: 'call',
      data:
        reply === undefined
          ? data
          : { ...data, reply: { content: reply.content, finish: reply.finish } },
    };
  });
}

function promptOfCall(kept: RunRecords['prompts'][number] | undefined): DataOf<'call'>['prompt'] {
  if (kept === undefined) {
    return null;
  }
  const { prompt, sha256 } = kept;
  const messages = prompt.messages.map(({ role, parts }) => ({ role, parts: [...parts] }));
  const answer = prompt.answer && { ...prompt.answer, schema: { ...prompt.answer.schema } };
  return { ...prompt, messages, answer, sha256 };
}

function callOf(call: RunRecords['calls'][number]): DataOf<'call'> {
  return {
    id: call.id,
    step_id: call.stepId,
    attempt: call.attempt,
    call_number: call.callNumber,
    date: call.date,
    provider: call.provider,
    model: call.model,
    state: call.state,
    cost: call.cost,
    reserved: call.reserved,
    input_usd_per_million: call.inputUsdPerMillion,
    output_usd_per_million: call.outputUsdPerMillion,
    prompt_tokens: call.promptTokens,
    completion_tokens: call.completionTokens,
    max_tokens: call.maxTokens,
    bill:
      call.bill?.map(({ kind, tokens, usdPerMillion }) => ({
        kind,
        tokens,
        usd_per_million: usdPerMillion,
      })) ?? null,
    service_tier: call.serviceTier,
    request_id: call.requestId,
    error_code: call.errorCode,
    created_at: call.createdAt.toISOString(),
    closed_at: timeOf(call.closedAt),
  };
}

function timeOf(date: Date | null): string | null {
  return date?.toISOString() ?? null;
}
