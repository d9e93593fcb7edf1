/**
 * The tables as Kysely sees them: columns in camelCase (CamelCasePlugin translates), documents
 * (JSON columns) in the contract's spelling. `numeric` columns are strings: money is exact.
 */
import type { ColumnType, Generated, GeneratedAlways, JSONColumnType } from 'kysely';
import type { BillLine } from '../domain/account/bill.js';
import type { EndpointModel, EndpointQuirks } from '../domain/agents/endpoints.js';
import type { AgentWait } from '../domain/run/agent-waits.js';
import type { Design } from '../domain/design/designs.js';
import type { ErrorCode } from '../domain/errors.js';
import type { StreamEvent } from '../domain/events.js';
import type { ProviderName, Vendor } from '../domain/agents/models.js';
import type { Action, Role } from '../domain/account/permissions.js';
import type {
  AgentStatus,
  BudgetRule,
  PipelineResult,
  PipelineStatus,
  WaitReason,
} from '../domain/run/results.js';
import type { DiscussionState } from '../domain/discussion/state.js';
import type { UnreadSource } from '../domain/collector/unread-sources.js';
import type {
  ArchivesTable,
  AuditTombstonesTable,
  CallPromptsTable,
} from './audit/audit-tables.js';

type Timestamp = ColumnType<Date, Date | string, Date | string>;
type CreatedAt = ColumnType<Date, Date | string | undefined, Date | string>;
/** Exact decimal; read as a string, written as a string. */
type Money = ColumnType<string, string | undefined, string>;
type Json<T> = JSONColumnType<T & object>;

export interface Database {
  users: UsersTable;
  refreshTokens: RefreshTokensTable;
  /** Where users have signed in from. */
  signInNetworks: { userId: string; networkHash: string; lastUsedAt: CreatedAt };
  conversations: ConversationsTable;
  messages: MessagesTable;
  apiKeys: ApiKeysTable;
  userDailyCosts: UserDailyCostsTable;
  serverKeyDays: ServerKeyDaysTable;
  encryptionKeys: EncryptionKeysTable;
  temporalHome: TemporalHomeTable;
  anonymousDays: AnonymousDaysTable;
  pipelineTemplates: PipelineTemplatesTable;
  pipelineExecutions: PipelineExecutionsTable;
  agentSteps: AgentStepsTable;
  approvals: ApprovalsTable;
  approvalOffers: ApprovalOffersTable;
  costLedger: CostLedgerTable;
  callPrompts: CallPromptsTable;
  modelReplies: ModelRepliesTable;
  userLlmKeys: UserLlmKeysTable;
  modelEndpoints: ModelEndpointsTable;
  streams: StreamsTable;
  streamEvents: StreamEventsTable;
  discussions: DiscussionsTable;
  adminActions: AdminActionsTable;
  archives: ArchivesTable;
  auditTombstones: AuditTombstonesTable;
}

export interface TemporalHomeTable {
  /** One row at most. */
  isOnly: Generated<boolean>;
  namespace: string;
  namespaceId: string | null;
  since: CreatedAt;
}

export interface UsersTable {
  id: string;
  /** Unique without regard to case (index on `lower(email)`). */
  email: string;
  hashedPassword: string;
  displayName: string;
  role: Generated<Role>;
  /** US dollars per UTC day in place of the role's limit; null: the role's. */
  dailyBudgetUsd: string | null;
  /** Since then the account is being deleted and counts as gone; name and address went at once. */
  deletedAt: Timestamp | null;
  /** Since then an administrator has shut the account: nothing of it works until it is opened. */
  disabledAt: Timestamp | null;
  /** Since then it waits for an administrator, and may start nothing; null: approved. */
  awaitingApprovalSince: Timestamp | null;
  /** Credentials of before that time do not count; null: all of them do. */
  sessionsValidAfter: Timestamp | null;
  createdAt: CreatedAt;
  updatedAt: CreatedAt;
}

/** One row per refresh token; a token used twice ends its family. */
export interface RefreshTokensTable {
  /** the token's `jti` */
  id: string;
  userId: string;
  familyId: string;
  expiresAt: Timestamp;
  usedAt: Timestamp | null;
  revokedAt: Timestamp | null;
  createdAt: CreatedAt;
}

export interface ConversationsTable {
  id: string;
  userId: string;
  title: string;
  status: Generated<'active' | 'archived'>;
  /** UTC day on which it counted against discussions per day, once. */
  countedOn: string | null;
  createdAt: CreatedAt;
  updatedAt: CreatedAt;
}

export interface MessagesTable {
  /** For a user's message: its message id, so that a repeated signal stores it once. */
  id: string;
  conversationId: string;
  /** Order of storing; breaks ties of `created_at`. */
  position: Generated<number>;
  role: 'user' | 'assistant' | 'system';
  content: string;
  metadata_: JSONColumnType<Record<string, unknown>> | null;
  createdAt: CreatedAt;
}

export interface ApiKeysTable {
  id: string;
  userId: string;
  name: string;
  keyHash: string;
  keyPrefix: string;
  /** The key that has made this one: it ends with that key. null: made in a session. */
  parentId: string | null;
  isActive: Generated<boolean>;
  lastUsedAt: Timestamp | null;
  createdAt: CreatedAt;
}

/** The sum of the user's ledger of that UTC day, at all times. */
export interface UserDailyCostsTable {
  id: Generated<string>;
  userId: string;
  /** `YYYY-MM-DD`, UTC */
  date: string;
  totalCost: Money;
  updatedAt: CreatedAt;
}

/** What a vendor key of the server has paid on a day, for all users together. */
export interface ServerKeyDaysTable {
  provider: ProviderName;
  /** `YYYY-MM-DD`, UTC */
  date: string;
  totalCost: Money;
  updatedAt: CreatedAt;
}

/** Keys that have sealed what is stored, here or in Temporal. */
export interface EncryptionKeysTable {
  /** As `sealed_by` of vendor keys names it. */
  id: string;
  firstUsedAt: CreatedAt;
}

/** What a day of a user has cost who has been deleted: the sum of its calls, without a person. */
export interface AnonymousDaysTable {
  id: Generated<string>;
  /** `YYYY-MM-DD`, UTC */
  date: string;
  totalCost: Money;
}

export interface PipelineTemplatesTable {
  id: string;
  userId: string;
  name: string;
  description: string | null;
  graphData: JSONColumnType<Record<string, unknown>>;
  designData: JSONColumnType<Record<string, unknown>>;
  isPublic: Generated<boolean>;
  createdAt: CreatedAt;
  updatedAt: CreatedAt;
}

export interface PipelineExecutionsTable {
  /** the pipeline id */
  id: string;
  userId: string;
  /** Set for runs that belong to a discussion; they are started by it alone. */
  conversationId: string | null;
  designName: string;
  design: Json<Design>;
  /** The template that it was started from, which may be deleted by now; null: none, or not recorded. */
  templateId: Generated<string | null>;
  /** The language that results and messages are written in. */
  language: string;
  /** Vendor calls of this run use the simulated provider; decided at admission, never mixed. */
  simulated: boolean;
  status: Generated<PipelineStatus>;
  /** At most one row per user is true (partial unique index). */
  holdsSlot: boolean;
  /** It counts for its conversation: of those, at most one is unended (partial unique index). */
  holdsConversation: Generated<boolean>;
  /** Why it makes no progress now; null while it works. */
  waitingFor: WaitReason | null;
  waitingSince: Timestamp | null;
  /** By node: which providers an agent waits for, or has waited for last. */
  agentWaits: JSONColumnType<Readonly<Record<string, AgentWait>>, string | null | undefined> | null;
  onBudget: Generated<BudgetRule>;
  /** The run whose replies it reuses, and for which of its nodes. */
  rerunOf: string | null;
  reusedNodes: JSONColumnType<string[], string | undefined>;
  /** UTC day on which it counts against pipelines per day; null once given back. */
  countedOn: string | null;
  /** Set by the API of 0.6.0 and read by its workers; nothing else uses it. */
  endUnreported: Generated<boolean>;
  agentCount: number;
  /** Set before the first call of the data collector; such a run keeps its count of the day. */
  collectorCalled: Generated<boolean>;
  durationSeconds: number | null;
  errorMessage: string | null;
  result: Json<PipelineResult> | null;
  totalCost: Money;
  createdAt: CreatedAt;
  startedAt: Timestamp | null;
  endedAt: Timestamp | null;
  /** Set together with its `archives` row; null: not archived yet. */
  archivedAt: Timestamp | null;
}

/** One finished agent of a run; `seq` of its `agent_completed` event gives the order. */
export interface AgentStepsTable {
  /** the step id */
  id: string;
  pipelineId: string;
  node: string;
  agentName: string;
  role: string;
  status: AgentStatus;
  content: string;
  error: string | null;
  tokensUsed: number;
  cost: Money;
  durationSeconds: number;
  provider: string | null;
  model: string | null;
  /** null: it ended before they were counted. */
  attempts: number | null;
  fallbackFrom: string | null;
  /** Its answer is not complete, mostly because it reached the token limit. */
  truncated: Generated<boolean>;
  errorCode: ErrorCode | null;
  /** Addresses that it was to read and could not; null: none. */
  unreadSources: JSONColumnType<readonly UnreadSource[], string | null | undefined> | null;
  /** What conditions of edges may look at. */
  fields: JSONColumnType<Record<string, number>, string | undefined>;
  /** The run that its answer comes from; null: it was made for this one. */
  reusedFrom: string | null;
  /** null: it ended after its run, so it is kept and charged but was never announced. */
  seq: number | null;
  endedAt: CreatedAt;
}

/** A node that waits, or has waited, for its run's owner. */
export interface ApprovalsTable {
  pipelineId: string;
  node: string;
  agentName: string;
  /** What is to be agreed to: what the agents before it have made. */
  input: string;
  /** What the owner has put in its place; null: nothing. */
  editedInput: string | null;
  /** `withdrawn`: its run ended first. */
  state: Generated<'wanted' | 'approved' | 'rejected' | 'withdrawn'>;
  onTimeout: 'approve' | 'reject';
  comment: string | null;
  requestedAt: Timestamp;
  deadline: Timestamp;
  decidedAt: Timestamp | null;
  /** null: no one; the deadline has passed, or its run has ended */
  decidedBy: string | null;
  /** Which offer decided; null: none */
  offerId: string | null;
}

/** What an owner has said to a node that waits; the first one that its run takes decides. */
export interface ApprovalOffersTable {
  id: string;
  pipelineId: string;
  node: string;
  userId: string;
  decision: 'approve' | 'reject';
  input: string | null;
  comment: string | null;
  createdAt: CreatedAt;
}

export interface CostLedgerTable {
  id: string;
  stepId: string;
  runId: string;
  attempt: number;
  callNumber: number;
  /** null: of a user who has been deleted; what it was for is gone, too */
  userId: string | null;
  /** The day that pays, of a user who has been deleted. */
  anonymousDay: string | null;
  pipelineId: string | null;
  conversationId: string | null;
  /** UTC day that pays, `YYYY-MM-DD` */
  date: string;
  provider: ProviderName;
  /** Whether a vendor key of the server pays it, and so a day of that key. */
  isServerKey: Generated<boolean>;
  model: string;
  /** `estimated`: the vendor answered, and what it bills is not known, so the reservation stays charged. */
  state: 'reserved' | 'settled' | 'estimated' | 'released' | 'unknown';
  /** What is charged now: the reservation, the settled cost, or 0 once released. */
  cost: Money;
  reserved: Money;
  /** What was reserved at: the dearest rates that the call could meet. */
  inputUsdPerMillion: Money;
  outputUsdPerMillion: Money;
  /** What was settled at: tokens by kind, each with its rate; null: not settled, or before 0.9.0. */
  bill: Json<readonly BillLine[]> | null;
  /** The vendor's word for how it was served; null: the standard tier. */
  serviceTier: string | null;
  promptTokens: number | null;
  completionTokens: number | null;
  maxTokens: number;
  requestId: string | null;
  errorCode: string | null;
  /** The last call of a pass over the vendors that failed retryably. */
  passFailed: Generated<boolean>;
  createdAt: CreatedAt;
  closedAt: Timestamp | null;
}

/** A vendor's reply, once per step; the first writer wins. */
export interface ModelRepliesTable {
  stepId: string;
  userId: string;
  content: string;
  provider: ProviderName;
  model: string;
  finish: 'stop' | 'length' | 'refused';
  requestId: string | null;
  promptTokens: number;
  completionTokens: number;
  cost: Money;
  fallbackFrom: ProviderName | null;
  calls: number;
  createdAt: CreatedAt;
}

/** One row per server that was registered. */
export interface ModelEndpointsTable {
  id: string;
  /** null: for all users, by an administrator */
  userId: string | null;
  /** Unique among those of its owner: how designs name it. */
  name: string;
  baseUrl: string;
  /** Sealed as vendor keys are; null: it wants none. */
  encryptedKey: Buffer | null;
  nonce: Buffer | null;
  sealedBy: string | null;
  models: Json<readonly EndpointModel[]>;
  quirks: Json<EndpointQuirks>;
  /** Whether the last check got an answer. */
  isValid: Generated<boolean>;
  /** Why it is not; words of ours. */
  problem: string | null;
  checkedAt: Timestamp | null;
  createdAt: CreatedAt;
  updatedAt: CreatedAt;
}

export interface UserLlmKeysTable {
  id: string;
  userId: string;
  provider: Vendor;
  /** AES-256-GCM ciphertext with its 16-byte tag appended. */
  encryptedKey: Buffer;
  nonce: Buffer;
  /** Which `ENCRYPTION_KEY` sealed it; an unknown id means "cannot be opened any more". */
  sealedBy: string;
  keyPrefix: string;
  isActive: Generated<boolean>;
  isValid: boolean;
  lastUsedAt: Timestamp | null;
  lastValidatedAt: Timestamp | null;
  createdAt: CreatedAt;
  updatedAt: CreatedAt;
}

/** The row-locked counter that gives events their `seq`. */
export interface StreamsTable {
  /** of its conversation, or of its pipeline where that has none */
  id: string;
  lastSeq: number;
  /** One of the two is the stream's id again, so that the stream is removed with it. */
  conversationId: string | null;
  pipelineId: string | null;
}

export interface StreamEventsTable {
  streamId: string;
  seq: number;
  /** Which step of the turn or run stored it: unique per stream, so that a retry stores nothing. */
  stepKey: string;
  event: Json<StreamEvent>;
  conversationId: string | null;
  createdAt: CreatedAt;
}

/** A discussion's state after its last turn, for revival and for reading without its workflow. */
export interface DiscussionsTable {
  conversationId: string;
  userId: string;
  /** `version` of the talk: an older state never replaces a newer one. */
  version: number;
  talk: Json<DiscussionState>;
  updatedAt: CreatedAt;
}

/** What administrators do to what is not theirs; a trigger refuses every change of it. */
export interface AdminActionsTable {
  id: GeneratedAlways<number>;
  at: CreatedAt;
  /** No reference: the log outlives whom it names. null: a command on the server. */
  actorId: string | null;
  action: Action;
  /** `<kind>:<id>` */
  subject: string;
  details: JSONColumnType<Record<string, unknown>, string | undefined>;
}
