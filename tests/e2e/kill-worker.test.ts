/** SIGKILL of the worker at every moment of a story; another worker goes on. */
import { sql } from 'kysely';
import { readMoney } from '../support/money.js';
import { startProduct, type Product } from '../support/product.js';
import { lockRow, type RowLock } from '../support/row-lock.js';
import {
  createFixture,
  isEndOf,
  isOf,
  replay,
  STEPS,
  withoutTimesAndIds,
  type Fixture,
  type Step,
  type Story,
} from '../support/stories.js';
import { startProxyOf } from '../support/server-proxies.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { startStandInVendors, type StandInVendors } from '../support/vendors/server.js';

let vendors: StandInVendors;
let fixture: Fixture;
let temporal: TcpProxy;
let product: Product;
let undisturbed: Story;

beforeAll(async () => {
  temporal = await startProxyOf('temporal');
  vendors = await startStandInVendors();
  fixture = createFixture(vendors);
  product = await startProduct({ workers: 0, env: { OPENAI_BASE_URL: vendors.openAiUrl } });
  await startWorker();
  undisturbed = await fixture.enter(product.url);
  await undisturbed.finish();
});
afterAll(async () => {
  await product.stop();
  await vendors.close();
  await temporal.close();
});

async function startWorker(): Promise<void> {
  await product.startWorker({ TEMPORAL_ADDRESS: `127.0.0.1:${temporal.port}` });
}

async function killWorker(): Promise<void> {
  await product.workers.at(-1)?.kill();
}

/** A story that has been brought to its moment. */
interface Stopped {
  /** What is still to happen while Temporal can no longer hear of it. */
  whenUnheard(): Promise<void>;
  /** After the kill. */
  release(): void;
}

interface Moment {
  readonly title: string;
  /** Calls in flight, or answered but not stored: they are made again, and stay charged. */
  readonly lost: readonly Step[];
  /** Reserved as their worker died, and never made: PostgreSQL ends what it was asked for. */
  readonly unmade?: readonly Step[];
  arrange(story: Story): Promise<Stopped>;
}

function stopped(release: () => void): Stopped {
  return { release, whenUnheard: () => Promise.resolve() };
}

/** Begins, and goes on until a step's call is held. */
async function reach(story: Story, step: Step): Promise<{ open(): void }> {
  const hold = story.hold(step);
  story.request();
  if (step !== 'intent' && step !== 'designs') {
    await story.sees('designs', isOf('designs_presented'));
    story.approve();
  }
  await story.arrived(step);
  return hold;
}

async function inFlight(story: Story, step: Step): Promise<Stopped> {
  const hold = await reach(story, step);
  return stopped(hold.open);
}

/** A step's answer arrives, and what follows from it waits at a locked row. */
async function atRow(story: Story, step: Step, lock: () => Promise<RowLock>): Promise<Stopped> {
  const hold = await reach(story, step);
  const row = await lock();
  hold.open();
  await row.awaited();
  return stopped(row.release);
}

/** A plan is approved, and what follows from that waits at a locked row. */
async function approveAtRow(story: Story, lock: () => Promise<RowLock>): Promise<RowLock> {
  story.request();
  await story.sees('designs', isOf('designs_presented'));
  const row = await lock();
  story.approve();
  await row.awaited();
  return row;
}

const dayOf = ({ person }: Story) =>
  lockRow(
    product.db,
    sql`select 1 from user_daily_costs where user_id = ${person.userId}::uuid for update`,
  );
const runOf = ({ person }: Story, how: 'update' | 'share') =>
  lockRow(
    product.db,
    sql`select 1 from pipeline_executions where user_id = ${person.userId}::uuid
      for ${sql.raw(how)}`,
  );
const streamOf = ({ conversationId }: Story) =>
  lockRow(product.db, sql`select 1 from streams where id = ${conversationId}::uuid for update`);

/** The first one is the first event of all. */
const isSecondEcho: Parameters<Story['sees']>[1] = ({ type, seq }) =>
  type === 'user_message_received' && seq > 1;

const MOMENTS: readonly Moment[] = [
  {
    title: 'the first call of a turn is in flight',
    lost: ['intent'],
    arrange: (story) => inFlight(story, 'intent'),
  },
  {
    title: 'the second call of a turn is in flight',
    lost: ['designs'],
    arrange: (story) => inFlight(story, 'designs'),
  },
  {
    title: 'the first agent is in flight',
    lost: ['planner'],
    arrange: (story) => inFlight(story, 'planner'),
  },
  {
    title: 'two agents are in flight',
    lost: ['left', 'right'],
    async arrange(story) {
      const right = story.hold('right');
      const left = await reach(story, 'left');
      await story.arrived('right');
      return stopped(() => {
        left.open();
        right.open();
      });
    },
  },
  {
    title: 'one of two parallel agents has ended',
    lost: ['right'],
    async arrange(story) {
      const hold = await reach(story, 'right');
      await story.sees('end of left', isEndOf('left'));
      return stopped(hold.open);
    },
  },
  {
    title: 'the last agent is in flight',
    lost: ['joiner'],
    arrange: (story) => inFlight(story, 'joiner'),
  },
  {
    title: 'a turn is about to be echoed',
    lost: [],
    async arrange(story) {
      const row = await approveAtRow(story, () => streamOf(story));
      return stopped(row.release);
    },
  },
  {
    title: 'a turn has been echoed, unheard by Temporal',
    lost: [],
    async arrange(story) {
      const row = await approveAtRow(story, () => streamOf(story));
      return {
        async whenUnheard() {
          row.release();
          await story.sees('the second echo', isSecondEcho);
        },
        release: () => undefined,
      };
    },
  },
  {
    title: 'a turn has been answered, unheard by Temporal',
    lost: [],
    async arrange(story) {
      const hold = await reach(story, 'designs');
      return {
        async whenUnheard() {
          hold.open();
          await story.sees('designs', isOf('designs_presented'));
        },
        release: () => undefined,
      };
    },
  },
  {
    title: 'a turn is about to be answered',
    lost: [],
    arrange: (story) => atRow(story, 'designs', () => streamOf(story)),
  },
  {
    title: 'a call is about to be reserved',
    lost: [],
    unmade: ['planner'],
    async arrange(story) {
      const row = await approveAtRow(story, () => dayOf(story));
      return stopped(row.release);
    },
  },
  {
    title: 'a reply is about to be stored',
    lost: [],
    arrange: (story) => atRow(story, 'planner', () => dayOf(story)),
  },
  {
    title: 'a reply is stored but not its agent',
    lost: [],
    arrange: (story) => atRow(story, 'planner', () => runOf(story, 'update')),
  },
  {
    title: 'an agent has ended, unheard by Temporal',
    lost: [],
    async arrange(story) {
      const hold = await reach(story, 'planner');
      return {
        async whenUnheard() {
          hold.open();
          await story.sees('end of planner', isEndOf('planner'));
        },
        release: () => undefined,
      };
    },
  },
  {
    title: 'a run is about to end',
    lost: [],
    arrange: (story) => atRow(story, 'joiner', () => runOf(story, 'share')),
  },
];

describe('a worker that is killed', () => {
  const stories = new Map<Moment, Story>();

  beforeAll(async () => {
    for (const moment of MOMENTS) {
      stories.set(moment, await fixture.enter(product.url));
    }
    const moments = await Promise.all(MOMENTS.map((moment) => moment.arrange(storyOf(moment))));
    temporal.freeze();
    await Promise.all(moments.map((it) => it.whenUnheard()));
    await killWorker();
    moments.forEach((it) => {
      it.release();
    });
    await temporal.restore();
    await startWorker();
    await Promise.all([...stories.values()].map((story) => story.finish()));
  });

  test.each(MOMENTS)('when $title changes no event and no result', async (moment) => {
    const story = storyOf(moment);
    expect(withoutTimesAndIds(story.events)).toEqual(withoutTimesAndIds(undisturbed.events));
    expect(story.events.map(({ seq }) => seq)).toEqual(story.events.map((_, at) => at + 1));
    expect(await replay(story)).toEqual(story.events);
  });

  test.each(MOMENTS)('when $title pays again only what was lost', async (moment) => {
    const story = storyOf(moment);
    const twice = Object.fromEntries(moment.lost.map((step) => [step, 2]));
    expect(story.calls()).toEqual({ ...undisturbed.calls(), ...twice });
    expect(await readMoney(product.db, story.person.userId)).toEqual({
      settled: [...STEPS].sort(),
      unknown: [...moment.lost, ...(moment.unmade ?? [])].sort(),
      wrong: [],
      dayIsSum: true,
    });
  });

  test.each(MOMENTS)('when $title leaves the way free for the next run', async (moment) => {
    const { person } = storyOf(moment);
    const agents = [{ name: 'next', role: 'analyzer', llm_model: 'gpt-4o-mini', description: 'x' }];
    const design = { name: 'Next', description: 'The next run', agents };
    const answer = await person.ask('POST', '/pipelines/execute', { design });
    expect(answer).toMatchObject({ status: 200, body: { status: 'completed' } });
  });

  function storyOf(moment: Moment): Story {
    const story = stories.get(moment);
    if (story === undefined) {
      throw new Error(`no story for ${moment.title}`);
    }
    return story;
  }
});
