/** SIGKILL of worker after worker while everything moves, at random events. */
import { readMoney } from '../support/money.js';
import { startProduct, type Product } from '../support/product.js';
import {
  createFixture,
  isOf,
  STEPS,
  withoutTimesAndIds,
  type Fixture,
  type Step,
  type Story,
} from '../support/stories.js';
import { until } from '../support/until.js';
import { startStandInVendors, type StandInVendors } from '../support/vendors/server.js';

const KILLS = 2;

let vendors: StandInVendors;
let fixture: Fixture;
let product: Product;
let undisturbed: Story;
const stories = new Map<Step, Story>();
/** At the last kill: the steps of each story that had a reply, and how often they had called. */
const answered = new Map<Story, readonly (readonly [Step, number])[]>();

beforeAll(async () => {
  vendors = await startStandInVendors();
  fixture = createFixture(vendors);
  product = await startProduct({ env: { OPENAI_BASE_URL: vendors.openAiUrl } });
  undisturbed = await fixture.enter(product.url);
  await undisturbed.finish();
  for (const step of STEPS) {
    stories.set(step, await fixture.enter(product.url));
  }
  const opened = await Promise.all([...stories].map(holdAt));
  opened.forEach(({ open }) => {
    open();
  });
  const finished = Promise.all([...stories.values()].map((story) => story.finish()));
  for (let kill = 0; kill < KILLS; kill += 1) {
    await killAtNextEvent();
  }
  await finished;
});
afterAll(async () => {
  await product.stop();
  await vendors.close();
});

/** A story that goes on from this step when it is opened. */
async function holdAt([step, story]: [Step, Story]): Promise<{ open(): void }> {
  const hold = story.hold(step);
  story.request();
  if (step !== 'intent' && step !== 'designs') {
    await story.sees('designs', isOf('designs_presented'));
    story.approve();
  }
  await story.arrived(step);
  return hold;
}

async function killAtNextEvent(): Promise<void> {
  const count = () => [...stories.values()].reduce((sum, { events }) => sum + events.length, 0);
  const before = count();
  await until('the next event', () => count() > before);
  await product.workers.at(-1)?.kill();
  await Promise.all([...stories.values()].map(noteAnswered));
  await product.startWorker();
}

async function noteAnswered(story: Story): Promise<void> {
  const replies = await product.db
    .selectFrom('modelReplies')
    .select('stepId')
    .where('userId', '=', story.person.userId)
    .execute();
  const calls = story.calls();
  const steps = STEPS.filter((step) => replies.some(({ stepId }) => stepId.includes(`:${step}:`)));
  answered.set(
    story,
    steps.map((step) => [step, calls[step]]),
  );
}

describe.each(STEPS)('a story that several kills of workers met from its %s call on', (step) => {
  const story = () => {
    const found = stories.get(step);
    if (found === undefined) {
      throw new Error(`no story at ${step}`);
    }
    return found;
  };

  test('has the events and the result of an undisturbed one, without gaps', () => {
    const { events } = story();
    expect(withoutTimesAndIds(events)).toEqual(withoutTimesAndIds(undisturbed.events));
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
  });

  test('has called no vendor again for a reply that was stored', () => {
    const calls = story().calls();
    for (const [known, count] of answered.get(story()) ?? []) {
      expect([known, calls[known]]).toEqual([known, count]);
    }
  });

  test('has paid each reply once, and each lost call that reached a vendor', async () => {
    const money = await readMoney(product.db, story().person.userId);
    expect(money).toMatchObject({ settled: [...STEPS].sort(), wrong: [], dayIsSum: true });
    const calls = story().calls();
    const lost = STEPS.flatMap((it) => Array<Step>(calls[it] - 1).fill(it));
    expect(money.unknown).toEqual(expect.arrayContaining(lost));
  });

  test('holds no slot', async () => {
    const held = await product.db
      .selectFrom('pipelineExecutions')
      .select('id')
      .where('userId', '=', story().person.userId)
      .where('holdsSlot', '=', true)
      .execute();
    expect(held).toEqual([]);
  });
});
