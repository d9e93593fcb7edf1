/** The tables that proofs are made of and kept in; the others are in schema.ts. */
import type { ColumnType, JSONColumnType } from 'kysely';
import type { PromptRecord } from '../../domain/agents/prompt-records.js';

type CreatedAt = ColumnType<Date, Date | string | undefined, Date | string>;

/** What a call has asked its model; it goes with its run, its conversation or its user. */
export interface CallPromptsTable {
  /** Of the ledger's row, which outlives it. */
  callId: string;
  userId: string;
  /** Of its run, else of its conversation. */
  subjectId: string | null;
  prompt: JSONColumnType<PromptRecord>;
  /** Of the whole as it was sent (db/billing/call-prompts.ts). */
  sha256: string;
  createdAt: CreatedAt;
}

/** A signed audit bundle: of a run, or of one run in Temporal of a discussion. */
export interface ArchivesTable {
  /** The pipeline's id, or the id of the discussion's run in Temporal. */
  id: string;
  /** One of the two is set. */
  pipelineId: string | null;
  conversationId: string | null;
  /** The bundle's last hash, which stands for all of it. */
  head: string;
  /** gzip, then AES-256-GCM with its 16-byte tag appended (audit/archive-cipher.ts). */
  bundle: Buffer;
  nonce: Buffer;
  sealedBy: string;
  archivedAt: CreatedAt;
}

/** What stays of an archive that went with its user: that there was one, signed. */
export interface AuditTombstonesTable {
  /** The last hash of the bundle that is gone. */
  head: string;
  document: JSONColumnType<Record<string, unknown>>;
}
