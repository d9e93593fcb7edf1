/** When a run is archived, and what its archive holds, also without its history in Temporal. */
import { randomBytes } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { DefaultLogger } from '@temporalio/worker';
import {
  createRunArchiveActivities,
  type ArchiveSlice,
  type RunArchiveDeps,
} from '../../../activities/maintenance/run-archives.js';
import { createArchiveCipher } from '../../../audit/archive-cipher.js';
import { isOf, type ContentEntry } from '../../../audit/contents.js';
import { checkIntegrity } from '../../../audit/integrity.js';
import { checkPrompts } from '../../../audit/prompts.js';
import { createSigner } from '../../../audit/signing.js';
import { verifyBundle } from '../../../audit/verify.js';
import type { Db } from '../../../db/connect.js';
import { createLedger } from '../../../db/billing/costs.js';
import { closeRun, openRun } from '../../../db/runs/runs.js';
import { removeRuns } from '../../../db/removals.js';
import { promptFor } from '../../../domain/agents/prompts.js';
import { pipelineWorkflowId } from '../../../domain/ids.js';
import { repairPrompt } from '../../../domain/agents/repair-prompts.js';
import type { ClosedHistory } from '../../../temporal/client/archives.js';
import { createKeyRing } from '../../../temporal/key-ring.js';
import { createPayloadCodec } from '../../../temporal/payload-codec.js';
import { agentOf, designOf } from '../../support/designs.js';
import { addMessage } from '../../support/messages.js';
import { createTestConversation, admittedRun } from '../../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../../support/servers.js';
import { addStep, listResults } from '../../support/steps.js';

const NOW = new Date('2026-11-24T12:00:00Z');
const MASTERS = [randomBytes(32)];
const cipher = createArchiveCipher(MASTERS);
const signer = createSigner(randomBytes(32));

let server: TestDb;
let db: Db;
beforeAll(async () => {
  server = await createTestDb();
  ({ db } = server);
});
afterAll(() => server.drop());

const minutesAgo = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000);

interface Fields {
  readonly endedMinutesAgo?: number;
  readonly isOpened?: boolean;
  readonly conversationId?: string;
  readonly beforeEnd?: (pipelineId: string) => Promise<void>;
}

async function endedRun(
  userId: string,
  { endedMinutesAgo = 5, isOpened = true, conversationId, beforeEnd }: Fields = {},
): Promise<string> {
  const at = minutesAgo(endedMinutesAgo);
  const order = { userId, conversationId: conversationId ?? null };
  const pipelineId = await admittedRun(db, order, at);
  if (isOpened) {
    await db.transaction().execute((tx) => openRun(tx, pipelineId, { now: at }));
  }
  await beforeEnd?.(pipelineId);
  await db
    .transaction()
    .execute((tx) => closeRun(tx, { pipelineId, outcome: { kind: 'cancelled' }, now: at }));
  return pipelineId;
}

/** A call that is under way while its run ends. */
async function reserveCall(userId: string, pipelineId: string): Promise<void> {
  const billing = { stepId: `${pipelineId}:a:0`, runId: 'r', attempt: 1, userId, pipelineId };
  await createLedger(db, () => NOW).reserve(
    { ...billing, conversationId: null },
    {
      ...{ provider: 'openai', model: 'gpt-4o', promptTokens: 1, maxTokens: 1, minTokens: 1 },
      ...{ inputUsdPerMillion: '1', outputUsdPerMillion: '1', callNumber: 1 },
    },
  );
}

function activities(
  readClosedHistory: RunArchiveDeps['readClosedHistory'],
  more: Partial<RunArchiveDeps> = {},
) {
  return createRunArchiveActivities({
    ...{ db, signer, now: () => NOW, archiveCipher: cipher, readClosedHistory, ...more },
    codec: createPayloadCodec(createKeyRing(MASTERS)),
    code: { version: '9.9.9', workflowBundle: 'f'.repeat(64) },
  });
}

function environment() {
  return new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
}

async function archive(pipelineId: string, closed: ClosedHistory) {
  const { archiveRun } = activities(() => Promise.resolve(closed));
  return environment().run(archiveRun, { pipelineId });
}

async function contentsOf(pipelineId: string): Promise<readonly ContentEntry[]> {
  const row = await db
    .selectFrom('archives')
    .selectAll()
    .where('pipelineId', '=', pipelineId)
    .executeTakeFirstOrThrow();
  const checked = checkIntegrity(Buffer.from(await cipher.open(row, pipelineId)));
  if (checked.kind === 'broken') {
    throw new Error(checked.problem);
  }
  return checked.contents;
}

const historyIn = (contents: readonly ContentEntry[]) => contents.find(isOf('history'))?.data;

const MISSING = { kind: 'missing' } as const;

test.each([
  ['the server has lost', MISSING, true, 'lost'],
  ['never began', MISSING, false, 'none'],
  ['is too large', { kind: 'too-large', runId: 'r' } as const, true, 'too-large'],
])(
  'a run whose history %s is archived without it, and says so',
  async (_, closed, isOpened, state) => {
    const { id: userId } = await createTestUser(db);
    const pipelineId = await endedRun(userId, { isOpened });
    expect(await archive(pipelineId, closed)).toEqual({ kind: 'archived' });
    const contents = await contentsOf(pipelineId);
    expect(historyIn(contents)).toMatchObject({ state, events: 0 });
    expect(contents.find(isOf('run'))?.data).toMatchObject({ status: 'cancelled' });
    expect(contents.find(isOf('archive'))?.data.archived_by.version).toBe('9.9.9');
  },
);

test('it waits for the workflow to close, for one on its way, and for calls to be settled', async () => {
  const { id: userId } = await createTestUser(db, { role: 'admin' });
  const open = { kind: 'open' } as const;
  expect(await archive(await endedRun(userId), open)).toEqual(open);
  const young = await endedRun(userId, { isOpened: false, endedMinutesAgo: 0.5 });
  expect(await archive(young, MISSING)).toEqual(open);
  const running = await admittedRun(db, { userId }, NOW);
  expect(await archive(running, MISSING)).toEqual(open);
  await db
    .updateTable('pipelineExecutions')
    .set({ holdsSlot: false })
    .where('id', '=', running)
    .execute();
  for (const [minutes, kind] of [
    [5, 'open'],
    [31, 'archived'],
  ] as const) {
    const pipelineId = await endedRun(userId, {
      endedMinutesAgo: minutes,
      beforeEnd: (id) => reserveCall(userId, id),
    });
    expect(await archive(pipelineId, MISSING)).toEqual({ kind });
  }
});

test('it is made once; a run that is gone has none', async () => {
  const { id: userId } = await createTestUser(db);
  const pipelineId = await endedRun(userId);
  const [first, second] = await Promise.all([
    archive(pipelineId, MISSING),
    archive(pipelineId, MISSING),
  ]);
  expect([first, second]).toEqual([{ kind: 'archived' }, { kind: 'archived' }]);
  expect(await archive(pipelineId, MISSING)).toEqual({ kind: 'archived' });
  await db.deleteFrom('pipelineExecutions').where('id', '=', pipelineId).execute();
  expect(await archive(pipelineId, MISSING)).toEqual({ kind: 'gone' });
});

test('of a conversation it holds what led to the run, and no more', async () => {
  const { id: userId } = await createTestUser(db);
  const conversationId = await createTestConversation(db, userId);
  const say = (id: string, content: string) =>
    db.transaction().execute((tx) =>
      addMessage(tx, {
        ...{ id, conversationId, content, role: 'user', metadata: { odd: '\ud800' } },
      }),
    );
  await say('11111111-1111-4111-8111-111111111111', 'please');
  const pipelineId = await endedRun(userId, { conversationId });
  await say('22222222-2222-4222-8222-222222222222', 'something else');
  await archive(pipelineId, MISSING);
  const messages = (await contentsOf(pipelineId)).filter(isOf('message'));
  expect(messages.map(({ data }) => data.role)).toEqual(['user', 'assistant']);
  expect(messages[0]?.data).toMatchObject({ content: 'please', metadata: { odd: '\ufffd' } });
});

test('a stored archive opens with its key, for its run alone, and as it was stored', async () => {
  const sealed = await cipher.seal('text', 'run');
  expect(await cipher.open(sealed, 'run')).toBe('text');
  await expect(cipher.open(sealed, 'another')).rejects.toThrow();
  const changed = Buffer.from(sealed.bundle);
  changed[3] = (changed[3] ?? 0) ^ 1;
  await expect(cipher.open({ ...sealed, bundle: changed }, 'run')).rejects.toThrow();
  await expect(createArchiveCipher([randomBytes(32)]).open(sealed, 'run')).rejects.toThrow(
    /ENCRYPTION_KEY_PREVIOUS/,
  );
  const rotated = createArchiveCipher([randomBytes(32), ...MASTERS]);
  expect(await rotated.open(sealed, 'run')).toBe('text');
});

describe('prompts', () => {
  const OUTPUT = 'what the first agent has made, in <b>many</b> words '.repeat(20);
  const REPLY = 'no JSON </agent_output> at all';

  /** A run of two agents, the second of which was asked twice. */
  async function promptedRun(): Promise<string> {
    const { id: userId } = await createTestUser(db, { role: 'admin' });
    const pipelineId = await admittedRun(db, { userId }, minutesAgo(6));
    await addStep(db, pipelineId, { node: 'one', seq: 1, content: OUTPUT });
    const ledger = createLedger(db, () => minutesAgo(6));
    const agent = agentOf('two', {
      custom_prompt: 'Sum it up.',
      output_schema: { type: 'object' },
    });
    const upstream = await listResults(db, pipelineId);
    const { messages } = promptFor({
      ...{ kind: 'custom', agent, upstream, language: 'en' },
      design: designOf([agent]),
    });
    const first = `${pipelineId}:two:0`;
    const bad = { text: REPLY, problems: ['is no JSON'], schema: agent.output_schema };
    const asked = [
      {
        stepId: first,
        messages,
        quoted: { of: 'output', stepId: `${pipelineId}:one:0`, text: OUTPUT },
      },
      {
        stepId: `${pipelineId}:two:1`,
        messages: repairPrompt(bad, 'en'),
        quoted: { of: 'reply', stepId: first, text: REPLY },
      },
    ] as const;
    for (const { stepId, messages: sent, quoted } of asked) {
      const billing = {
        ...{ stepId, runId: 'r', attempt: 1, userId, pipelineId },
        conversationId: null,
      };
      const prompt = { model: 'gpt-4o', temperature: 0.7, answer: null, messages: sent };
      const reserved = await ledger.reserve(billing, {
        ...{ provider: 'openai', model: 'gpt-4o', promptTokens: 1, maxTokens: 1, minTokens: 1 },
        ...{ inputUsdPerMillion: '1', outputUsdPerMillion: '1', callNumber: 1 },
        ...{ prompt, quoted: [quoted] },
      });
      await ledger.settle(billing, {
        callId: 'callId' in reserved ? reserved.callId : '',
        reply: {
          ...{
            content: REPLY,
            provider: 'openai',
            model: 'gpt-4o',
            finish: 'stop',
            requestId: null,
          },
          usage: { promptTokens: 1, completionTokens: 1 },
        },
        bill: [
          { kind: 'input', tokens: 1, usdPerMillion: '1' },
          { kind: 'output', tokens: 1, usdPerMillion: '1' },
        ],
        ...{ fallbackFrom: null, calls: 1 },
      });
    }
    await db.transaction().execute(async (tx) => {
      await closeRun(tx, { pipelineId, outcome: { kind: 'cancelled' }, now: minutesAgo(5) });
    });
    return pipelineId;
  }

  async function bundleOfRun(pipelineId: string): Promise<Buffer> {
    await archive(pipelineId, MISSING);
    const row = await db
      .selectFrom('archives')
      .selectAll()
      .where('pipelineId', '=', pipelineId)
      .executeTakeFirstOrThrow();
    return Buffer.from(await cipher.open(row, pipelineId));
  }

  const verify = (file: Buffer) =>
    verifyBundle(file, {
      trustedKeys: [signer.keyId],
      findCode: () => null,
      replay: () => Promise.resolve(),
    });

  test('are in the proof as they were sent, those of repairs too, outputs by their ids', async () => {
    const pipelineId = await promptedRun();
    const file = await bundleOfRun(pipelineId);
    const checked = [...checkPrompts(await contentsOf(pipelineId))].sort((one, other) =>
      one.call.step_id.localeCompare(other.call.step_id),
    );
    expect(checked.map(({ kind }) => kind)).toEqual(['as-sent', 'as-sent']);
    const [first, repair] = checked.map(({ sent }) => sent?.messages.at(-1)?.content ?? '');
    expect(first).toContain(OUTPUT);
    expect(repair).toContain('no JSON &lt;/agent_output&gt; at all');
    const [kept, keptRepair] = checked.map(({ call }) => JSON.stringify(call.prompt));
    expect(kept).not.toContain('what the first agent has made');
    expect(kept).toContain('Sum it up.');
    expect(keptRepair).toContain(`"step_id":"${pipelineId}:two:0"`);
    expect(keptRepair).not.toContain('at all');
    expect(await verify(file)).toMatchObject({
      kind: 'not-replayed',
      facts: expect.arrayContaining(['Prompts: 2 of 2 calls, all as they were sent']),
    });
  });

  test.each([
    [
      'the output of an agent was changed',
      (id: string) =>
        sql`update agent_steps set content = replace(content, 'many', 'few') where pipeline_id = ${id}::uuid`,
    ],
    [
      'a reply is gone',
      (id: string) => sql`delete from model_replies where step_id = ${`${id}:two:0`}`,
    ],
    [
      'our own part was changed',
      (id: string) =>
        sql`update call_prompts set prompt = replace(prompt::text, 'Sum it', 'Mess it')::json where subject_id = ${id}::uuid`,
    ],
  ])('that are not what was sent are reported: %s', async (_, change) => {
    const pipelineId = await promptedRun();
    await change(pipelineId).execute(db);
    expect(await verify(await bundleOfRun(pipelineId))).toEqual({
      kind: 'refused',
      problem: expect.stringMatching(/^prompt: call .* is not what was sent/),
    });
  });

  test('that earlier releases never kept do not stand in the way', async () => {
    const pipelineId = await promptedRun();
    await db.deleteFrom('callPrompts').where('subjectId', '=', pipelineId).execute();
    expect(await verify(await bundleOfRun(pipelineId))).toMatchObject({ kind: 'not-replayed' });
    const calls = (await contentsOf(pipelineId)).filter(isOf('call'));
    expect(calls.map(({ data }) => data.prompt)).toEqual([null, null]);
  });

  test('go with their run', async () => {
    const pipelineId = await promptedRun();
    await db.transaction().execute((tx) => removeRuns(tx, [pipelineId]));
    const left = await db
      .selectFrom('callPrompts')
      .select('callId')
      .where('subjectId', '=', pipelineId)
      .execute();
    expect(left).toEqual([]);
  });
});

describe('of all runs that have ended', () => {
  beforeEach(() => db.deleteFrom('pipelineExecutions').execute());

  async function archiveEnded(
    readClosedHistory: RunArchiveDeps['readClosedHistory'],
    from: string | null = null,
  ) {
    return environment().run(activities(readClosedHistory).archiveEnded, { from });
  }

  async function unarchived(): Promise<readonly string[]> {
    const runs = await db
      .selectFrom('pipelineExecutions')
      .select('id')
      .where('archivedAt', 'is', null)
      .orderBy('createdAt')
      .execute();
    return runs.map(({ id }) => id);
  }

  test('each is archived, more than are read at once, in the order of their ends', async () => {
    const { id: userId } = await createTestUser(db);
    const asked: string[] = [];
    const wanted: string[] = [];
    for (let count = 25; count > 0; count -= 1) {
      wanted.push(pipelineWorkflowId(await endedRun(userId, { endedMinutesAgo: 5 + count / 10 })));
    }
    await admittedRun(db, { userId }, NOW); // goes on
    const slice = await archiveEnded(({ workflowId }) => {
      asked.push(workflowId);
      return Promise.resolve(MISSING);
    });
    expect(slice).toEqual({ archived: 25, left: 0, next: null });
    expect(asked).toEqual(wanted);
    expect(await unarchived()).toHaveLength(1);
    expect(await archiveEnded(() => Promise.resolve(MISSING))).toMatchObject({ archived: 0 });
  });

  test('one that fails, or has not closed, keeps no other from its archive', async () => {
    const { id: userId } = await createTestUser(db);
    const broken = await endedRun(userId, { endedMinutesAgo: 9 });
    const open = await endedRun(userId, { endedMinutesAgo: 8 });
    await endedRun(userId, { endedMinutesAgo: 7 });
    const slice = await archiveEnded(({ workflowId }) => {
      if (workflowId === pipelineWorkflowId(broken)) {
        return Promise.reject(new Error('unreadable'));
      }
      return Promise.resolve(workflowId === pipelineWorkflowId(open) ? { kind: 'open' } : MISSING);
    });
    expect(slice).toEqual({ archived: 1, left: 2, next: null });
    expect(await unarchived()).toEqual([broken, open]);
  });

  test('one that fails waits ever longer and is tried again', async () => {
    const { id: userId } = await createTestUser(db);
    await endedRun(userId);
    let [seconds, tries] = [0, 0];
    const { archiveEnded: look } = activities(
      () => {
        tries += 1;
        return tries < 3 ? Promise.reject(new Error('unreadable')) : Promise.resolve(MISSING);
      },
      { now: () => new Date(NOW.getTime() + seconds * 1_000) },
    );
    const triesAt = async (at: number) => {
      seconds = at;
      await environment().run(look, { from: null });
      return tries;
    };
    expect([await triesAt(0), await triesAt(29), await triesAt(31)]).toEqual([1, 1, 2]);
    expect([await triesAt(90), await triesAt(92)]).toEqual([2, 3]);
    expect(await unarchived()).toEqual([]);
  });

  test('a slice that runs out of time always makes progress, also when its run failed', async () => {
    const { id: userId } = await createTestUser(db);
    const slow = await endedRun(userId, { endedMinutesAgo: 9 });
    await endedRun(userId, { endedMinutesAgo: 8 });
    const { archiveEnded: look } = activities(
      ({ workflowId }) =>
        workflowId === pipelineWorkflowId(slow)
          ? Promise.reject(new Error('unreadable'))
          : Promise.resolve(MISSING),
      { sliceMs: 0 },
    );
    const sliceFrom = (from: string | null) =>
      environment().run<[{ from: string | null }], ArchiveSlice, typeof look>(look, { from });
    const first = await sliceFrom(null);
    expect(first).toMatchObject({ archived: 0, left: 2 });
    const second = await sliceFrom(first.next);
    expect(second).toMatchObject({ archived: 1, left: 1 });
    expect(await sliceFrom(second.next)).toEqual({
      ...{ archived: 0, left: 0, next: null },
    });
    expect(await unarchived()).toEqual([slow]);
  });

  test('a worker that stops does so between two runs', async () => {
    const { id: userId } = await createTestUser(db);
    await endedRun(userId, { endedMinutesAgo: 9 });
    const second = await endedRun(userId, { endedMinutesAgo: 8 });
    const stopping = environment();
    const { archiveEnded: stopped } = activities(() => {
      setImmediate(() => {
        stopping.cancel('WORKER_SHUTDOWN');
      });
      return Promise.resolve(MISSING);
    });
    await expect(stopping.run(stopped, { from: null })).rejects.toThrow();
    expect(await unarchived()).toEqual([second]);
  });

  test('a slice begins with the runs that ended when the one before it stopped', async () => {
    const { id: userId } = await createTestUser(db);
    const before = await endedRun(userId, { endedMinutesAgo: 9 });
    await endedRun(userId, { endedMinutesAgo: 8 });
    const from = minutesAgo(8).toISOString();
    const slice = await archiveEnded(() => Promise.resolve(MISSING), from);
    expect(slice).toEqual({ archived: 1, left: 0, next: null });
    expect(await unarchived()).toEqual([before]);
  });
});
