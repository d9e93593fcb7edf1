/**
 * Many random runs at once on the real thing: parallel, conditional, failing, over budget, paused,
 * approved, rejected and cancelled at random moments, judged by the model of the contract.
 */
import { randomInt } from 'node:crypto';
import { sql } from 'kysely';
import {
  judgeCalls,
  judgeEnd,
  judgeEnded,
  judgeEvents,
  judgeLeftovers,
  judgeMoney,
  judgeOrder,
  judgeResult,
} from '../support/run-judge.js';
import { readRecords, type RunRecords } from '../support/run-records.js';
import { callsOf, openRunFixture, type RunFixture } from '../support/run-fixture.js';
import {
  drawStories,
  openTheatre,
  type PlayedStory,
  type Theatre,
} from '../support/random-stories.js';

const STORIES = 50;
/** More would only wait for each other. */
const AT_ONCE = 20;
/** Another run of the tests draws other stories; a failure names the number that draws them again. */
const SEED = Number(process.env['RANDOM_RUNS_SEED'] ?? randomInt(2 ** 31));

interface Judged extends PlayedStory {
  readonly records: RunRecords;
}

let fixture: RunFixture;
let theatre: Theatre;
const judged: Judged[] = [];

beforeAll(async () => {
  fixture = await openRunFixture();
  theatre = openTheatre(fixture);
  const played = await inTurns(drawStories(STORIES, SEED), theatre.play).catch((cause: unknown) => {
    throw new Error(`the stories of seed ${SEED} could not be played`, { cause });
  });
  for (const story of played.flat()) {
    judged.push({ ...story, records: await readRecords(fixture.product.db, story.run) });
  }
});
afterAll(async () => {
  await theatre.close();
  await fixture.close();
});

async function inTurns<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<R[]> {
  const rest = [...all];
  const results: R[] = [];
  const work = async () => {
    for (let one = rest.shift(); one !== undefined; one = rest.shift()) {
      results.push(await act(one));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

/** What the judge reports of a run, with all that is needed to find out why. */
function complaints(judge: (story: Judged) => readonly string[]): readonly unknown[] {
  return judged.flatMap((it) => {
    const said = judge(it);
    const events = it.records.events.map((event) => JSON.stringify(event));
    return said.length === 0 ? [] : [{ said, seed: SEED, story: it.story, events }];
  });
}

test('every run ends', () => {
  expect(complaints(({ records }) => judgeEnded(records))).toEqual([]);
});

test('every agent runs at most once, after its predecessors, on a branch that was taken', () => {
  expect(complaints(({ records }) => judgeOrder(records))).toEqual([]);
});

test('no agent is left without a reason, and the status follows from the ends', () => {
  expect(complaints(({ records }) => judgeEnd(records))).toEqual([]);
});

test('the result lists what the agents did, in the order in which they ended', () => {
  expect(complaints(({ records }) => judgeResult(records))).toEqual([]);
});

test('a run is cancelled only if a cancel was asked for', () => {
  const wrong = ({ records, isCancelled }: Judged) =>
    records.record.status === 'cancelled' && !isCancelled ? ['no cancel was asked for'] : [];
  expect(complaints(wrong)).toEqual([]);
});

test('events have no gaps, one beginning, one end, and report each wait and each question', () => {
  expect(complaints(({ records }) => judgeEvents(records))).toEqual([]);
});

test('every agent calls its vendor once, and none does without the lock', () => {
  const unslotted = ({ run }: Judged) =>
    theatre.callsWithoutSlot
      .filter(({ runId }) => runId === run.id)
      .map(({ agent }) => `without the slot: ${agent}`);
  expect(complaints(({ records, run }) => judgeCalls(records, callsOf(fixture, run)))).toEqual([]);
  expect(complaints(unslotted)).toEqual([]);
});

test('every answer is paid once, and no budget is overshot', async () => {
  expect(complaints(({ records }) => judgeMoney(records))).toEqual([]);
  const overspent = new Set<string>();
  for (const { run, limitUsd } of judged) {
    const { rows } = await sql`
      select 1 from user_daily_costs as day
      where user_id = ${run.userId}::uuid and (total_cost > ${limitUsd}::numeric
        or total_cost <> (select sum(cost) from cost_ledger where user_id = day.user_id))
    `.execute(fixture.product.db);
    rows.forEach(() => overspent.add(run.userId));
  }
  const said = ({ run }: Judged) => (overspent.has(run.userId) ? ["its user's day is wrong"] : []);
  expect(complaints(said)).toEqual([]);
});

test('nothing stays behind a run: no lock, question, reservation or wait', () => {
  expect(complaints(({ records }) => judgeLeftovers(records))).toEqual([]);
});

test('the stories were eventful', () => {
  const statuses = new Set(judged.map(({ records }) => records.record.status));
  const types = new Set(judged.flatMap(({ records }) => records.events.map(({ type }) => type)));
  const wanted = ['approval_requested', 'approval_decided', 'pipeline_waiting'] as const;
  const lacking = wanted.filter((type) => !types.has(type));
  expect({ seed: SEED, lacking, isVaried: statuses.size >= 3 }).toEqual({
    ...{ seed: SEED, lacking: [], isVaried: true },
  });
});
