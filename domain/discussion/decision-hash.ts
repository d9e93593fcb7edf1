/**
 * Names what a turn has decided. The activity that has stored the decision and the workflow that
 * makes it again compare names, so that neither has to carry the other's state.
 */
import type { ConversationId, MessageId } from '../ids.js';
import type { Decision } from './decide.js';

/** Where workflows report a turn that they decide otherwise than it is recorded. */
export type DecisionSinks = {
  readonly decisions: { differs(turn: DifferingTurn): void };
};

export interface DifferingTurn {
  readonly conversationId: ConversationId;
  readonly messageId: MessageId;
}

/** Of the events and the next state, 16 hexadecimal digits. It finds mistakes, not attackers. */
export function hashDecision({ state, events }: Decision): string {
  const text = canonical({ state, events });
  return `${fnv1a(text, FNV_OFFSET)}${fnv1a(text, OTHER_OFFSET)}`;
}

/** Source: RFC 9923, FNV-1a of 32 bits; here over UTF-16 code units. */
const FNV_OFFSET = 0x81_1c_9d_c5;
const FNV_PRIME = 0x01_00_01_93;
const OTHER_OFFSET = 0x9e_37_79_b9;
const HEX = 16;
const HASH_DIGITS = 8;

function fnv1a(text: string, offset: number): string {
  let hash = offset;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  }
  return (hash >>> 0).toString(HEX).padStart(HASH_DIGITS, '0');
}

/** JSON with sorted names: what is lost on the way through JSON makes no difference. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map(canonical).join(',')}]`;
  }
  if (typeof value !== 'object' || value === null) {
    return value === undefined ? 'null' : JSON.stringify(value);
  }
  const fields: readonly (readonly [string, unknown])[] = Object.entries(value);
  return `{${fields
    .filter(([, field]) => field !== undefined)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`)
    .join(',')}}`;
}
