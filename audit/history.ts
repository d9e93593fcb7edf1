/**
 * A workflow's history between Temporal's form and a bundle's: payloads opened and their texts to
 * be read as they are, byte for byte, so that the same history can be replayed from it.
 */
import type { PayloadCodec } from '@temporalio/common';
import { historyToJSON, JSONToPayload, payloadToJSON } from '@temporalio/common/lib/proto-utils.js';
import { z } from 'zod';
import { codePartOf } from '../temporal/code-version.js';

type History = Parameters<typeof historyToJSON>[0];
type Node = Readonly<Record<string, unknown>>;
export type HistoryEvent = Node;

const eventsSchema = z.array(z.record(z.string(), z.unknown()));
const payloadSchema = z.object({ metadata: z.record(z.string(), z.string()), data: z.string() });
type PayloadNode = z.infer<typeof payloadSchema>;
const historySchema = z.object({ events: eventsSchema });

/**
 * The events in protobuf's JSON. A payload of text has `text` in the place of its base64 `data`.
 * What names our machines is left out: a replay does not read it.
 */
export async function readableHistory(
  history: History,
  codec: PayloadCodec,
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
  codec: PayloadCodec,
): Promise<ReadonlyMap<object, Node>> {
  const sealed = new Map<object, PayloadNode>();
  mapNodes(events, (node, source) => {
    if (isPayload(node)) {
      sealed.set(source, node);
    }
    return node;
  });
  const opened = new Map<object, Node>();
  for (const [source, { metadata, data }] of sealed) {
    const [payload = {}] = await codec.decode([JSONToPayload({ metadata, data })]);
    opened.set(source, { ...payloadToJSON(payload) });
  }
  return opened;
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
