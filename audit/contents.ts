/** What the entries of a bundle tell, kind by kind, in the order in which they stand. */
import { z } from 'zod';

const time = z.iso.datetime();
/** Exact decimal. */
const money = z.string();
const document = z.record(z.string(), z.unknown());
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Which release, and which code its workflows were decided by. */
export const codeSchema = z.object({ version: z.string(), workflow_bundle: sha256 });
export type CodeNote = z.infer<typeof codeSchema>;

/** The run, as its owner sees it and as it was admitted. */
const run = z.object({
  pipeline_id: z.string(),
  user_id: z.string(),
  conversation_id: z.string().nullable(),
  design_name: z.string(),
  status: z.string(),
  language: z.string(),
  simulated: z.boolean(),
  on_budget: z.string(),
  rerun_of: z.string().nullable(),
  reused_nodes: z.array(z.string()),
  created_at: time,
  started_at: time.nullable(),
  ended_at: time.nullable(),
  duration_seconds: z.number().nullable(),
  total_cost: money,
  result: document.nullable(),
});

/** One run in Temporal of a discussion: it may have begun with what an earlier one handed on. */
const discussion = z.object({
  conversation_id: z.string(),
  user_id: z.string(),
  title: z.string(),
  run_id: z.string(),
  started_at: time,
  closed_at: time,
});

/** A message of the conversation that the run came from, up to the run's end. */
const message = z.object({
  id: z.string(),
  role: z.string(),
  content: z.string(),
  metadata: z.unknown(),
  created_at: time,
});

/** How much of one kind is left out, because a bundle is bounded: the oldest. */
const omitted = z.object({ what: z.literal('message'), count: z.int().min(1) });

const prompt = z.object({ role: z.string(), content: z.string() });

/** One agent: its prompt, the providers' replies, and its result. */
const node = z.object({
  step_id: z.string(),
  node: z.string(),
  agent_name: z.string(),
  role: z.string(),
  status: z.string(),
  /** In bundles of releases before 0.7.0: what a model was asked, made again; now with each call. */
  input: z.array(prompt).nullable().optional(),
  output: z.string(),
  error: z.string().nullable(),
  error_code: z.string().nullable(),
  provider: z.string().nullable(),
  model: z.string().nullable(),
  attempts: z.number().nullable(),
  fallback_from: z.string().nullable(),
  /** Absent in bundles of releases before 0.6.0. */
  truncated: z.boolean().optional(),
  tokens_used: z.number(),
  cost: money,
  duration_seconds: z.number(),
  fields: z.record(z.string(), z.number()),
  reused_from: z.string().nullable(),
  /** Its place in the stream of events; null: it ended after its run. */
  seq: z.number().nullable(),
  ended_at: time,
  /** One per answer: the first, and the one that repaired it. */
  replies: z.array(
    z.object({
      step_id: z.string(),
      content: z.string(),
      provider: z.string(),
      model: z.string(),
      finish: z.string(),
      request_id: z.string().nullable(),
      prompt_tokens: z.number(),
      completion_tokens: z.number(),
      cost: money,
      created_at: time,
    }),
  ),
});

/** What the run asked its owner, and all that was said to it. */
const approval = z.object({
  node: z.string(),
  agent_name: z.string(),
  input: z.string(),
  edited_input: z.string().nullable(),
  state: z.string(),
  on_timeout: z.string(),
  comment: z.string().nullable(),
  requested_at: time,
  deadline: time,
  decided_at: time.nullable(),
  decided_by: z.string().nullable(),
  offers: z.array(
    z.object({
      id: z.string(),
      user_id: z.string(),
      decision: z.string(),
      input: z.string().nullable(),
      comment: z.string().nullable(),
      created_at: time,
      /** Whether it is the one that decided. */
      taken: z.boolean(),
    }),
  ),
});

/** A text, or UTF-16 units of what an agent has made (`output`) or a model has answered (`reply`). */
const promptPart = z.union([
  z.string(),
  z.object({
    of: z.enum(['output', 'reply']),
    step_id: z.string(),
    from: z.int().min(0),
    to: z.int().min(0),
  }),
]);

const sentPrompt = z.object({
  model: z.string(),
  temperature: z.number(),
  answer: z.object({ name: z.string(), schema: document }).nullable(),
  messages: z.array(z.object({ role: z.string(), parts: z.array(promptPart) })),
  /** Of the canonical JSON of the four with `content` in the place of `parts`. */
  sha256,
});

/** One call of a vendor: a line of the ledger. */
const call = z.object({
  id: z.string(),
  step_id: z.string(),
  attempt: z.number(),
  call_number: z.number(),
  date: z.string(),
  provider: z.string(),
  model: z.string(),
  state: z.string(),
  cost: money,
  reserved: money,
  input_usd_per_million: money,
  output_usd_per_million: money,
  prompt_tokens: z.number().nullable(),
  completion_tokens: z.number().nullable(),
  max_tokens: z.number(),
  /** What it was settled at: tokens by kind, each with its rate. Absent in bundles of releases before 0.9.0. */
  bill: z
    .array(z.object({ kind: z.string(), tokens: z.number(), usd_per_million: money }))
    .nullable()
    .optional(),
  /** The vendor's word for how it was served; null: the standard tier. Absent as `bill` is. */
  service_tier: z.string().nullable().optional(),
  /** The vendor's own name for the call. */
  request_id: z.string().nullable(),
  error_code: z.string().nullable(),
  created_at: time,
  closed_at: time.nullable(),
  /** What was sent, `max_tokens` aside; null: not kept, by releases before 0.7.0. Absent in bundles of those. */
  prompt: sentPrompt.nullable().optional(),
  /** What was answered, where no node holds it. */
  reply: z.object({ content: z.string(), finish: z.string() }).optional(),
});

/** Why there may be no history: no workflow ever began, the server had lost it, or it is too large. */
export const HISTORY_STATES = ['archived', 'none', 'lost', 'too-large'] as const;
export type HistoryState = (typeof HISTORY_STATES)[number];

/** Its events follow, one entry each. */
const history = z.object({
  state: z.enum(HISTORY_STATES),
  workflow_id: z.string(),
  run_id: z.string().nullable(),
  events: z.int().min(0),
});

/** An event of the history in protobuf's JSON, its payloads opened (audit/history.ts). */
const event = document;

const archive = z.object({ archived_at: time, archived_by: codeSchema });

export const contentsSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('run'), data: run }),
  z.object({ kind: z.literal('discussion'), data: discussion }),
  z.object({ kind: z.literal('design'), data: document }),
  z.object({ kind: z.literal('omitted'), data: omitted }),
  z.object({ kind: z.literal('message'), data: message }),
  z.object({ kind: z.literal('node'), data: node }),
  z.object({ kind: z.literal('approval'), data: approval }),
  z.object({ kind: z.literal('call'), data: call }),
  z.object({ kind: z.literal('code'), data: codeSchema.nullable() }),
  z.object({ kind: z.literal('history'), data: history }),
  z.object({ kind: z.literal('event'), data: event }),
  z.object({ kind: z.literal('archive'), data: archive }),
]);
export type ContentEntry = z.infer<typeof contentsSchema>;
export type DataOf<K extends ContentEntry['kind']> = Extract<ContentEntry, { kind: K }>['data'];

/** For `filter`: the entries of one kind. */
export function isOf<K extends ContentEntry['kind']>(kind: K) {
  return (entry: ContentEntry): entry is Extract<ContentEntry, { kind: K }> => entry.kind === kind;
}
