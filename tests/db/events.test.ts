import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { appendEvents, lastSeq, lastSeqs, readEvents } from '../../db/events.js';
import { listMessages } from '../../db/discussions/messages.js';
import { findChatAccess } from '../../db/discussions/chat-access.js';
import { inTransaction } from '../../db/transactions.js';
import type { StreamEvent } from '../../domain/events.js';
import { addMessage } from '../support/messages.js';
import { admittedRun } from '../support/runs.js';
import { createTestUser, testDbOfFile } from '../support/servers.js';
import { until } from '../support/until.js';

const testDb = testDbOfFile();

const warning = (content: string): StreamEvent => ({
  type: 'security_warning',
  content,
  safe: false,
});

async function newConversation(): Promise<{ id: string; userId: string }> {
  const user = await createTestUser(testDb.db);
  const id = randomUUID();
  await testDb.db
    .insertInto('conversations')
    .values({ id, userId: user.id, title: 'talk', updatedAt: new Date(0), countedOn: null })
    .execute();
  return { id, userId: user.id };
}

/** A run's, which has no conversation. */
async function newStream(): Promise<string> {
  const { id: userId } = await createTestUser(testDb.db);
  return admittedRun(testDb.db, { userId }, new Date());
}

const append = (streamId: string, stepKeys: readonly string[], conversationId?: string) =>
  inTransaction(testDb.db, (tx) =>
    appendEvents(tx, {
      streamId,
      conversationId: conversationId ?? null,
      steps: stepKeys.map((stepKey) => ({ stepKey, event: warning(stepKey) })),
    }),
  );

test('fifty writers at once get 1 to 50 without a gap, in the order of their times', async () => {
  const streamId = await newStream();
  const keys = Array.from({ length: 50 }, (_, index) => `step-${index}`);
  await Promise.all(keys.map((key) => append(streamId, [key])));
  const events = await readEvents(testDb.db, streamId, { after: 0, limit: 100 });
  expect(events.map(({ seq }) => seq)).toEqual(keys.map((_, index) => index + 1));
  const times = events.map(({ timestamp }) => timestamp);
  expect(times).toEqual([...times].sort());
  expect(await lastSeq(testDb.db, streamId)).toBe(50);
});

test('a transaction that is rolled back leaves no gap', async () => {
  const streamId = await newStream();
  const failing = testDb.db.transaction().execute(async (tx) => {
    const steps = [{ stepKey: 'lost', event: warning('lost') }];
    await appendEvents(tx, { streamId, conversationId: null, steps });
    throw new Error('on purpose');
  });
  await expect(failing).rejects.toThrow('on purpose');
  const [event] = await append(streamId, ['kept']);
  expect(event).toMatchObject({ seq: 1, content: 'kept' });
});

test('a repeated step is returned as stored and only missing steps are added', async () => {
  const streamId = await newStream();
  const first = await append(streamId, ['a', 'b']);
  const again = await append(streamId, ['a', 'c', 'b']);
  expect(again.map(({ seq }) => seq)).toEqual([1, 3, 2]);
  expect([again[0], again[2]]).toEqual(first);
  expect(await append(streamId, [])).toEqual([]);
  expect(await readEvents(testDb.db, streamId, { after: 1, limit: 1 })).toEqual([first[1]]);
});

test('the same steps by two writers at once are stored once, and leave no gap', async () => {
  const { db } = testDb;
  const streamId = await newStream();
  await append(streamId, ['before']);
  const isStored = Promise.withResolvers<undefined>();
  const mayEnd = Promise.withResolvers<undefined>();
  let tries = 0;
  const attempt = (stepKeys: readonly string[]) =>
    inTransaction(db, async (tx) => {
      tries += 1;
      const steps = stepKeys.map((stepKey) => ({ stepKey, event: warning(stepKey) }));
      const events = await appendEvents(tx, { streamId, conversationId: null, steps });
      isStored.resolve(undefined);
      await mayEnd.promise;
      return events;
    });
  const first = attempt(['a', 'b']);
  await isStored.promise;
  const second = attempt(['a', 'c', 'b']);
  await until('the second attempt waits for the first', async () => {
    const { rows } = await sql`select 1 from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(db);
    return rows.length > 0;
  });
  mayEnd.resolve(undefined);
  expect((await first).map(({ seq }) => seq)).toEqual([2, 3]);
  expect((await second).map(({ seq }) => seq)).toEqual([2, 4, 3]);
  expect(tries).toBe(3);
  expect(await lastSeq(db, streamId)).toBe(4);
});

test('an event of a conversation names it and carries its time with an offset', async () => {
  const { id } = await newConversation();
  const [event] = await append(id, ['a'], id);
  expect(event).toEqual({
    ...warning('a'),
    seq: 1,
    conversation_id: id,
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/),
  });
  const [other] = await append(await newStream(), ['a']);
  expect(other).not.toHaveProperty('conversation_id');
});

test('streams without events have no newest one', async () => {
  const known = await newStream();
  await append(known, ['a', 'b']);
  expect(await lastSeq(testDb.db, randomUUID())).toBe(0);
  expect(await lastSeqs(testDb.db, [known, randomUUID()])).toEqual(new Map([[known, 2]]));
  expect(await lastSeqs(testDb.db, [])).toEqual(new Map());
});

test('a message is stored once, with its metadata unchanged, and moves its conversation up', async () => {
  const { id } = await newConversation();
  const message = {
    id: randomUUID(),
    conversationId: id,
    role: 'assistant' as const,
    content: 'with a \0 in it',
    metadata: { type: 'clarification', partial_intent: { task_name: 'x' } },
  };
  const add = (fields: object) =>
    testDb.db.transaction().execute((tx) => addMessage(tx, { ...message, ...fields }));
  expect(await add({})).toBe(true);
  expect(await add({ content: 'changed' })).toBe(false);
  expect(await add({ id: randomUUID(), role: 'user', metadata: null, content: '' })).toBe(true);

  const stored = await listMessages(testDb.db, id);
  expect(stored).toEqual([
    { ...message, content: 'with a \ufffd in it', createdAt: expect.any(Date) },
    expect.objectContaining({ role: 'user', metadata: null, content: '' }),
  ]);
  const conversation = await testDb.db
    .selectFrom('conversations')
    .select('updatedAt')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  expect(conversation.updatedAt.getTime()).toBeGreaterThan(0);
});

test('a foreign conversation looks like a missing one', async () => {
  const { id, userId } = await newConversation();
  const stranger = await createTestUser(testDb.db);
  await append(id, ['a'], id);
  expect(await findChatAccess(testDb.db, id, userId)).toEqual({
    role: 'free',
    lastSeq: 1,
    isApproved: true,
  });
  expect(await findChatAccess(testDb.db, id, stranger.id)).toBeNull();
  expect(await findChatAccess(testDb.db, randomUUID(), userId)).toBeNull();
});
