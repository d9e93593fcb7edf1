/**
 * A workflow's history between Temporal's form and a bundle's: payloads opened and their texts to
 * be read as they are, byte for byte, so that the same history can be replayed from it.
 */
import type { Payload, PayloadCodec, WorkflowSerializationContext } from '@temporalio/common';
import { historyToJSON, JSONToPayload, payloadToJSON } from '@temporalio/common/lib/proto-utils.js';
import { z } from 'zod';
import { codePartOf } from '../temporal/code-version.js';
import type { PayloadReader } from '../temporal/payload-codec.js';

type History = Parameters<typeof historyToJSON>[0];
type Node = Readonly<Record<string, unknown>>;
export type HistoryEvent = Node;

const eventsSchema = z.array(z.record(z.string(), z.unknown()));
const payloadSchema = z.object({ metadata: z.record(z.string(), z.string()), data: z.string() });
type PayloadNode = z.infer<typeof payloadSchema>;
const historySchema = z.object({ events: eventsSchema });
const startSchema = z.object({
  workflowExecutionStartedEventAttributes: z.object({ workflowId: z.string().min(1) }),
});

/**
 * The events in protobuf's JSON. A payload of text has `text` in the place of its base64 `data`.
 * What names our machines is left out: a replay does not read it.
 */
export async function readableHistory(
  history: History,
  codec: PayloadCodec & PayloadReader,
): Promise<readonly HistoryEvent[]> {
  const json: unknown = JSON.parse(historyToJSON(history));
  const { events } = historySchema.parse(json);
  const opened = await openPayloads(events, codec);
  const readable = mapNodes(events, (node, source) => readableNode(opened.get(source) ?? node));
  return eventsSchema.parse(readable);
}

/** As `Worker.runReplayHistory` takes it. */
export function replayableHistory(events: readonly HistoryEvent[]): unknown {
  return { events: mapNodes(events, storedNode) };
}

/** Each payload as it is when opened, by its place in the tree. */
async function openPayloads(
  events: readonly HistoryEvent[],
  codec: PayloadCodec & PayloadReader,
): Promise<ReadonlyMap<object, Node>> {
  const context = contextOf(events);
  const opened = new Map<object, Node>();
  for (const event of events) {
    const asked = payloadsIn(inputOf(event));
    for (const [source, { metadata, data }] of payloadsIn(event)) {
      const payload = JSONToPayload({ metadata, data });
      const isAsked = asked.has(source) && context !== null;
      const inClear = isAsked
        ? await decodeOne(codec, payload, context)
        : await codec.read(payload);
      opened.set(source, { ...payloadToJSON(inClear) });
    }
  }
  return opened;
}

/** As the worker saw it: what it refused must be refused when the history is replayed. */
async function decodeOne(
  codec: PayloadCodec,
  payload: Payload,
  context: WorkflowSerializationContext,
): Promise<Payload> {
  const [decoded = {}] = await codec.decode([payload], context);
  return decoded;
}

function contextOf(events: readonly HistoryEvent[]): WorkflowSerializationContext | null {
  const start = startSchema.safeParse(events[0]);
  return start.success
    ? {
        type: 'workflow',
        namespace: '',
        workflowId: start.data.workflowExecutionStartedEventAttributes.workflowId,
      }
    : null;
}

function inputOf(event: HistoryEvent): unknown {
  for (const attributes of [
    event['workflowExecutionStartedEventAttributes'],
    event['workflowExecutionSignaledEventAttributes'],
  ]) {
    if (typeof attributes === 'object' && attributes !== null) {
      return Reflect.get(attributes, 'input');
    }
  }
  return null;
}

function payloadsIn(
  part: unknown,
  found = new Map<object, PayloadNode>(),
): ReadonlyMap<object, PayloadNode> {
  if (typeof part !== 'object' || part === null) {
    return found;
  }
  if ('metadata' in part && isPayload({ ...part })) {
    return found.set(part, payloadSchema.parse(part));
  }
  for (const inner of Object.values(part)) {
    payloadsIn(inner, found);
  }
  return found;
}

type Change = (node: Node, source: object) => Node;

/** The same tree with each object changed, the innermost first. */
function mapNodes(part: unknown, change: Change): unknown {
  if (Array.isArray(part)) {
    return part.map((each: unknown) => mapNodes(each, change));
  }
  if (typeof part !== 'object' || part === null) {
    return part;
  }
  const inner = Object.entries(part).map(([name, of]) => [name, mapNodes(of, change)] as const);
  return change(Object.fromEntries(inner), part);
}

/** Stack traces have paths, identities the names of hosts; of those only the code is kept. */
const OF_MACHINES = ['stackTrace', 'identity'];
/** A worker's own queue is named after its host. */
const STICKY = 'TASK_QUEUE_KIND_STICKY';

function readableNode(node: Node): Node {
  if (!isPayload(node)) {
    const rest = Object.entries(node).filter(([name]) => !OF_MACHINES.includes(name));
    const code = codePartOf(node['identity']);
    return {
      ...Object.fromEntries(rest),
      ...(node['kind'] === STICKY ? { name: STICKY } : {}),
      ...(code === null ? {} : { identity: code }),
    };
  }
  const { data, metadata } = node;
  const bytes = Buffer.from(data, 'base64');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? { metadata, text } : { metadata, data };
}

function storedNode(node: Node): Node {
  const { metadata, text } = node;
  return typeof text === 'string' && typeof metadata === 'object'
    ? { metadata, data: Buffer.from(text, 'utf8').toString('base64') }
    : node;
}

/** Nothing else in a history has both. */
function isPayload(node: Node): node is Node & PayloadNode {
  return 'metadata' in node && 'data' in node && payloadSchema.safeParse(node).success;
}
