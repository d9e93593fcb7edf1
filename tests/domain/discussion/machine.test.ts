import fc from 'fast-check';
import {
  canReach,
  DISCUSSION_MOVES,
  DISCUSSION_STATES,
  isDecisionForced,
  MAX_TRANSITIONS,
  move,
  mustChoose,
  startMachine,
  validMoves,
  type DiscussionMove,
  type DiscussionStateName,
  type Machine,
} from '../../../domain/discussion/machine.js';

const now = '2026-03-01T09:00:00.000+00:00';

const TABLE: Record<string, DiscussionStateName> = {
  'understand requirements_analyzed': 'design',
  'design designs_generated': 'present',
  'present designs_presented': 'debate',
  'debate feedback_received': 'refine',
  'refine refined_designs_ready': 'present',
  'present user_satisfied': 'confirm',
  'debate user_satisfied': 'confirm',
  'confirm user_confirmed': 'plan',
};

const VALID: Record<DiscussionStateName, DiscussionMove[]> = {
  understand: ['requirements_analyzed', 'restart'],
  design: ['designs_generated', 'restart'],
  present: ['designs_presented', 'user_satisfied', 'restart'],
  debate: ['feedback_received', 'user_satisfied', 'restart'],
  refine: ['refined_designs_ready', 'restart'],
  confirm: ['user_confirmed', 'restart'],
  plan: ['restart'],
};

function machineIn(state: DiscussionStateName, round = 2): Machine {
  return { ...startMachine(), state, round };
}

function walk(machine: Machine, ...events: DiscussionMove[]): Machine {
  return events.reduce((at, event) => {
    const made = move(at, event, { now });
    return made.kind === 'moved' ? made.machine : at;
  }, machine);
}

const pairs = DISCUSSION_STATES.flatMap((state) =>
  DISCUSSION_MOVES.map((event) => [state, event] as const),
);

test('a discussion starts in understand, round 0 of 5', () => {
  expect(startMachine()).toEqual({ state: 'understand', round: 0, max_rounds: 5, history: [] });
});

test.each(pairs)('in %s, %s follows the contract', (state, event) => {
  const before = machineIn(state);
  const frozen = structuredClone(before);
  const target = event === 'restart' ? 'understand' : TABLE[`${state} ${event}`];
  const made = move(before, event, { now, metadata: { why: 'test' } });
  expect(before).toEqual(frozen);
  if (target === undefined) {
    expect(made).toEqual({ kind: 'invalid-transition', state, event, validEvents: VALID[state] });
    return;
  }
  const round = event === 'restart' ? 0 : event === 'designs_presented' ? 3 : 2;
  expect(made).toEqual({
    kind: 'moved',
    machine: {
      state: target,
      round,
      max_rounds: 5,
      history: [
        {
          from_state: state,
          to_state: target,
          event,
          timestamp: now,
          metadata: { why: 'test' },
        },
      ],
    },
  });
});

test.each(DISCUSSION_STATES)('the valid moves of %s end with restart', (state) => {
  expect(validMoves(state)).toEqual(VALID[state]);
});

test('a state is reachable when one move leads there, understand always', () => {
  for (const from of DISCUSSION_STATES) {
    for (const to of DISCUSSION_STATES) {
      const leads = Object.entries(TABLE).some(
        ([key, target]) => key.startsWith(`${from} `) && target === to,
      );
      expect(canReach(from, to)).toBe(to === 'understand' || leads);
    }
  }
});

test('a machine survives being stored as JSON', () => {
  const machine = walk(startMachine(), 'requirements_analyzed', 'designs_generated');
  const restored = JSON.parse(JSON.stringify(machine)) as Machine;
  expect(restored).toEqual(machine);
  expect(walk(restored, 'designs_presented').round).toBe(1);
});

const ROUND = ['feedback_received', 'refined_designs_ready', 'designs_presented'] as const;

test('the fifth presentation forces a decision, the fourth does not', () => {
  let machine = walk(startMachine(), 'requirements_analyzed', 'designs_generated');
  const forced: boolean[] = [];
  for (let presentation = 1; presentation <= 6; presentation += 1) {
    forced.push(isDecisionForced(machine));
    machine = walk(machine, 'designs_presented');
    expect(machine.round).toBe(presentation);
    expect(isDecisionForced(machine)).toBe(forced.at(-1));
    expect(mustChoose(machine)).toBe(forced.at(-1));
    machine = walk(machine, 'feedback_received', 'refined_designs_ready');
  }
  expect(forced).toEqual([false, false, false, false, true, true]);
});

test('only a user who is being asked must choose', () => {
  expect(mustChoose(machineIn('debate', 5))).toBe(true);
  expect(mustChoose(machineIn('refine', 5))).toBe(false);
  expect(mustChoose(machineIn('plan', 5))).toBe(false);
});

test('a restart lifts the forced decision', () => {
  const machine = walk(machineIn('debate', 5), 'restart');
  expect(isDecisionForced(machine)).toBe(false);
});

test('the history keeps the last transitions only', () => {
  let machine = machineIn('debate', 1);
  for (let round = 0; round < 100; round += 1) {
    machine = walk(machine, ...ROUND);
  }
  expect(machine.history).toHaveLength(MAX_TRANSITIONS);
  expect(machine.history.at(-1)?.event).toBe('designs_presented');
});

test('with any input, a valid move moves, another leaves the machine as it was', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...DISCUSSION_MOVES), { maxLength: 60 }), (events) => {
      let machine = startMachine();
      for (const event of events) {
        const isValid = validMoves(machine.state).includes(event);
        const made = move(machine, event, { now });
        expect(made.kind).toBe(isValid ? 'moved' : 'invalid-transition');
        if (made.kind === 'moved') {
          expect(canReach(machine.state, made.machine.state)).toBe(true);
          expect(made.machine.history.at(-1)?.from_state).toBe(machine.state);
          machine = made.machine;
        }
      }
    }),
  );
});
