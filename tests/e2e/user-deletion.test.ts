/** Deleting users from the built product while they are busy: nothing is left that names them. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { userDeletionWorkflowId } from '../../domain/ids.js';
import type { TemporalClient } from '../../temporal/connection.js';
import { runCommand } from '../support/command.js';
import { wrongDays } from '../support/old-records.js';
import { register, type Chat, type Person } from '../support/person.js';
import { lockRow } from '../support/row-lock.js';
import { testServers } from '../support/servers.js';
import { dumpDatabase, dumpRedis, dumpTemporal } from '../support/stored-everywhere.js';
import { temporalOf } from '../support/temporal.js';
import { until } from '../support/until.js';
import {
  completions,
  registerKeys,
  startVendorProduct,
  type VendorProduct,
} from '../support/vendor-product.js';

let fixture: VendorProduct;
/** Without a codec: sees what the server sees. */
let temporal: TemporalClient;
beforeAll(async () => {
  fixture = await startVendorProduct({ apis: 2 });
  temporal = await temporalOf(fixture.product);
});
afterAll(async () => {
  await temporal.close();
  await fixture.close();
});

const PASSWORD = 'Passw0rd-for-tests';
const DESIGN = {
  name: 'One step',
  description: 'Something to do',
  agents: [{ name: 'reader', role: 'analyzer', llm_model: 'gpt-4o-mini', description: 'reads' }],
};

interface Busy {
  readonly person: Person;
  readonly email: string;
  readonly chat: Chat;
  /** At another process. */
  readonly otherChat: Chat;
  /** The run that waits. */
  readonly pipelineId: string;
  /** All that names them. */
  readonly traces: readonly string[];
}

/** A user with keys, a template, a run that has ended, and one that waits for its vendor. */
async function busyPerson(): Promise<Busy> {
  fixture.vendors.setBehaviour(); // the keys are checked
  const email = `${randomUUID()}@example.com`;
  const person = await register(fixture.product.url, email);
  const keys = await registerKeys(person);
  const mark = `mark-${randomUUID()}`;
  await person.ask('POST', '/api-keys', { name: mark });
  const template = { name: mark, graph_data: {}, design_data: DESIGN, is_public: true };
  await person.ask('POST', '/templates', template);
  await person.ask('POST', '/pipelines/execute-direct', { design: DESIGN });
  const conversationId = await person.startConversation(mark);
  const chat = await person.chat(conversationId);
  const otherChat = await person.at(fixture.product.apis[1]?.url ?? '').chat(conversationId);
  fixture.vendors.setBehaviour(({ schema, key }) =>
    schema === null && key.includes(person.userId) ? { kind: 'hang' } : undefined,
  );
  await chat.say(`Compare three podcast apps by price, ${mark}`);
  chat.send('ok, take option 1');
  const { pipeline_id: pipelineId } = await chat.next('plan_generated');
  await until('a call hangs', () =>
    completions(fixture.vendors, person.userId).some(({ status }) => status === null),
  );
  const runs = await fixture.product.db
    .selectFrom('pipelineExecutions')
    .select('id')
    .where('userId', '=', person.userId)
    .execute();
  expect(runs).toHaveLength(2);
  const ids = [person.userId, conversationId, ...runs.map(({ id }) => id)];
  const traces = [...ids, email, mark, ...Object.values(keys)];
  return { person, email, chat, otherChat, pipelineId, traces };
}

const deleteMe = (person: Person) =>
  person.ask('DELETE', '/auth/me', { current_password: PASSWORD });

const goneFromDatabase = ({ person: { userId } }: Pick<Busy, 'person'>) =>
  until('the account is gone', async () => {
    const query = fixture.product.db.selectFrom('users').select('id').where('id', '=', userId);
    return (await query.executeTakeFirst()) === undefined;
  });

async function deletionEnded({ person: { userId } }: Busy): Promise<void> {
  await temporal.client.workflow.getHandle(userDeletionWorkflowId(userId)).result();
}

const totalCost = async () => {
  const { rows } = await sql<{ sum: string }>`select sum(cost) from cost_ledger`.execute(
    fixture.product.db,
  );
  return rows[0]?.sum;
};

async function expectNoTraces({ person, traces }: Busy): Promise<void> {
  const database = await dumpDatabase(fixture.product.db);
  const workflows = await dumpTemporal(
    temporal.client,
    fixture.product.env['TEMPORAL_TASK_QUEUE'] ?? '',
  );
  const own = userDeletionWorkflowId(person.userId);
  expect(workflows.ids.filter((id) => traces.some((trace) => id.includes(trace)))).toEqual([own]);
  const histories = workflows.text.replaceAll(person.userId, ''); // those of the deletion itself
  for (const trace of traces) {
    expect(database).not.toContain(trace);
    expect(histories).not.toContain(trace);
  }
  await until('Redis names no user; what was streamed lives some seconds longer', async () => {
    const redis = await dumpRedis(testServers().observerRedisUrl);
    return traces.every((trace) => !redis.includes(trace));
  });
}

test('a user in the middle of a run leaves, and nothing names them any more', async () => {
  const busy = await busyPerson();
  const other = await busyPerson();
  fixture.vendors.setBehaviour(({ schema }) => (schema === null ? { kind: 'hang' } : undefined));
  const { person, email, chat, otherChat } = busy;
  const before = await dumpDatabase(fixture.product.db);
  expect(
    busy.traces.filter((trace) => !before.includes(trace) && !trace.includes('-test-')),
  ).toEqual([]);
  expect([202, 204]).toContain((await deleteMe(person)).status);
  const unnamed = { status: 401, body: { detail: 'User not found' } };
  expect(await person.ask('GET', '/auth/me')).toMatchObject(unnamed);
  const gone = { code: 1008, reason: 'user not found' };
  await until('both sockets are closed', () => chat.closed !== null && otherChat.closed !== null);
  expect([chat.closed, otherChat.closed]).toEqual([gone, gone]);
  await goneFromDatabase(busy);
  expect(
    completions(fixture.vendors, person.userId).every(
      ({ status, aborted }) => status !== null || aborted,
    ),
  ).toBe(true);
  await deletionEnded(busy);
  await expectNoTraces(busy);
  expect(await wrongDays(fixture.product.db)).toEqual([]);
  const listed = await other.person.ask('GET', '/conversations');
  expect(listed.body).toHaveLength(1);
  expect(other.chat.closed).toBeNull();
  const anew = await register(fixture.product.url, email);
  expect((await anew.ask('GET', '/auth/me')).body).toMatchObject({ email });
  expect((await anew.ask('GET', '/conversations')).body).toEqual([]);
  await other.person.ask('POST', `/pipelines/${other.pipelineId}/cancel`);
  expect(await other.chat.next('pipeline_result')).toMatchObject({
    result: { status: 'cancelled' },
  });
});

test('a worker killed in the middle does not stop it', async () => {
  const busy = await busyPerson();
  const { db } = fixture.product;
  const lock = await lockRow(
    db,
    sql`select id from user_daily_costs where user_id = ${busy.person.userId}::uuid for update`,
  );
  const spent = await totalCost();
  const asking = deleteMe(busy.person);
  await lock.awaited();
  expect((await asking).status).toBe(202);
  await fixture.product.workers.at(-1)?.kill();
  lock.release();
  await fixture.product.startWorker();
  await goneFromDatabase(busy);
  await deletionEnded(busy);
  await expectNoTraces(busy);
  expect([await totalCost(), await wrongDays(db)]).toEqual([spent, []]);
});

test('an operator and an administrator can do it, too', async () => {
  const { url, env, db } = fixture.product;
  const email = `${randomUUID()}@example.com`;
  const [first, second] = [await register(url, email), await register(url)];
  const boss = await register(url);
  await db.updateTable('users').set({ role: 'admin' }).where('id', '=', boss.userId).execute();
  const deleting = boss.ask('DELETE', `/auth/users/${second.userId}`);
  const settings = { ...env, PORT: '', WORKER_METRICS_PORT: '' };
  const { code, output } = await runCommand('user-delete.js', [email, '--yes'], settings);
  expect(output).toContain(`${email} and everything of theirs is deleted.`);
  expect(code).toBe(0);
  expect([202, 204]).toContain((await deleting).status);
  for (const person of [first, second]) {
    await goneFromDatabase({ person });
    expect((await person.ask('GET', '/auth/me')).status).toBe(401);
  }
});
