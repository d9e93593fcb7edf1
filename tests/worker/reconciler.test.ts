import { closeRun, openRun, readRunById } from '../../db/runs/runs.js';
import type { Db } from '../../db/connect.js';
import { createLedger } from '../../db/billing/costs.js';
import { suspendRun, takeSlot } from '../../db/runs/active-run-lock.js';
import { closeAccount } from '../../db/users/user-deletion.js';
import { forgetTemporalHome, reopenTemporalHome } from '../../db/temporal-home.js';
import { setUserDisabled } from '../../db/users/users.js';
import { inTransaction } from '../../db/transactions.js';
import { silentLogger } from '../../telemetry/logger.js';
import { createReconciler, type Reconciler } from '../../worker/reconciler.js';
import { findForeignTemporal } from '../../worker/temporal-home.js';
import { admittedRun, createTestConversation } from '../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../support/servers.js';
import { until } from '../support/until.js';

const START = new Date('2026-11-22T12:00:00Z');
const at = (seconds: number) => new Date(START.getTime() + seconds * 1_000);

let server: TestDb;
let db: Db;

beforeEach(async () => {
  server = await createTestDb();
  db = server.db;
});
afterEach(async () => {
  await server.drop();
});

type WorkflowState = 'running' | 'closed' | 'missing';

/** A Temporal that only remembers what it was asked. */
function scene() {
  const started: string[] = [];
  const signalled: string[] = [];
  const granted: string[] = [];
  const cancelled: string[] = [];
  const deletions: string[] = [];
  const swept: Date[] = [];
  const closed: [string, string][] = [];
  const warnings: string[] = [];
  const workflows = new Map<string, WorkflowState>();
  const whileDescribed = new Map<string, () => Promise<unknown>>();
  const listed = new Set<string>();
  const lists = { count: 0 };
  const described: string[] = [];
  const faults = { start: 0, describe: 0, close: 0, list: 0 };
  const clock = { now: START };
  const failing = (kind: keyof typeof faults) => {
    if (faults[kind] > 0) {
      faults[kind] -= 1;
      throw new Error('Temporal is away');
    }
  };
  const deps = {
    db,
    temporal: {
      startPipeline: async (run: { id: string }) => {
        await Promise.resolve();
        failing('start');
        started.push(run.id);
      },
      signalRunAdmitted: async (run: { id: string }) => {
        await Promise.resolve();
        signalled.push(run.id);
      },
      signalSlotGranted: async (id: string) => {
        await Promise.resolve();
        granted.push(id);
      },
      cancelRun: async (id: string) => {
        await Promise.resolve();
        cancelled.push(id);
      },
      startUserDeletion: async (id: string) => {
        await Promise.resolve();
        failing('start');
        deletions.push(id);
      },
      listRunning: async () => {
        await Promise.resolve();
        failing('list');
        lists.count += 1;
        return listed;
      },
      describe: async (id: string) => {
        described.push(id);
        await whileDescribed.get(id)?.();
        failing('describe');
        return workflows.get(id) ?? 'missing';
      },
    },
    sweepArchives: async (now: Date) => {
      await Promise.resolve();
      swept.push(now);
    },
    closeRun: async (pipelineId: string, reason: string) => {
      failing('close');
      closed.push([pipelineId, reason]);
      await db
        .transaction()
        .execute((tx) =>
          closeRun(tx, { pipelineId, outcome: { kind: 'internal' }, now: clock.now }),
        );
    },
    logger: { ...silentLogger, with: () => logger, warn: (event: string) => warnings.push(event) },
    intervalMs: 5,
    clock: () => clock.now,
  };
  const logger = deps.logger;
  const round = async (seconds: number, reconciler: Reconciler) => {
    clock.now = at(seconds);
    await reconciler.runOnce();
  };
  const said = {
    listed,
    lists,
    described,
    swept,
    started,
    signalled,
    granted,
    cancelled,
    deletions,
    closed,
    warnings,
  };
  return { ...said, workflows, whileDescribed, faults, clock, deps, round };
}

async function newRun(fields: { withConversation?: boolean; opened?: boolean } = {}) {
  const { id: userId } = await createTestUser(db);
  const conversationId =
    fields.withConversation === true ? await createTestConversation(db, userId) : null;
  const pipelineId = await admittedRun(db, { userId, conversationId }, START);
  if (fields.opened === true) {
    await db.transaction().execute((tx) => openRun(tx, pipelineId, { now: START }));
  }
  return pipelineId;
}

test('a pending run of its own is started once it is 5 s old; a discussion is signalled about its run', async () => {
  const { started, signalled, deps, round } = scene();
  const own = await newRun();
  const talked = await newRun({ withConversation: true });
  const reconciler = createReconciler(deps);
  await round(4.9, reconciler);
  expect([started, signalled]).toEqual([[], []]);
  await round(5.1, reconciler);
  expect([started, signalled]).toEqual([[own], [talked]]);
});

test('a run that does not begin is signalled ever more rarely', async () => {
  const { signalled, deps, round } = scene();
  await newRun({ withConversation: true });
  const reconciler = createReconciler(deps);
  for (let seconds = 6; seconds < 206; seconds += 1) {
    await round(seconds, reconciler);
  }
  expect(signalled).toHaveLength(7); // at 6, 11, 21, 41, 81, then each minute
});

test('a start that fails is tried again in the next round, and holds up no other run', async () => {
  const { started, warnings, faults, deps, round } = scene();
  const runs = [await newRun(), await newRun()].sort();
  faults.start = 1;
  const reconciler = createReconciler(deps);
  await round(6, reconciler);
  expect(started).toEqual([runs[1]]);
  expect(warnings).toEqual(['mending a run failed']);
  await round(7, reconciler);
  expect(started.sort()).toEqual(runs);
});

test('a run whose workflow works is left alone', async () => {
  const { started, closed, workflows, deps, round } = scene();
  for (const run of [await newRun(), await newRun({ opened: true })]) {
    workflows.set(run, 'running');
  }
  await round(60, createReconciler(deps));
  expect([started, closed]).toEqual([[], []]);
});

test.each(['closed', 'missing'] as const)(
  'a begun run whose workflow is %s is closed from 10 s on, and frees its lock',
  async (state) => {
    const { closed, workflows, deps, round } = scene();
    const run = await newRun({ opened: true });
    workflows.set(run, state);
    const reconciler = createReconciler(deps);
    await round(9.9, reconciler);
    expect(closed).toEqual([]);
    await round(10.1, reconciler);
    await round(11, reconciler);
    expect(closed).toEqual([[run, 'terminated from outside']]);
    expect(await readRunById(db, run)).toMatchObject({ status: 'failed', holdsSlot: false });
  },
);

test.each(['closed', 'missing'] as const)(
  'a run that ends while its workflow is asked for (%s) is left as it ended',
  async (state) => {
    const { closed, started, warnings, workflows, whileDescribed, deps, round } = scene();
    for (const opened of [true, false]) {
      const run = await newRun({ opened });
      workflows.set(run, state);
      const closing = { pipelineId: run, outcome: { kind: 'cancelled' }, now: at(20) } as const;
      whileDescribed.set(run, () => db.transaction().execute((tx) => closeRun(tx, closing)));
    }
    await round(20, createReconciler(deps));
    expect([closed, started, warnings]).toEqual([[], [], []]);
  },
);

test('a run that is opened while its workflow is asked for is judged in the next round', async () => {
  const { closed, started, workflows, whileDescribed, deps, round } = scene();
  const run = await newRun();
  whileDescribed.set(run, async () => {
    await db.transaction().execute((tx) => openRun(tx, run, { now: at(20) }));
    workflows.set(run, 'running');
  });
  deps.temporal.describe = async (id) => {
    const before = workflows.get(id) ?? 'missing';
    await whileDescribed.get(id)?.();
    return before;
  };
  const reconciler = createReconciler(deps);
  await round(20, reconciler);
  await round(25, reconciler);
  expect([closed, started]).toEqual([[], []]);
});

test('a pending run whose workflow was terminated is closed, not started', async () => {
  const { started, closed, workflows, deps, round } = scene();
  const run = await newRun();
  workflows.set(run, 'closed');
  await round(11, createReconciler(deps));
  expect(started).toEqual([]);
  expect(closed).toEqual([[run, 'terminated from outside']]);
});

test('while Temporal cannot say what became of a run, nothing is closed', async () => {
  const { closed, faults, deps, round } = scene();
  const run = await newRun({ opened: true });
  faults.describe = 1;
  const reconciler = createReconciler(deps);
  await round(20, reconciler);
  expect(closed).toEqual([]);
  await round(25, reconciler);
  expect(closed).toEqual([[run, 'terminated from outside']]);
});

test('a close that fails is tried again', async () => {
  const { closed, faults, deps, round } = scene();
  await newRun({ opened: true });
  faults.close = 1;
  const reconciler = createReconciler(deps);
  await round(20, reconciler);
  await round(25, reconciler);
  expect(closed).toHaveLength(1);
});

test('several workers at once close a run once and change nothing else', async () => {
  const { closed, deps, clock } = scene();
  const run = await newRun({ opened: true });
  clock.now = at(20);
  await Promise.all([1, 2, 3].map(() => createReconciler(deps).runOnce()));
  expect(closed.length).toBeGreaterThanOrEqual(1);
  expect(await readRunById(db, run)).toMatchObject({ status: 'failed' });
  const events = await db.selectFrom('streamEvents').select('seq').execute();
  expect(events).toHaveLength(2); // pipeline_failed, pipeline_result
});

test('more runs than one batch are all seen', async () => {
  const { started, deps, round } = scene();
  for (let count = 0; count < 205; count += 41) {
    await Promise.all(Array.from({ length: 41 }, () => newRun()));
  }
  await round(6, createReconciler(deps));
  expect(new Set(started).size).toBe(205);
});

test('a reservation becomes unknown after 15 minutes, and stays charged', async () => {
  const { deps, round } = scene();
  const { id: userId } = await createTestUser(db);
  const owner = { pipelineId: null, conversationId: null };
  const billing = { userId, stepId: 'step', runId: 'run', attempt: 1, ...owner };
  await createLedger(db, () => START).reserve(billing, {
    provider: 'openai',
    model: 'gpt-4o',
    promptTokens: 1_000,
    maxTokens: 100,
    minTokens: 1,
    inputUsdPerMillion: '1',
    outputUsdPerMillion: '1',
    callNumber: 1,
  });
  const stateAt = async (seconds: number) => {
    await round(seconds, createReconciler(deps));
    return db.selectFrom('costLedger').select(['state', 'cost']).executeTakeFirstOrThrow();
  };
  expect(await stateAt(899)).toMatchObject({ state: 'reserved' });
  expect(await stateAt(901)).toEqual({ state: 'unknown', cost: '0.001100000000' });
});

test('it works until it is stopped, even while PostgreSQL is away', async () => {
  const { started, deps, clock, warnings } = scene();
  clock.now = at(6);
  let isAway = true;
  const away = {
    ...deps,
    get db() {
      if (isAway) {
        throw new Error('PostgreSQL is away');
      }
      return db;
    },
  };
  const run = await newRun();
  const reconciler = createReconciler(away);
  reconciler.start();
  try {
    await until('a round has failed', () => warnings.includes('mending runs failed'));
    isAway = false;
    await until('the run is started', () => started.includes(run));
  } finally {
    await reconciler.stop();
  }
  const late = await newRun();
  await new Promise((resolve) => setImmediate(resolve));
  expect(started).not.toContain(late);
});

describe('a run of a user whose account was shut', () => {
  async function shutRun(fields: Parameters<typeof newRun>[0] = {}) {
    const pipelineId = await newRun(fields);
    const { userId } = (await readRunById(db, pipelineId)) ?? { userId: '' };
    await setUserDisabled(db, { userId, at: START });
    return pipelineId;
  }

  test('is asked to end as long as its workflow lives, also while it waits', async () => {
    const { workflows, cancelled, closed, deps, round } = scene();
    const [works, waits] = [await shutRun({ opened: true }), await shutRun({ opened: true })];
    await inTransaction(db, (tx) =>
      suspendRun(tx, { pipelineId: waits, reason: 'approval', now: START }),
    );
    workflows.set(works, 'running').set(waits, 'running');
    await round(6, createReconciler(deps));
    expect([cancelled.sort(), closed]).toEqual([[works, waits].sort(), []]);
  });

  test('is closed where there is no workflow, and never started', async () => {
    const { started, closed, cancelled, deps, round } = scene();
    const pipelineId = await shutRun();
    await round(6, createReconciler(deps));
    expect([started, cancelled]).toEqual([[], []]);
    expect(closed).toEqual([[pipelineId, 'its owner is disabled']]);
  });
});

describe('a run that waits', () => {
  async function waitingRun() {
    const pipelineId = await newRun({ opened: true });
    await inTransaction(db, (tx) => suspendRun(tx, { pipelineId, reason: 'approval', now: START }));
    return pipelineId;
  }

  test('is checked rarely, and closed once its workflow is gone', async () => {
    const { workflows, closed, deps, round } = scene();
    const pipelineId = await waitingRun();
    workflows.set(pipelineId, 'running');
    let looks = 0;
    const temporal = {
      ...deps.temporal,
      describe: (id: string) => {
        looks += 1;
        return deps.temporal.describe(id);
      },
    };
    const reconciler = createReconciler({ ...deps, temporal });
    for (const seconds of [20, 25, 300, 610]) {
      await round(seconds, reconciler);
    }
    expect([looks, closed]).toEqual([1, []]);
    workflows.set(pipelineId, 'closed');
    await round(625, reconciler);
    expect(closed.map(([id]) => id)).toEqual([pipelineId]);
  });

  test('is signalled again about the lock that was handed to it, and only then', async () => {
    const { workflows, granted, deps, round } = scene();
    const pipelineId = await waitingRun();
    const { userId } = (await readRunById(db, pipelineId)) ?? { userId: '' };
    const other = await admittedRun(db, { userId }, START);
    workflows.set(pipelineId, 'running').set(other, 'running');
    await inTransaction(db, (tx) => takeSlot(tx, { pipelineId, now: START }));
    const reconciler = createReconciler(deps);
    await round(20, reconciler);
    expect(granted).toEqual([]);
    await inTransaction(db, (tx) =>
      closeRun(tx, { pipelineId: other, outcome: { kind: 'cancelled' }, now: START }),
    );
    await round(621, reconciler);
    await round(630, reconciler);
    await round(690, reconciler);
    expect(granted).toEqual([pipelineId, pipelineId]);
  });
});

test('a deletion that was ordered is started until its user is gone, ever more rarely', async () => {
  const { deletions, warnings, faults, deps, round } = scene();
  const { id } = await createTestUser(db);
  await createTestUser(db); // not ordered to be deleted
  await closeAccount(db, id, START);
  faults.start = 1;
  const reconciler = createReconciler(deps);
  await round(4.9, reconciler);
  expect(warnings).toEqual([]);
  await round(5.1, reconciler);
  expect([deletions, warnings]).toEqual([[], ['starting a deletion failed']]);
  for (let seconds = 6; seconds < 106; seconds += 1) {
    await round(seconds, reconciler);
  }
  expect(deletions).toEqual(Array(5).fill(id)); // at 6, 11, 21, 41, 81
  await db.deleteFrom('users').where('id', '=', id).execute();
  await round(300, reconciler);
  expect(deletions).toHaveLength(5);
});

describe('of runs that go on', () => {
  test('Temporal is asked once in a round, and individually only for those that its list does not have', async () => {
    const fixture = scene();
    const known = [await newRun({ opened: true }), await newRun({ opened: true })];
    const other = await newRun({ opened: true });
    known.forEach((id) => fixture.listed.add(id));
    fixture.workflows.set(other, 'running');
    const reconciler = createReconciler(fixture.deps);
    await fixture.round(60, reconciler);
    expect([fixture.lists.count, fixture.described]).toEqual([1, [other]]);
    expect(fixture.closed).toEqual([]);
  });

  test('each is asked for while the list cannot be had', async () => {
    const fixture = scene();
    const run = await newRun({ opened: true });
    fixture.workflows.set(run, 'running');
    fixture.faults.list = 1;
    await fixture.round(60, createReconciler(fixture.deps));
    expect([fixture.described, fixture.closed]).toEqual([[run], []]);
  });

  test('nothing is listed where none is old enough to be in doubt', async () => {
    const fixture = scene();
    await fixture.round(60, createReconciler(fixture.deps));
    expect(fixture.lists.count).toBe(0);
  });
});

describe('a worker that is connected to another Temporal', () => {
  /** A Temporal that describes its namespace so. */
  const temporalOf = (answer: () => Promise<object>) =>
    ({
      connection: {
        withDeadline: (_: number, ask: () => unknown) => ask(),
        workflowService: { describeNamespace: answer },
      },
    }) as never;
  const withId = (id: string) => temporalOf(() => Promise.resolve({ namespaceInfo: { id } }));
  const silent = temporalOf(() =>
    Promise.reject(Object.assign(new Error('denied'), { code: 7, details: '', metadata: {} })),
  );

  test('by its name, or by an address where the name means another cluster, does not work', async () => {
    expect(await findForeignTemporal(db, withId('a'), 'default')).toBeNull();
    expect(await findForeignTemporal(db, withId('a'), 'default')).toBeNull();
    expect(await findForeignTemporal(db, withId('b'), 'other')).toMatch(
      /belongs to the namespace "default".*was led to the namespace "other": correct TEMPORAL_NAMESPACE/,
    );
    expect(await findForeignTemporal(db, withId('b'), 'default')).toMatch(/led to another cluster/);
    expect(await findForeignTemporal(db, withId('a'), 'default')).toBeNull();
  });

  test('works where an operator says so, or a start brings its own Temporal', async () => {
    await findForeignTemporal(db, withId('a'), 'default');
    await reopenTemporalHome(db);
    expect(await findForeignTemporal(db, withId('b'), 'default')).toBeNull();
    expect(await findForeignTemporal(db, withId('a'), 'default')).toContain('another cluster');
    expect(await forgetTemporalHome(db)).toEqual({ namespace: 'default', namespaceId: 'b' });
    expect(await findForeignTemporal(db, withId('c'), 'other')).toBeNull();
  });

  test('is recognised by the name alone where a cluster gives no more', async () => {
    expect(await findForeignTemporal(db, silent, 'default')).toBeNull();
    expect(await findForeignTemporal(db, withId('a'), 'default')).toBeNull();
    expect(await findForeignTemporal(db, silent, 'default')).toBeNull();
    expect(await findForeignTemporal(db, silent, 'other')).toContain('"other"');
  });
});
