/** What each call has asked its model, kept with the reservation that is made for it. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { sql } from 'kysely';
import {
  recordPrompt,
  type PromptRecord,
  type SentPrompt,
} from '../../domain/agents/prompt-records.js';
import type { CallEstimate } from '../../domain/account/costs.js';
import type { UserId } from '../../domain/ids.js';
import { toStorable } from '../../domain/text/storable-text.js';
import type { Db, Tx } from '../connect.js';
import { UNENDED_STATUSES } from '../index-conditions.js';

/**
 * Of the canonical JSON (RFC 8785) of model, temperature, answer schema and messages.
 *
 * @returns 64 hexadecimal digits
 */
export function promptSha256({ model, temperature, answer, messages }: SentPrompt): string {
  const document = toStorable({ model, temperature, answer, messages });
  return createHash('sha256')
    .update(canonicalize(document) ?? '')
    .digest('hex');
}

/** Part of the statement that charges a call (costs.ts), after `call`. */
export function keepingPrompt({ prompt, quoted = [] }: CallEstimate, now: Date) {
  const record = prompt === undefined ? null : recordPrompt(prompt, quoted);
  const sha256 = prompt === undefined ? null : promptSha256(prompt);
  return sql`
    prompt as (
      insert into call_prompts (call_id, user_id, subject_id, prompt, sha256, created_at)
      select id, user_id, coalesce(pipeline_id, conversation_id),
        ${record === null ? null : JSON.stringify(toStorable(record))}::json, ${sha256}, ${now}::timestamptz
      from call where ${sha256}::text is not null
    )`;
}

export interface CallPrompt {
  readonly callId: string;
  readonly prompt: PromptRecord;
  readonly sha256: string;
}

export async function listPrompts(
  db: Db,
  callIds: readonly string[],
): Promise<readonly CallPrompt[]> {
  return db
    .selectFrom('callPrompts')
    .select(['callId', 'prompt', 'sha256'])
    .where(sql<boolean>`call_id = any(${callIds}::uuid[])`)
    .execute();
}

/** @returns how many; call again when it is a full batch */
export async function removeUsersPrompts(db: Db, userId: UserId, limit: number): Promise<number> {
  const { rows } = await sql`
    delete from call_prompts where call_id in (
      select call_id from call_prompts where user_id = ${userId}::uuid limit ${limit} for update
    )
    returning call_id`.execute(db);
  return rows.length;
}

/** Of before then, and of no run that has not ended. @returns how many */
export async function prunePrompts(
  db: Db,
  { before, limit }: { readonly before: Date; readonly limit: number },
): Promise<number> {
  const { rows } = await sql`
    delete from call_prompts where call_id in (
      select call_id from call_prompts as asked
      where created_at < ${before}::timestamptz and not exists (
        select from pipeline_executions as run
        where run.id = asked.subject_id and run.status in ${UNENDED_STATUSES})
      order by created_at limit ${limit} for update skip locked
    )
    returning call_id`.execute(db);
  return rows.length;
}

/** Of runs, or of conversations and the runs in them. */
export async function removePromptsOf(tx: Tx, subjectIds: readonly string[]): Promise<void> {
  await sql`
    delete from call_prompts
    where subject_id = any(${subjectIds}::uuid[]) or subject_id in (
      select id from pipeline_executions where conversation_id = any(${subjectIds}::uuid[])
    )`.execute(tx);
}
