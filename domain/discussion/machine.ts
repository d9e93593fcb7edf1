export const DISCUSSION_STATES = [
  'understand',
  'design',
  'present',
  'debate',
  'refine',
  'confirm',
  'plan',
] as const;
export type DiscussionStateName = (typeof DISCUSSION_STATES)[number];

export const DISCUSSION_MOVES = [
  'requirements_analyzed',
  'designs_generated',
  'designs_presented',
  'feedback_received',
  'refined_designs_ready',
  'user_satisfied',
  'user_confirmed',
  'restart',
] as const;
export type DiscussionMove = (typeof DISCUSSION_MOVES)[number];

/** One recorded move. Source: contract, discussion §2. */
export interface Transition {
  readonly from_state: DiscussionStateName;
  readonly to_state: DiscussionStateName;
  readonly event: DiscussionMove;
  /** ISO 8601, UTC */
  readonly timestamp: string;
  /** Keep it small: it is carried along with the machine. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** The state of a discussion: plain data, so that storing and restoring it needs no code. */
export interface Machine {
  readonly state: DiscussionStateName;
  /** Presentations so far: 0 before the first. */
  readonly round: number;
  readonly max_rounds: number;
  readonly history: readonly Transition[];
}

/** Source: contract, discussion §1. */
export const MAX_ROUNDS = 5;

/** Transitions kept: more than one whole discussion of five rounds, small enough to carry along. */
export const MAX_TRANSITIONS = 50;

/** Source: contract, discussion §2; `restart` is possible everywhere and not listed. */
const TABLE: Readonly<
  Record<DiscussionStateName, Partial<Record<DiscussionMove, DiscussionStateName>>>
> = {
  understand: { requirements_analyzed: 'design' },
  design: { designs_generated: 'present' },
  present: { designs_presented: 'debate', user_satisfied: 'confirm' },
  debate: { feedback_received: 'refine', user_satisfied: 'confirm' },
  refine: { refined_designs_ready: 'present' },
  confirm: { user_confirmed: 'plan' },
  plan: {},
};

export function startMachine(): Machine {
  return { state: 'understand', round: 0, max_rounds: MAX_ROUNDS, history: [] };
}

export type Moved =
  | { readonly kind: 'moved'; readonly machine: Machine }
  | {
      readonly kind: 'invalid-transition';
      readonly state: DiscussionStateName;
      readonly event: DiscussionMove;
      readonly validEvents: readonly DiscussionMove[];
    };

/**
 * The machine after `event`; the given one stays as it is.
 *
 * @param at `now` is ISO 8601, UTC.
 */
export function move(
  machine: Machine,
  event: DiscussionMove,
  at: { now: string; metadata?: Record<string, unknown> },
): Moved {
  const { state } = machine;
  const target = targetOf(state, event);
  if (target === undefined) {
    return { kind: 'invalid-transition', state, event, validEvents: validMoves(state) };
  }
  const transition: Transition = {
    from_state: state,
    to_state: target,
    event,
    timestamp: at.now,
    metadata: { ...at.metadata },
  };
  return {
    kind: 'moved',
    machine: {
      state: target,
      round: roundAfter(machine.round, event),
      max_rounds: machine.max_rounds,
      history: [...machine.history, transition].slice(-MAX_TRANSITIONS),
    },
  };
}

/** In the order of the contract's table, `restart` last. */
export function validMoves(state: DiscussionStateName): readonly DiscussionMove[] {
  return DISCUSSION_MOVES.filter((event) => targetOf(state, event) !== undefined);
}

/** Whether one move leads from `from` to `to`. */
export function canReach(from: DiscussionStateName, to: DiscussionStateName): boolean {
  return DISCUSSION_MOVES.some((event) => targetOf(from, event) === to);
}

/**
 * Whether the presentation that is being made (in `present`) or was made last (after it) is the
 * fifth or a later one, so that its event carries `force_decision`. The answer is the same just
 * before and just after the `designs_presented` move.
 */
export function isDecisionForced(machine: Machine): boolean {
  const presentations = machine.round + (machine.state === 'present' ? 1 : 0);
  return presentations >= machine.max_rounds;
}

/**
 * Whether only a choice leads on: the fifth presentation has been made and the user is asked. Any
 * message that chooses nothing is then answered with the same designs and the same round, without
 * a move; the table itself still knows `feedback_received`, so ask this first.
 */
export function mustChoose(machine: Machine): boolean {
  return machine.state === 'debate' && isDecisionForced(machine);
}

function targetOf(
  state: DiscussionStateName,
  event: DiscussionMove,
): DiscussionStateName | undefined {
  return event === 'restart' ? 'understand' : TABLE[state][event];
}

function roundAfter(round: number, event: DiscussionMove): number {
  if (event === 'restart') {
    return 0;
  }
  return event === 'designs_presented' ? round + 1 : round;
}
