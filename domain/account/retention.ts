/** How long what is kept; `0` days mean for ever. */
export interface RetentionAges {
  /** Events of streams, from when they were stored. */
  readonly eventsDays: number;
  /** Runs that have ended, with all that they have made, from their end. */
  readonly runsDays: number;
  /** Conversations, with their messages and runs, from the last message. */
  readonly conversationsDays: number;
  /** What calls have cost, by UTC day. */
  readonly ledgerDays: number;
}

/** In the order in which they are removed: a conversation takes its runs and events along. */
export const RETENTION_KINDS = [
  'conversations',
  'runs',
  'replies',
  'events',
  'ledger-days',
  'refresh-tokens',
] as const;

export type RetentionKind = (typeof RETENTION_KINDS)[number];

const DAY_MS = 86_400_000;

/** What is older than this may go; null: nothing may. */
export function cutoffOf(kind: RetentionKind, ages: RetentionAges, now: Date): Date | null {
  if (kind === 'refresh-tokens') {
    return now; // they say themselves until when they are good
  }
  const days = daysOf(kind, ages);
  return days === 0 ? null : new Date(now.getTime() - days * DAY_MS);
}

function daysOf(kind: Exclude<RetentionKind, 'refresh-tokens'>, ages: RetentionAges): number {
  switch (kind) {
    case 'conversations':
      return ages.conversationsDays;
    case 'runs':
    case 'replies':
      return ages.runsDays;
    case 'events':
      return ages.eventsDays;
    case 'ledger-days':
      return ages.ledgerDays;
  }
}
