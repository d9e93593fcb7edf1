/** Random runs and their owners' actions, on the real workers. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { setUserBudget } from '../../db/users/users.js';
import { DomainError } from '../../domain/errors.js';
import { designFrom, drawRun, type DrawnRun } from './drawn-runs.js';
import {
  callerOf,
  LONGEST_RUN_MS,
  type Caller,
  type RunFixture,
  type FixtureRun,
} from './run-fixture.js';
import { until } from './until.js';

export interface Story {
  readonly run: DrawnRun;
  /** How long each agent's vendor takes. */
  readonly delaysMs: readonly number[];
  readonly pauses: readonly { readonly at: Moment; readonly forMs: number }[];
  readonly cancel: Moment | null;
  /** What the day affords, and when an administrator raises it, where the run waits for that. */
  readonly budget: { readonly usd: string; readonly raise: Moment | null } | null;
  /** How long the owner thinks about an approval; a second, opposite word may follow at once. */
  readonly decision: { readonly afterMs: number; readonly isDoubled: boolean };
  /** When another run of the same user is ordered, if the lock is free then. */
  readonly rival: Moment | null;
}

const MOMENT = fc.record({ events: fc.nat(7), thenMs: fc.nat(40) });
const sometimes = <T>(drawn: fc.Arbitrary<T>) => fc.option(drawn, { freq: 1 });

const STORY: fc.Arbitrary<Story> = fc.record({
  run: drawRun({
    maxAgents: 6,
    fields: ['x'],
    ends: ['success', 'success', 'success', 'failed'],
    approvals: ['none', 'none', 'none', 'agreed', 'agreed', 'rejected'],
  }),
  delaysMs: fc.array(fc.nat(60), { minLength: 6, maxLength: 6 }),
  pauses: fc.array(fc.record({ at: MOMENT, forMs: fc.nat(300) }), { maxLength: 2 }),
  cancel: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: MOMENT }),
  budget: sometimes(
    fc.record({
      usd: fc.constantFrom('0.000200', '0.000400', '0.000700', '0.001500'),
      raise: sometimes(MOMENT),
    }),
  ),
  decision: fc.record({ afterMs: fc.nat(200), isDoubled: fc.boolean() }),
  rival: sometimes(MOMENT),
});

export function drawStories(count: number, seed: number): readonly Story[] {
  return fc.sample(STORY, { numRuns: count, seed });
}

export interface PlayedStory {
  readonly story: Story;
  readonly run: FixtureRun;
  /** What the run's user may spend when all is over. */
  readonly limitUsd: string;
  /** Whether a cancel was asked for. */
  readonly isCancelled: boolean;
}

export interface Theatre {
  /** Plays a story to its end. @returns it, and its rival's if there was one */
  play(story: Story): Promise<readonly PlayedStory[]>;
  /** Calls that were made although their run did not have its user's lock. */
  readonly callsWithoutSlot: readonly Caller[];
  close(): Promise<void>;
}

const AMPLE_USD = '5.000000';

export function openTheatre(fixture: RunFixture): Theatre {
  const stories = new Map<string, Story>();
  const callsWithoutSlot: Caller[] = [];
  const progress = watchProgress(fixture);
  fixture.vendors.setBehaviour((call) => {
    const caller = callerOf(call);
    const looked = lacksSlot(fixture, caller).then((isMissing) => {
      if (isMissing) {
        callsWithoutSlot.push(caller);
      }
    });
    return { ...behaviourOf(stories.get(caller.runId), caller), hold: looked };
  });
  return {
    callsWithoutSlot,
    async play(story) {
      const { budget, cancel } = story;
      const userId = await fixture.createUser(budget?.usd ?? AMPLE_USD);
      const onBudget = budget?.raise == null ? 'stop' : 'pause';
      const pipelineId = randomUUID();
      stories.set(pipelineId, story); // before its first call
      const run = await fixture.start(userId, designFrom(story.run), { pipelineId, onBudget });
      const [rival] = await Promise.all([
        progress
          .reached(run, story.rival)
          .then((isTime) => (isTime ? order(fixture, userId) : null)),
        disturb(fixture, progress, { story, run }),
        decide(fixture, run, story),
        fixture.ended(run).catch(() => undefined), // judged as what it is
      ]);
      const limitUsd = budget === null || budget.raise !== null ? AMPLE_USD : budget.usd;
      const played = { story, run, limitUsd, isCancelled: cancel !== null };
      if (rival === null) {
        return [played];
      }
      await fixture.ended(rival).catch(() => undefined);
      const alone = { ...story, run: RIVAL, cancel: null };
      return [played, { story: alone, run: rival, limitUsd, isCancelled: false }];
    },
    close: () => progress.close(),
  };
}

/** What is done to a run from outside, each at its moment. */
async function disturb(
  fixture: RunFixture,
  { reached }: Progress,
  { story, run }: Pick<PlayedStory, 'story' | 'run'>,
): Promise<void> {
  const at = async (moment: Moment | null, act: () => Promise<unknown>) => {
    if (await reached(run, moment)) {
      await act();
    }
  };
  await Promise.all([
    at(story.cancel, () => cancel(fixture, run)),
    at(story.budget?.raise ?? null, () => raise(fixture, run.userId)),
    ...story.pauses.map((it) => at(it.at, () => hold(fixture, run, it.forMs))),
  ]);
}

const NO_APPROVAL = { approval: 'none', end: 'success', x: 0, putOff: 0 } as const;
const RIVAL: DrawnRun = {
  agents: ['r1', 'r2'].map((name) => ({ ...NO_APPROVAL, name })),
  edges: [],
};

/** A rival has no story, and simply succeeds. */
function behaviourOf(story: Story | undefined, { agent }: Caller) {
  const { run, delaysMs } = story ?? { run: RIVAL, delaysMs: [] };
  const at = run.agents.findIndex(({ name }) => name === agent);
  const { end, x } = run.agents[at] ?? NO_APPROVAL;
  return end === 'failed'
    ? ({ kind: 'status', status: 400 } as const)
    : ({ kind: 'answer', text: JSON.stringify({ x }), delayMs: delaysMs[at] ?? 0 } as const);
}

/**
 * Whether a run calls that does not have its user's lock; one that has ended meanwhile is left out.
 * To be asked while the call is in flight: once it is answered, the run may give its lock back.
 */
async function lacksSlot({ product }: RunFixture, { runId }: Caller): Promise<boolean> {
  const run = await product.db
    .selectFrom('pipelineExecutions')
    .select(['status', 'holdsSlot'])
    .where('id', '=', runId)
    .executeTakeFirst();
  return run?.status === 'running' && !run.holdsSlot;
}

/** What an owner asks of a run that has ended meanwhile is refused, and that is fine. */
async function unlessEnded(ask: () => Promise<unknown>): Promise<void> {
  try {
    await ask();
  } catch (error) {
    const isLate =
      error instanceof DomainError &&
      ['run-ended', 'unavailable', 'nothing-to-approve'].includes(error.code);
    if (!isLate) {
      throw error;
    }
  }
}

async function hold({ control }: RunFixture, { id, userId }: FixtureRun, forMs: number) {
  await unlessEnded(() => control.pauseRun(userId, id));
  await pause(forMs);
  await unlessEnded(() => control.resumeRun(userId, id));
}

async function cancel(fixture: RunFixture, run: FixtureRun): Promise<void> {
  await fixture
    .handleOf(run)
    .cancel()
    .catch(() => undefined); // it has ended meanwhile
}

async function raise({ control, product }: RunFixture, userId: string): Promise<void> {
  await setUserBudget(product.db, { userId, budgetUsd: AMPLE_USD });
  await control.tellBudgetChanged(userId);
}

/** @returns the run, or null if the lock is taken or the day's budget is used up */
async function order(fixture: RunFixture, userId: string): Promise<FixtureRun | null> {
  try {
    return await fixture.start(userId, designFrom(RIVAL));
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('refused: ')) {
      return null;
    }
    throw error;
  }
}

/** Which of two decisions at once is first is not determined. */
const BOTH = ['approve', 'reject'] as const;

/** Answers every question of a run as its story has it, until the run has ended. */
async function decide(fixture: RunFixture, run: FixtureRun, story: Story): Promise<void> {
  const { id: pipelineId, userId } = run;
  const { db } = fixture.product;
  const answered = new Set<string>();
  const answers: Promise<unknown>[] = [];
  const answer = async (node: string) => {
    await pause(story.decision.afterMs);
    const isAgreed = story.run.agents[positionOf(run, node)]?.approval === 'agreed';
    const words = story.decision.isDoubled ? BOTH : ([isAgreed ? 'approve' : 'reject'] as const);
    const response = { pipelineId, node, userId, input: null, comment: null };
    const offers = words.map((decision) => ({ ...response, decision }));
    await Promise.all(offers.map((it) => unlessEnded(() => fixture.control.decideApproval(it))));
  };
  await until(
    `run ${pipelineId} has ended`,
    async () => {
      const wanted = await db
        .selectFrom('approvals')
        .select('node')
        .where('pipelineId', '=', pipelineId)
        .where('state', '=', 'wanted')
        .execute();
      for (const { node } of wanted.filter((it) => !answered.has(it.node))) {
        answered.add(node);
        answers.push(answer(node));
      }
      const { endedAt } = await db
        .selectFrom('pipelineExecutions')
        .select('endedAt')
        .where('id', '=', pipelineId)
        .executeTakeFirstOrThrow();
      return endedAt !== null;
    },
    LONGEST_RUN_MS,
  ).catch(() => undefined);
  await Promise.all(answers);
}

/** In sequential mode a repeated name has a suffix: `n0_1` is the second of that name. */
function positionOf({ design }: FixtureRun, node: string): number {
  const [, name = node, suffix = '0'] = /^(n\d+)(?:_(\d+))?$/.exec(node) ?? [];
  const namesakes = design.agents.flatMap((agent, at) => (agent.name === name ? [at] : []));
  return namesakes[Number(suffix)] ?? -1;
}

/** A moment of a run: so many events are stored, and a little later. */
interface Moment {
  readonly events: number;
  readonly thenMs: number;
}

type Progress = ReturnType<typeof watchProgress>;

const POLL_MS = 20;

/** Looks at all runs by one query. */
function watchProgress({ product }: RunFixture) {
  const events = new Map<string, number>();
  /** Runs that have ended, or have waited for a budget. */
  const still = new Set<string>();
  const stopping = new AbortController();
  const look = async () => {
    const rows = await product.db
      .selectFrom('streams')
      .innerJoin('pipelineExecutions as run', 'run.id', 'streams.id')
      .select(['streams.id', 'streams.lastSeq', 'run.endedAt', 'run.waitingFor'])
      .execute();
    rows.forEach(({ id, lastSeq, endedAt, waitingFor }) => {
      events.set(id, lastSeq);
      if (endedAt !== null || waitingFor === 'budget') {
        still.add(id);
      }
    });
  };
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      await look();
      await pause(POLL_MS);
    }
  })();
  return {
    /** Waits for a moment, or until it cannot come any more. @returns false for no moment */
    async reached({ id }: FixtureRun, moment: Moment | null): Promise<boolean> {
      if (moment === null) {
        return false;
      }
      const isThere = () => still.has(id) || (events.get(id) ?? 0) >= moment.events;
      await until(`run ${id} is there`, isThere, LONGEST_RUN_MS).catch(() => undefined);
      await pause(moment.thenMs);
      return true;
    },
    async close() {
      stopping.abort();
      await watching;
    },
  };
}
