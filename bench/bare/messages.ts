/** What the bare workflows and their driver agree on. */

/** Of the signal that carries a message's id. */
export const MESSAGE_SIGNAL = 'message';

/** `commits`: how many PostgreSQL commits an activity makes before it answers. */
export interface BareTurns {
  /** Redis channel that the answers go to: each is its message's id. */
  readonly channel: string;
  readonly commits: number;
}

export interface BareRun {
  /** One activity each. */
  readonly commits: readonly number[];
}
