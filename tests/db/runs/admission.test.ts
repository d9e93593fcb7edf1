import { randomUUID } from 'node:crypto';
import {
  admitRun,
  countDiscussion,
  type RunAdmission,
  type RunRequest,
} from '../../../db/runs/admission.js';
import type { Db } from '../../../db/connect.js';
import { suspendRun } from '../../../db/runs/active-run-lock.js';
import { inTransaction } from '../../../db/transactions.js';
import type { Role } from '../../../domain/account/permissions.js';
import type { WaitReason } from '../../../domain/run/results.js';
import { admittedRun, createTestConversation, runRequestOf } from '../../support/runs.js';
import { designOf } from '../../support/designs.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';

const NOW = new Date('2026-11-22T12:00:00Z');
const TODAY = '2026-11-22';
const NO_KEYS = { serverKeys: false, simulated: false, readableSeals: ['seal-1'] };

let server: TestDb;
let db: Db;

beforeAll(async () => {
  server = await createTestDb();
  db = server.db;
});
afterAll(async () => {
  await server.drop();
});

async function newUser(role: Role = 'free'): Promise<string> {
  return (await createTestUser(db, { role })).id;
}

async function freeSlot(userId: string): Promise<void> {
  await db
    .updateTable('pipelineExecutions')
    .set({ holdsSlot: false, status: 'completed' })
    .where('userId', '=', userId)
    .execute();
}

async function spend(userId: string, totalCost: string, date = TODAY): Promise<void> {
  await db.insertInto('userDailyCosts').values({ userId, date, totalCost }).execute();
}

async function addKey(
  userId: string,
  fields: { sealedBy?: string; isActive?: boolean; isValid?: boolean } = {},
): Promise<void> {
  await db
    .insertInto('userLlmKeys')
    .values({
      id: randomUUID(),
      userId,
      provider: 'openai',
      encryptedKey: Buffer.from('sealed'),
      nonce: Buffer.alloc(12),
      keyPrefix: 'sk-test',
      sealedBy: 'seal-1',
      isValid: true,
      ...fields,
    })
    .execute();
}

const codeOf = (admission: RunAdmission) =>
  admission.kind === 'refused' ? admission.code : admission.kind;

async function admit(userId: string, fields: Partial<RunRequest> = {}, now = NOW) {
  return admitRun(db, runRequestOf(userId, fields), now);
}

test('an admitted run is pending, has the lock and counts today', async () => {
  const userId = await newUser();
  const conversationId = await createTestConversation(db, userId);
  const order = runRequestOf(userId, { conversationId, language: 'ko' });
  expect(await admitRun(db, order, NOW)).toEqual({ kind: 'admitted', simulated: false });
  const row = await db
    .selectFrom('pipelineExecutions')
    .selectAll()
    .where('id', '=', order.pipelineId)
    .executeTakeFirstOrThrow();
  expect(row).toMatchObject({
    userId,
    conversationId,
    designName: 'Quick look',
    design: order.design,
    language: 'ko',
    simulated: false,
    status: 'pending',
    holdsSlot: true,
    countedOn: TODAY,
    agentCount: 2,
    createdAt: NOW,
    startedAt: null,
  });
});

describe('a conversation with a run that has not ended', () => {
  async function runOf(userId: string, conversationId: string): Promise<string> {
    const order = runRequestOf(userId, { conversationId });
    expect(codeOf(await admitRun(db, order, NOW))).toBe('admitted');
    return order.pipelineId;
  }
  const park = (pipelineId: string, reason: WaitReason) =>
    inTransaction(db, (tx) => suspendRun(tx, { pipelineId, reason, now: NOW }));

  test.each(['approval', 'budget', 'pause'] as const)(
    'takes no second one while the first waits: %s',
    async (reason) => {
      const userId = await newUser('pro');
      const conversationId = await createTestConversation(db, userId);
      const pipelineId = await runOf(userId, conversationId);
      expect(codeOf(await admit(userId, { conversationId }))).toBe('pipeline-running');
      await park(pipelineId, reason);
      const waiting = { pipelineId, designName: 'Quick look', waitingFor: reason };
      const refused = { kind: 'refused', code: 'pipeline-waiting', waiting };
      expect(await admit(userId, { conversationId })).toEqual(refused);
      expect(await admit(userId, { conversationId, order: 'socket' })).toEqual(refused);
      await spend(userId, '1000');
      expect(await admit(userId, { conversationId })).toEqual(refused); // also over the budget
    },
  );

  test('stands in the way of no other conversation, and of none once it has ended', async () => {
    const userId = await newUser('pro');
    const conversationId = await createTestConversation(db, userId);
    await park(await runOf(userId, conversationId), 'approval');
    const other = await createTestConversation(db, userId);
    expect(codeOf(await admit(userId, { conversationId: other }))).toBe('admitted');
    await freeSlot(userId);
    expect(codeOf(await admit(userId, { conversationId }))).toBe('admitted');
  });

  test('cannot get a second one by any other way', async () => {
    const userId = await newUser('pro');
    const conversationId = await createTestConversation(db, userId);
    await park(await runOf(userId, conversationId), 'approval');
    const again = db
      .insertInto('pipelineExecutions')
      .values({
        ...{ id: randomUUID(), userId, conversationId, designName: 'D', design: '{}' },
        ...{ language: 'en', simulated: true, agentCount: 1, holdsSlot: true },
        holdsConversation: true,
      })
      .execute();
    await expect(again).rejects.toThrow('uq_one_run_per_conversation');
  });
});

test('100 starts at once give one run', async () => {
  const userId = await newUser('pro');
  const answers = await Promise.all(Array.from({ length: 100 }, () => admit(userId)));
  const codes = answers.map(codeOf);
  expect(codes.filter((code) => code === 'admitted')).toHaveLength(1);
  expect(codes.filter((code) => code === 'pipeline-running')).toHaveLength(99);
});

test('100 starts at once against a quota of 3, locks freed at once, give exactly 3 runs', async () => {
  const userId = await newUser();
  const startAndEnd = () =>
    db.transaction().execute(async (tx) => {
      const order = runRequestOf(userId);
      const admission = await admitRun(tx, order, NOW);
      await tx
        .updateTable('pipelineExecutions')
        .set({ holdsSlot: false, status: 'completed' })
        .where('id', '=', order.pipelineId)
        .execute();
      return codeOf(admission);
    });
  const codes = await Promise.all(Array.from({ length: 100 }, startAndEnd));
  expect(codes.filter((code) => code === 'admitted')).toHaveLength(3);
  expect(codes.filter((code) => code === 'pipelines-per-day')).toHaveLength(97);
});

test('the quota is of the UTC day', async () => {
  const userId = await newUser();
  const late = new Date('2026-11-22T23:59:59.999Z');
  for (let run = 0; run < 3; run += 1) {
    await admittedRun(db, { userId }, late);
    await freeSlot(userId);
  }
  expect(codeOf(await admit(userId, {}, late))).toBe('pipelines-per-day');
  expect(codeOf(await admit(userId, {}, new Date('2026-11-23T00:00:00Z')))).toBe('admitted');
});

test('an administrator has neither quota nor budget, but one lock', async () => {
  const userId = await newUser('admin');
  await spend(userId, '1000');
  for (let run = 0; run < 4; run += 1) {
    await admittedRun(db, { userId }, NOW);
    await freeSlot(userId);
  }
  await admittedRun(db, { userId }, NOW);
  expect(codeOf(await admit(userId))).toBe('pipeline-running');
});

test('admitting the same run again changes nothing, even at once or when it has ended', async () => {
  const userId = await newUser();
  const order = runRequestOf(userId, { keys: { ...NO_KEYS, simulated: true } });
  const admitted = { kind: 'admitted', simulated: true };
  const all = await Promise.all(Array.from({ length: 5 }, () => admitRun(db, order, NOW)));
  expect(all).toEqual(Array.from({ length: 5 }, () => admitted));
  await freeSlot(userId);
  await spend(userId, '1');
  const later = { ...order, keys: { ...NO_KEYS, serverKeys: true } };
  expect(await admitRun(db, later, NOW)).toEqual(admitted);
  const rows = await db
    .selectFrom('pipelineExecutions')
    .select('status')
    .where('userId', '=', userId)
    .execute();
  expect(rows).toEqual([{ status: 'completed' }]);
});

test("another user's run id is a conflict, and a missing user is not found", async () => {
  const pipelineId = await admittedRun(db, { userId: await newUser() }, NOW);
  const other = runRequestOf(await newUser(), { pipelineId });
  await expect(admitRun(db, other, NOW)).rejects.toMatchObject({ code: 'conflict' });
  await expect(admit(randomUUID())).rejects.toMatchObject({ code: 'not-found' });
});

test('a spent day is refused with what was spent and the limit, one cent below is not', async () => {
  const userId = await newUser();
  await spend(userId, '0.999999999999');
  await spend(userId, '5', '2026-11-21');
  expect(codeOf(await admit(userId))).toBe('admitted');
  const spender = await newUser();
  await spend(spender, '1.25');
  expect(await admit(spender)).toEqual({
    kind: 'refused',
    code: 'over-budget',
    spentUsd: 1.25,
    limitUsd: 1,
  });
});

/** A user for whom every check fails; fixing one shows the next. */
async function hopelessUser() {
  const userId = await newUser();
  for (let run = 0; run < 3; run += 1) {
    await freeSlot(userId);
    await admittedRun(db, { userId }, NOW);
  }
  await spend(userId, '1');
  return {
    userId,
    refund: () => db.deleteFrom('userDailyCosts').where('userId', '=', userId).execute(),
    free: () => freeSlot(userId),
    uncount: () =>
      db
        .updateTable('pipelineExecutions')
        .set({ countedOn: null })
        .where('userId', '=', userId)
        .execute(),
    addKey: () => addKey(userId),
  };
}

test('over HTTP: budget, lock, quota, then key', async () => {
  const user = await hopelessUser();
  const ask = async () => codeOf(await admit(user.userId, { keys: NO_KEYS, order: 'http' }));
  expect(await ask()).toBe('over-budget');
  await user.refund();
  expect(await ask()).toBe('pipeline-running');
  await user.free();
  expect(await ask()).toBe('pipelines-per-day');
  await user.uncount();
  expect(await ask()).toBe('no-llm-key');
  await user.addKey();
  expect(await ask()).toBe('admitted');
});

test('over the socket: key, budget, lock, then quota', async () => {
  const user = await hopelessUser();
  const ask = async () => codeOf(await admit(user.userId, { keys: NO_KEYS, order: 'socket' }));
  expect(await ask()).toBe('no-llm-key');
  await user.addKey();
  expect(await ask()).toBe('over-budget');
  await user.refund();
  expect(await ask()).toBe('pipeline-running');
  await user.free();
  expect(await ask()).toBe('pipelines-per-day');
  await user.uncount();
  expect(await ask()).toBe('admitted');
});

const REAL = { kind: 'admitted', simulated: false };
const SIMULATED = { kind: 'admitted', simulated: true };
const ALL_SOURCES = { ...NO_KEYS, serverKeys: true, simulated: true };
const PAYERS = {
  'an own readable key': { own: {}, keys: NO_KEYS, expected: REAL },
  'an own readable key before all else': { own: {}, keys: ALL_SOURCES, expected: REAL },
  'an own key that cannot be opened any more: no key': {
    own: { sealedBy: 'lost' },
    keys: ALL_SOURCES,
    expected: { kind: 'refused', code: 'llm-key-unreadable' },
  },
  'an inactive key: no key': {
    own: { isActive: false },
    keys: NO_KEYS,
    expected: { kind: 'refused', code: 'no-llm-key' },
  },
  'an invalid key: the simulated provider': {
    own: { isValid: false, sealedBy: 'lost' },
    keys: { ...NO_KEYS, simulated: true },
    expected: SIMULATED,
  },
  'no key: the server before the simulated provider': {
    own: null,
    keys: ALL_SOURCES,
    expected: REAL,
  },
  'no key and no server key: none': {
    own: null,
    keys: NO_KEYS,
    expected: { kind: 'refused', code: 'no-llm-key' },
  },
};

test.each(Object.entries(PAYERS))(
  'which key pays for %s',
  async (_title, { own, keys, expected }) => {
    const userId = await newUser();
    if (own !== null) {
      await addKey(userId, own);
    }
    expect(await admit(userId, { keys })).toEqual(expected);
  },
);

test('a refused run leaves no row', async () => {
  const userId = await newUser();
  await admit(userId, { keys: NO_KEYS });
  const rows = await db
    .selectFrom('pipelineExecutions')
    .select('id')
    .where('userId', '=', userId)
    .execute();
  expect(rows).toEqual([]);
});

test('a name longer than its column is cut between characters', async () => {
  const name = `a\0${'😀'.repeat(300)}`;
  const pipelineId = await admittedRun(
    db,
    { userId: await newUser(), design: designOf(['reader'], { name }) },
    NOW,
  );
  const { designName } = await db
    .selectFrom('pipelineExecutions')
    .select('designName')
    .where('id', '=', pipelineId)
    .executeTakeFirstOrThrow();
  expect(designName).toBe(`a\ufffd${'😀'.repeat(253)}`);
});

async function count(userId: string, conversationId: string, day = TODAY) {
  return db.transaction().execute((tx) => countDiscussion(tx, { conversationId, userId, day }));
}

test('100 conversations at once against 10 discussions a day give exactly 10', async () => {
  const userId = await newUser();
  const conversations = await Promise.all(
    Array.from({ length: 100 }, () => createTestConversation(db, userId)),
  );
  const answers = await Promise.all(conversations.map((id) => count(userId, id)));
  expect(answers.filter((answer) => answer === 'ok')).toHaveLength(10);
  const counted = conversations[answers.indexOf('ok')] ?? '';
  const refused = conversations[answers.indexOf('discussions-per-day')] ?? '';
  expect(await count(userId, counted)).toBe('ok');
  expect(await count(userId, counted, '2026-11-23')).toBe('ok');
  expect(await count(userId, refused)).toBe('discussions-per-day');
  expect(await count(userId, refused, '2026-11-23')).toBe('ok');
});

test('a conversation counts once, however many turns begin at once', async () => {
  const userId = await newUser();
  const first = await createTestConversation(db, userId);
  await Promise.all(Array.from({ length: 20 }, () => count(userId, first)));
  for (let other = 0; other < 9; other += 1) {
    expect(await count(userId, await createTestConversation(db, userId))).toBe('ok');
  }
  expect(await count(userId, await createTestConversation(db, userId))).toBe('discussions-per-day');
});

test('pro users discuss without limit', async () => {
  const userId = await newUser('pro');
  for (let turn = 0; turn < 12; turn += 1) {
    expect(await count(userId, await createTestConversation(db, userId))).toBe('ok');
  }
});

test('a foreign conversation is not found, exactly as a missing one', async () => {
  const userId = await newUser();
  const foreign = await createTestConversation(db, await newUser());
  await expect(count(userId, foreign)).rejects.toMatchObject({ code: 'not-found' });
  await expect(count(userId, randomUUID())).rejects.toMatchObject({ code: 'not-found' });
});

test.each([
  [['reader'], 'rerun-mixes-models'],
  [[], 'admitted'],
])('a re-run that takes over %j of a simulated run', async (reusedNodes, code) => {
  const userId = await newUser();
  const of = await admittedRun(db, { userId }, NOW);
  await freeSlot(userId);
  const order = runRequestOf(userId, { rerun: { of, simulated: true, reusedNodes } });
  expect(codeOf(await admitRun(db, order, NOW))).toBe(code);
});

describe('a run that the server pays', () => {
  const limited = (dailyUsd: string, vendors: readonly ('openai' | 'google')[]) => ({
    keys: { ...NO_KEYS, serverKeys: true, serverKeyLimit: { vendors, dailyUsd } },
  });
  const day = '2026-11-27';
  const then = new Date(`${day}T12:00:00Z`);
  beforeAll(() =>
    db
      .insertInto('serverKeyDays')
      .values({ provider: 'openai', date: day, totalCost: '5' })
      .execute(),
  );

  test.each([
    ['5', ['openai'], 'over-budget'],
    ['5.01', ['openai'], 'admitted'],
    ['5', ['openai', 'google'], 'admitted'], // the other vendor's key has room
    ['0', ['google'], 'over-budget'], // a day without a row
  ] as const)('with $%s a day of %j: %s', async (...row) => {
    const [dailyUsd, vendors, code] = row;
    const userId = await newUser();
    const admission = await admit(userId, limited(dailyUsd, vendors), then);
    expect(codeOf(admission)).toBe(code);
    const ofWhom = { isServerKeySpent: true };
    expect(admission).toEqual(expect.objectContaining(code === 'over-budget' ? ofWhom : {}));
    for (const order of ['http', 'socket'] as const) {
      const other = { ...limited(dailyUsd, vendors), order };
      const answer = codeOf(await admit(await newUser(), other, then));
      expect(answer).toBe(code);
    }
    const tomorrow = new Date('2026-11-28T00:00:00Z');
    const isOpen = dailyUsd !== '0';
    expect(codeOf(await admit(await newUser(), limited(dailyUsd, vendors), tomorrow))).toBe(
      isOpen ? 'admitted' : 'over-budget',
    );
  });

  test('does not concern a user with a key of their own', async () => {
    const userId = await newUser();
    await addKey(userId);
    expect(codeOf(await admit(userId, limited('5', ['openai']), then))).toBe('admitted');
  });
});
