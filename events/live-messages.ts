/** What the channels of agents at work carry, signed for their channel (macs.ts). */
import { z } from 'zod';
import type { StreamId } from '../domain/ids.js';

/** A channel of its own, so that only subscribers of live text get its traffic. */
export function liveChannelOf(streamId: StreamId): string {
  return `agentforge:live:${streamId}`;
}

const LiveMessageShape = z.object({
  pipelineId: z.string(),
  node: z.string(),
  /** Absent: look at the agent's entry. */
  piece: z.object({ reply: z.string(), offset: z.int().min(0), text: z.string() }).optional(),
});

/** Something is new about an agent: a piece of its reply, or anything else. */
export type LiveMessage = z.infer<typeof LiveMessageShape>;

/** Of a piece; an agent's entry holds the longer ones. */
export const MAX_PIECE_CHARACTERS = 32_768;

export function encodeLiveMessage(message: LiveMessage): string {
  return JSON.stringify(message);
}

/** @returns null for anything that is no message of ours */
export function parseLiveMessage(text: string): LiveMessage | null {
  try {
    return LiveMessageShape.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
