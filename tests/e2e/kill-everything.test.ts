/** SIGKILL of all that `npm start` runs, amid turns and runs; then `npm start` again. */
import { connectDb, type Db } from '../../db/connect.js';
import { readMoney } from '../support/money.js';
import { createStartHome, type StartHome } from '../support/start-command.js';
import {
  createFixture,
  isEndOf,
  isOf,
  replay,
  STEPS,
  withoutTimesAndIds,
  type Step,
  type Story,
} from '../support/stories.js';
import { startStandInVendors, type StandInVendors } from '../support/vendors/server.js';

/** Whose vendor call is in flight at the kill. */
const LOST = ['designs', 'right'] as const satisfies readonly Step[];

let vendors: StandInVendors;
let home: StartHome;
let db: Db;
let undisturbed: Story;
const stories = new Map<Step, Story>();

beforeAll(async () => {
  vendors = await startStandInVendors();
  home = await createStartHome({ OPENAI_BASE_URL: vendors.openAiUrl, RATE_LIMIT_FREE: '1000' });
  const first = await home.startAndWait();
  const fixture = createFixture(vendors);
  undisturbed = await fixture.enter(home.url);
  await undisturbed.finish();
  const held = await Promise.all(
    LOST.map(async (step) => {
      const story = await fixture.enter(home.url);
      stories.set(step, story);
      return reach(story, step);
    }),
  );
  await home.killEverything(first);
  held.forEach(({ open }) => {
    open();
  });
  await home.startAndWait();
  db = connectDb({ url: home.databaseUrl(), poolSize: 2, applicationName: 'test' });
  await Promise.all(
    [...stories.values()].map(async (story) => {
      await story.reconnect();
      await story.finish();
    }),
  );
});
afterAll(async () => {
  await db.destroy();
  await home.forget();
  await vendors.close();
});

async function reach(story: Story, step: (typeof LOST)[number]): Promise<{ open(): void }> {
  const hold = story.hold(step);
  story.request();
  if (step === 'right') {
    await story.sees('designs', isOf('designs_presented'));
    story.approve();
    await story.sees('end of left', isEndOf('left'));
  }
  await story.arrived(step);
  return hold;
}

describe.each(LOST)('when everything was killed during the %s call', (step) => {
  const story = () => {
    const found = stories.get(step);
    if (found === undefined) {
      throw new Error(`no story at ${step}`);
    }
    return found;
  };

  test('a new start goes on to the same events and result, without gaps', async () => {
    const { events } = story();
    expect(withoutTimesAndIds(events)).toEqual(withoutTimesAndIds(undisturbed.events));
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
    expect(await replay(story())).toEqual(events);
  });

  test('nothing is paid again but the call in flight, which stays charged', async () => {
    expect(story().calls()).toEqual({ ...undisturbed.calls(), [step]: 2 });
    expect(await readMoney(db, story().person.userId)).toEqual({
      settled: [...STEPS].sort(),
      unknown: [step],
      wrong: [],
      dayIsSum: true,
    });
  });

  test('neither a slot nor a socket is left taken', async () => {
    const { person, conversationId } = story();
    const second = await person.chat(conversationId, 'after=0'); // a free user has two places
    await second.next('pipeline_result');
    const agents = [{ name: 'next', role: 'analyzer', llm_model: 'gpt-4o-mini', description: 'x' }];
    const design = { name: 'Next', description: 'The next run', agents };
    const answer = await person.ask('POST', '/pipelines/execute', { design });
    expect(answer).toMatchObject({ status: 200, body: { status: 'completed' } });
    await second.close();
  });
});
