import type { ClientEvent } from '../domain/events.js';

/** A word of the gateway, which has no place in the stream. */
export interface GatewayError {
  readonly type: 'error';
  readonly content: string;
  readonly timestamp: string;
  /** Of the close that follows, if one does: 1009 after a message over the limit. */
  readonly code?: number;
  readonly seq?: never;
}

/** @returns null for a text that is no event; the API sends none */
export function parseEvent(text: string): ClientEvent | null {
  const event: unknown = JSON.parse(text);
  return isEvent(event) ? event : null;
}

function isEvent(value: unknown): value is ClientEvent {
  return typeof value === 'object' && value !== null && 'type' in value;
}
