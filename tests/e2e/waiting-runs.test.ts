/** Runs that wait for a person, a budget or a resume, and go on without paying twice. */
import { sql } from 'kysely';
import { pipelineWorkflowId } from '../../domain/ids.js';
import type { TemporalClient } from '../../temporal/connection.js';
import { openEventSource } from '../support/event-source.js';
import { loseHistory } from '../support/lost-history.js';
import { register, type Person } from '../support/person.js';
import { lockRow } from '../support/row-lock.js';
import { temporalOf } from '../support/temporal.js';
import { until } from '../support/until.js';
import {
  completions,
  registerKeys,
  startVendorProduct,
  type VendorProduct,
} from '../support/vendor-product.js';

let fixture: VendorProduct;
let temporal: TemporalClient;
beforeAll(async () => {
  fixture = await startVendorProduct({ workers: 2, env: { SIMULATED_MODELS: 'false' } });
  temporal = await temporalOf(fixture.product);
});
afterAll(async () => {
  await temporal.close();
  await fixture.close();
});

function agent(name: string, more: object = {}) {
  return { name, role: 'analyzer', llm_model: 'gpt-4o-mini', description: `does ${name}`, ...more };
}

function designOf(agents: object[], edges: string[] = []) {
  const ends = edges.map((edge) => edge.split('>'));
  return {
    name: 'A design',
    description: 'Something to do',
    agents,
    edges: ends.map(([source, target]) => ({ source, target })),
  };
}

async function newPerson(): Promise<Person> {
  fixture.vendors.setBehaviour();
  const person = await register(fixture.product.url);
  await registerKeys(person, ['openai']);
  return person;
}

const execute = (person: Person, design: object, more: object = {}) =>
  person.ask('POST', '/pipelines/execute-direct', { design, ...more });

const callsOf = ({ userId }: Person) =>
  completions(fixture.vendors, userId).map(({ prompt }) => /does (\w+)/.exec(prompt)?.[1]);

const statusOf = async (person: Person, id: string) =>
  (await person.ask('GET', `/pipelines/${id}/status`)).body;

async function untilEnded(person: Person, id: string) {
  return until('the run has ended', async () => {
    const view = await statusOf(person, id);
    return view.result === null ? null : view;
  });
}

async function untilWaiting(person: Person, id: string, reason: string) {
  await until(`the run waits: ${reason}`, async () => {
    return (await statusOf(person, id)).waiting_for === reason;
  });
}

async function storedEvents(id: string): Promise<any[]> {
  const rows = await fixture.product.db
    .selectFrom('streamEvents')
    .select(['seq', 'event'])
    .where('streamId', '=', id)
    .orderBy('seq')
    .execute();
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1));
  return rows.map(({ event }) => event);
}

const GATED = designOf([agent('first'), agent('gated', { approval: true }), agent('last')]);

describe('an agent that needs approval', () => {
  test('waits without the lock, shows its input, and works with the edited one', async () => {
    const person = await newPerson();
    const asked = await execute(person, GATED);
    expect(asked).toMatchObject({
      status: 202,
      body: { status: 'running', waiting_for: 'approval', detail: 'waiting for approval' },
    });
    const id = asked.body.pipeline_id;
    const told = await openEventSource(
      `${fixture.product.url}/api/v1/pipelines/${id}/events?events=extended`,
      { authorization: `Bearer ${person.token}` },
    );
    expect((await execute(person, designOf([agent('between')]))).body.status).toBe('completed');
    const approvals = await person.ask('GET', `/pipelines/${id}/approvals`);
    expect(approvals.body).toMatchObject([
      { node: 'gated', state: 'wanted', decided_by: null, on_timeout: 'reject' },
    ]);
    expect(approvals.body[0].input).toContain('stand-in');
    const decided = await person.ask('POST', `/pipelines/${id}/approvals/gated`, {
      decision: 'approve',
      input: 'Only the second app counts.',
      comment: 'looked at it',
    });
    expect(decided).toMatchObject({
      status: 200,
      body: { state: 'approved', decided_by: 'user', edited_input: 'Only the second app counts.' },
    });
    const view = await untilEnded(person, id);
    expect(view).toMatchObject({ status: 'completed', waiting_for: null, detail: null });
    expect(callsOf(person)).toEqual(['first', 'between', 'gated', 'last']);
    const gated = completions(fixture.vendors, person.userId)[2];
    expect(gated?.prompt).toContain('Only the second app counts.');
    expect(gated?.prompt).not.toContain(approvals.body[0].input);
    const events = await storedEvents(id);
    await until('all has arrived', () => told.ended());
    const numbered = told.frames().flatMap(({ data }) => (data.seq === undefined ? [] : [data]));
    expect(numbered).toMatchObject(events);
    expect(events.map(({ type }) => type)).toEqual([
      'pipeline_started',
      'agent_completed',
      'approval_requested',
      'pipeline_waiting',
      'approval_decided',
      'pipeline_resumed',
      'agent_completed',
      'agent_completed',
      'pipeline_result',
    ]);
    const again = await person.ask('POST', `/pipelines/${id}/approvals/gated`, {
      decision: 'reject',
    });
    expect(again.status).toBe(409);
    const rerun = await person.ask('POST', `/pipelines/${id}/rerun`, { from: 'last' });
    expect(rerun).toMatchObject({ status: 200, body: { status: 'completed' } }); // asks no person again
    expect(callsOf(person).slice(4)).toEqual(['last']);
  });

  test('once rejected, fails with the comment, and nothing begins after it', async () => {
    const person = await newPerson();
    const { body } = await execute(person, GATED);
    const path = `/pipelines/${body.pipeline_id}/approvals`;
    expect((await person.ask('POST', `${path}/first`, { decision: 'approve' })).status).toBe(409);
    expect((await person.ask('POST', `${path}/none`, { decision: 'approve' })).status).toBe(409);
    const bad = await person.ask('POST', `${path}/gated`, { decision: 'reject', input: 'x' });
    expect(bad).toMatchObject({ status: 422, body: { detail: [{ field: 'input' }] } });
    const comment = 'wrong source';
    const answer = await person.ask('POST', `${path}/gated`, { decision: 'reject', comment });
    expect(answer).toMatchObject({ status: 200, body: { state: 'rejected', comment } });
    const view = await untilEnded(person, body.pipeline_id);
    expect(view).toMatchObject({ status: 'partial' });
    expect(view.result.agent_results).toMatchObject([
      { agent_name: 'first', status: 'success' },
      { agent_name: 'gated', status: 'failed', error: expect.stringContaining(comment) },
    ]);
    expect(view.result.error).toContain('No further agent was started after the rejection');
    expect(callsOf(person)).toEqual(['first']);
  });

  test.each([
    ['approve', 'completed', ['first', 'gated']],
    ['reject', 'partial', ['first']],
  ])('without an answer: its deadline means %s', async (onTimeout, status, calls) => {
    const person = await newPerson();
    const rule = { approval: true, approval_timeout_seconds: 1, on_approval_timeout: onTimeout };
    const { body } = await execute(person, designOf([agent('first'), agent('gated', rule)]));
    expect(await untilEnded(person, body.pipeline_id)).toMatchObject({ status });
    expect(callsOf(person)).toEqual(calls);
    const { body: approvals } = await person.ask('GET', `/pipelines/${body.pipeline_id}/approvals`);
    expect(approvals).toMatchObject([{ decided_by: 'deadline' }]);
  });

  test('does not hold up other branches; a node of role approval hands its input on', async () => {
    const person = await newPerson();
    const agents = [agent('a'), agent('gate', { role: 'approval' }), agent('b'), agent('end')];
    const { body } = await execute(
      person,
      designOf(agents, ['a>gate', 'a>b', 'gate>end', 'b>end']),
    );
    await untilWaiting(person, body.pipeline_id, 'approval');
    expect(callsOf(person)).toEqual(['a', 'b']);
    const path = `/pipelines/${body.pipeline_id}/approvals/gate`;
    await person.ask('POST', path, { decision: 'approve', input: 'agreed text' });
    const view = await untilEnded(person, body.pipeline_id);
    const results = new Map(view.result.agent_results.map((it: any) => [it.agent_name, it]));
    expect(results.get('gate')).toMatchObject({
      content: 'agreed text',
      tokens_used: 0,
      cost_estimate: 0,
    });
    expect(completions(fixture.vendors, person.userId).at(-1)?.prompt).toContain('agreed text');
    expect(callsOf(person)).toEqual(['a', 'b', 'end']);
  });

  test('survives every worker being killed while it waits', async () => {
    const person = await newPerson();
    const { body } = await execute(person, GATED);
    await Promise.all(fixture.product.workers.map((worker) => worker.kill()));
    const path = `/pipelines/${body.pipeline_id}/approvals/gated`;
    const told = await person.ask('POST', path, { decision: 'approve' });
    expect(told).toMatchObject({ status: 202, body: { state: 'wanted' } });
    await fixture.product.startWorker();
    expect(await untilEnded(person, body.pipeline_id)).toMatchObject({ status: 'completed' });
    expect(callsOf(person)).toEqual(['first', 'gated', 'last']);
  });

  test('survives every worker being killed while the decision is recorded', async () => {
    const person = await newPerson();
    const { body } = await execute(person, GATED);
    const id = body.pipeline_id;
    const recording = await lockRow(
      fixture.product.db,
      sql`update approvals set comment = comment where pipeline_id = ${id} returning node as id`,
    );
    const answer = person.ask('POST', `/pipelines/${id}/approvals/gated`, { decision: 'approve' });
    await recording.awaited(); // the run has taken it
    await Promise.all(fixture.product.workers.map((worker) => worker.kill()));
    recording.release();
    expect([200, 202]).toContain((await answer).status); // the killed worker's transaction may have gone through
    await fixture.product.startWorker();
    expect(await untilEnded(person, id)).toMatchObject({ status: 'completed' });
    expect(callsOf(person)).toEqual(['first', 'gated', 'last']);
    const decided = (await storedEvents(id)).filter(({ type }) => type === 'approval_decided');
    expect(decided).toMatchObject([{ decision: 'approved', decided_by: 'user' }]);
  });

  test('is decided by the first of two clients; the other one is refused', async () => {
    const person = await newPerson();
    const { body } = await execute(person, GATED);
    const path = `/pipelines/${body.pipeline_id}/approvals/gated`;
    const answers = await Promise.all(
      ['approve', 'reject'].map((decision) => person.ask('POST', path, { decision })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
    const isApproved = answers[0]?.status === 200;
    const end = await untilEnded(person, body.pipeline_id);
    expect(end.status).toBe(isApproved ? 'completed' : 'partial');
  });

  test('is withdrawn when its run is cancelled', async () => {
    const person = await newPerson();
    const { body } = await execute(person, GATED);
    const id = body.pipeline_id;
    expect((await person.ask('POST', `/pipelines/${id}/cancel`)).status).toBe(202);
    expect(await untilEnded(person, id)).toMatchObject({ status: 'cancelled' });
    const approvals = await person.ask('GET', `/pipelines/${id}/approvals`);
    expect(approvals.body).toMatchObject([{ state: 'withdrawn', decided_by: 'run' }]);
  });
});

describe('pause and resume', () => {
  test('no new node begins, the call in flight is kept, and the lock is taken in turn', async () => {
    const person = await newPerson();
    const held = new Map(['first', 'other'].map((name) => [name, Promise.withResolvers<null>()]));
    fixture.vendors.setBehaviour(({ prompt }) => {
      const hold = held.get(/does (\w+)/.exec(prompt)?.[1] ?? '')?.promise;
      return hold === undefined ? undefined : { kind: 'answer', hold };
    });
    const running = execute(person, designOf([agent('first'), agent('second')]));
    await until('the first call', () => callsOf(person).length === 1);
    const [{ id }] = (await person.ask('GET', '/stats/pipeline-history')).body;
    expect((await person.ask('POST', `/pipelines/${id}/pause`)).status).toBe(202);
    held.get('first')?.resolve(null);
    expect(await running).toMatchObject({
      status: 202,
      body: { pipeline_id: id, waiting_for: 'pause', detail: 'paused' },
    });
    const other = execute(person, designOf([agent('other')]));
    await until('the other call', () => callsOf(person).includes('other'));
    expect((await person.ask('POST', `/pipelines/${id}/resume`)).status).toBe(202);
    await untilWaiting(person, id, 'slot');
    expect(callsOf(person)).toEqual(['first', 'other']);
    held.get('other')?.resolve(null);
    expect((await other).body.status).toBe('completed');
    expect(await untilEnded(person, id)).toMatchObject({ status: 'completed' });
    expect(callsOf(person)).toEqual(['first', 'other', 'second']);
    const late = await person.ask('POST', `/pipelines/${id}/pause`);
    expect(late.status).toBe(409);
  });
});

describe('in a conversation', () => {
  test('a run that waits is the only one: others are refused with its name, and control words reach it', async () => {
    const person = await newPerson();
    const conversationId = await person.startConversation();
    const chat = await person.chat(conversationId);
    await chat.say('Compare three podcast apps by price and write a report about them');
    for (const word of ['cancel', 'restart']) {
      const hold = Promise.withResolvers<null>();
      const before = completions(fixture.vendors, person.userId).length;
      fixture.vendors.setBehaviour(({ schema }) =>
        schema === null ? { kind: 'answer', hold: hold.promise } : undefined,
      );
      chat.send(word === 'cancel' ? 'ok, take option 1' : 'run it again');
      const { pipeline_id: id } = await chat.next('plan_generated');
      await until('an agent works', () => {
        return completions(fixture.vendors, person.userId).length > before;
      });
      const orderAgain = () =>
        person.ask('POST', '/pipelines/execute', { conversation_id: conversationId });
      expect((await orderAgain()).status).toBe(429);
      expect((await person.ask('POST', `/pipelines/${id}/pause`)).status).toBe(202);
      hold.resolve(null);
      await untilWaiting(person, id as string, 'pause');
      expect(await orderAgain()).toMatchObject({
        status: 409,
        body: { detail: expect.stringMatching(new RegExp(`\\(${String(id)}\\).*: paused`)) },
      });
      expect(await chat.say('and now something else, please')).toMatchObject({
        type: 'error',
        content: expect.stringMatching(new RegExp(`\\(${String(id)}\\).*: it is paused`)),
      });
      chat.send(word);
      await chat.next(word === 'cancel' ? 'pipeline_result' : 'clarification');
      expect(await untilEnded(person, id as string)).toMatchObject({ status: 'cancelled' });
      fixture.vendors.setBehaviour();
    }
  });
});

/** $1.20 of gpt-4o-mini's output: more than a free user's day has. */
const DEAR = { promptTokens: 10, completionTokens: 2_000_000 };

describe('a run that the day does not cover', () => {
  test('waits where it is to, goes on when the budget is raised, and pays nothing twice', async () => {
    const person = await newPerson();
    const admin = await newPerson();
    const { db } = fixture.product;
    await db.updateTable('users').set({ role: 'admin' }).where('id', '=', admin.userId).execute();
    fixture.vendors.setBehaviour(({ prompt }) =>
      prompt.includes('does dear') ? { kind: 'answer', usage: DEAR } : undefined,
    );
    const design = designOf([agent('dear'), agent('late'), agent('last')]);
    const asked = await execute(person, design, { on_budget: 'pause' });
    expect(asked).toMatchObject({
      status: 202,
      body: { status: 'running', waiting_for: 'budget', detail: 'waiting for budget' },
    });
    const id = asked.body.pipeline_id;
    expect(callsOf(person)).toEqual(['dear']);
    const raise = (usd: number | null) =>
      admin.ask('PUT', `/auth/users/${person.userId}/budget`, { daily_budget_usd: usd });
    expect(await raise(1.1)).toMatchObject({ status: 200, body: { daily_budget_usd: 1.1 } });
    await until('it has looked again', async () => {
      const events = await storedEvents(id);
      return events.filter(({ type }) => type === 'pipeline_waiting').length === 2;
    });
    expect(await raise(5)).toMatchObject({ status: 200, body: { daily_limit: 5 } });
    expect(await untilEnded(person, id)).toMatchObject({ status: 'completed' });
    expect(callsOf(person)).toEqual(['dear', 'late', 'last']);
    const usage = await person.ask('GET', '/auth/me/usage');
    expect(usage.body).toMatchObject({ daily_limit: 5 });
    const states = await db
      .selectFrom('costLedger')
      .select('state')
      .where('pipelineId', '=', id)
      .execute();
    expect(states.map(({ state }) => state)).toEqual(['settled', 'settled', 'settled']);
    expect((await person.ask('PUT', `/auth/users/${admin.userId}/budget`, {})).status).toBe(403);
  });
});

describe('a re-run', () => {
  const PARALLEL = designOf(
    ['root', 'left', 'right', 'join'].map((name) => agent(name)),
    ['root>left', 'root>right', 'left>join', 'right>join'],
  );

  test('makes exactly the calls that remain, and is compared with the first run', async () => {
    const person = await newPerson();
    const first = (await execute(person, PARALLEL)).body;
    expect(callsOf(person)).toHaveLength(4);
    const order = { from: 'left', changes: { left: { custom_prompt: null, temperature: 0.1 } } };
    const again = await person.ask('POST', `/pipelines/${first.pipeline_id}/rerun`, order);
    expect(again).toMatchObject({
      status: 200,
      body: { status: 'completed', rerun_of: first.pipeline_id },
    });
    expect(callsOf(person).slice(4)).toEqual(['left', 'join']);
    const path = `/pipelines/${first.pipeline_id}/compare/${again.body.pipeline_id}`;
    const { body } = await person.ask('GET', path);
    expect(body.nodes.map((it: any) => [it.node, it.changed, it.same_output])).toEqual([
      ['root', [], true],
      ['left', ['temperature'], expect.any(Boolean)],
      ['right', [], true],
      ['join', [], expect.any(Boolean)],
    ]);
    for (const { agent_name: node, duration_seconds } of first.result.agent_results) {
      const compared = body.nodes.find((it: any) => it.node === node);
      expect(compared.left).toMatchObject({ duration_seconds });
    }
    expect(body.left.total_duration).toBe(first.result.total_duration);
    const root = body.nodes[0];
    expect(root.left.cost_estimate).toBeGreaterThan(0);
    expect(root.right).toMatchObject({ cost_estimate: 0, tokens_used: 0 });
    expect(root.right.reused_from).toBe(first.pipeline_id);
    expect(body.right.total_cost).toBeLessThan(body.left.total_cost);
    const third = await person.ask('POST', `/pipelines/${again.body.pipeline_id}/rerun`, {
      from: 'join',
    });
    expect(third.body.status).toBe('completed');
    expect(callsOf(person).slice(6)).toEqual(['join']);
  });

  test('needs no history: what Temporal has forgotten is run again and compared', async () => {
    const person = await newPerson();
    const first = (await execute(person, PARALLEL)).body;
    await loseHistory(temporal.client, pipelineWorkflowId(first.pipeline_id));
    const path = `/pipelines/${first.pipeline_id}`;
    const again = await person.ask('POST', `${path}/rerun`, { from: 'right' });
    expect(again).toMatchObject({ status: 200, body: { status: 'completed' } });
    expect(callsOf(person).slice(4)).toEqual(['right', 'join']);
    await loseHistory(temporal.client, pipelineWorkflowId(again.body.pipeline_id));
    const { status, body } = await person.ask('GET', `${path}/compare/${again.body.pipeline_id}`);
    expect(status).toBe(200);
    expect(body.nodes.map((it: any) => [it.node, it.right.reused_from === undefined])).toEqual([
      ['root', false],
      ['left', false],
      ['right', true],
      ['join', true],
    ]);
  });

  test('of a run that has not ended is refused', async () => {
    const person = await newPerson();
    const { body } = await execute(person, GATED);
    const answer = await person.ask('POST', `/pipelines/${body.pipeline_id}/rerun`, {});
    expect([answer.status, answer.body.detail]).toEqual([
      409,
      'The run has not ended; cancel it or wait for its end',
    ]);
  });

  test('names what it cannot do', async () => {
    const person = await newPerson();
    const first = (await execute(person, PARALLEL)).body;
    const rerun = (order: object) =>
      person.ask('POST', `/pipelines/${first.pipeline_id}/rerun`, order);
    expect(await rerun({ from: 'missing' })).toMatchObject({
      status: 404,
      body: { detail: 'from: the run has no such node' },
    });
    expect(await rerun({ changes: { missing: {} } })).toMatchObject({
      status: 404,
      body: { detail: 'changes.missing: the run has no such node' },
    });
    expect(await rerun({ changes: { missing: {}, left: { temperature: 9 } } })).toMatchObject({
      status: 422,
      body: { detail: [{ field: 'changes.left.temperature' }] },
    });
    expect(callsOf(person)).toHaveLength(4);
  });
});

test('another user cannot distinguish a run of ours from none', async () => {
  const person = await newPerson();
  const stranger = await newPerson();
  const { body } = await execute(person, GATED);
  for (const id of [body.pipeline_id, '00000000-0000-4000-8000-000000000000', 'no-id']) {
    const answers = await Promise.all([
      stranger.ask('POST', `/pipelines/${id}/pause`),
      stranger.ask('POST', `/pipelines/${id}/resume`),
      stranger.ask('GET', `/pipelines/${id}/approvals`),
      stranger.ask('POST', `/pipelines/${id}/approvals/gated`, { decision: 'approve' }),
      stranger.ask('POST', `/pipelines/${id}/rerun`, {}),
      stranger.ask('GET', `/pipelines/${id}/compare/${body.pipeline_id}`),
    ]);
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 404, body: { detail: 'Pipeline run not found' } });
    }
  }
  expect(await statusOf(person, body.pipeline_id)).toMatchObject({ waiting_for: 'approval' });
});
