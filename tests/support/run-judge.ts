/** What is wrong with a run that has ended, judged by the model of the contract; empty if nothing. */
import { RUN_LIMITS, type StopReason } from '../../domain/run/pipeline-run.js';
import type { RunRecords } from './run-records.js';
import { runModel, type Happening } from './run-model.js';

type Step = RunRecords['steps'][number];

/** Ends that are in the result; one that came after the run's end is only charged. */
function announced({ steps }: RunRecords): readonly Step[] {
  return steps.filter(({ seq }) => seq !== null);
}

function endOf({ record }: RunRecords, step: Step): Happening {
  const agent = positionOf(record.design, step.node);
  return { what: 'ended', agent, status: step.status, fields: step.fields };
}

/** In sequential mode a repeated name has a suffix. */
function positionOf(design: RunRecords['record']['design'], node: string): number {
  const at = design.agents.findIndex(({ name }) => name === node);
  return at >= 0 ? at : Number(/_(\d+)$/.exec(node)?.[1]);
}

const NO_LIMITS = { ...RUN_LIMITS, maxErrors: Infinity, maxSteps: Infinity };

/** Each agent ran once, after its predecessors, on a branch that was taken. */
export function judgeOrder(records: RunRecords): readonly string[] {
  const past: Happening[] = [];
  const model = runModel(records.record.design, past, NO_LIMITS);
  return announced(records).flatMap((step) => {
    const end = endOf(records, step);
    const mayEnd = 'agent' in end && model.mayBegin().includes(end.agent);
    past.push(end);
    return mayEnd ? [] : [`${step.node} ended where it could not even begin`];
  });
}

const STOPS: ReadonlyMap<string, StopReason> = new Map([
  ['over-budget', 'over-budget'],
  ['approval-rejected', 'rejected'],
]);

/** Nothing that a taken branch leads to was left out without a reason, and the reason is stated. */
export function judgeEnd(records: RunRecords): readonly string[] {
  const { record } = records;
  const steps = announced(records);
  const failed = steps.filter(({ status }) => status === 'failed');
  const status =
    failed.length === steps.length ? 'failed' : failed.length > 0 ? 'partial' : 'completed';
  const error = record.result?.error ?? '';
  return record.status === 'cancelled'
    ? []
    : [
        ...(record.status === status ? [] : [`it is ${record.status} and should be ${status}`]),
        ...failed.filter((it) => !isTold(it, error)).map((it) => `untold: ${it.error}`),
        ...judgeReason(records, error),
      ];
}

/** Agents that failed alike are named together, before the reason. */
function isTold({ agentName, error }: Step, told: string): boolean {
  const reason = (error ?? '').slice((error ?? '').indexOf(': ') + 2);
  return told.includes(agentName) && told.includes(reason);
}

function judgeReason(records: RunRecords, error: string): readonly string[] {
  const steps = announced(records);
  const stops = steps.flatMap(({ errorCode }) => {
    const reason = STOPS.get(errorCode ?? '');
    return reason === undefined ? [] : [{ what: 'stopped', reason } as const];
  });
  const past = [...steps.map((step) => endOf(records, step)), ...stops];
  const why = runModel(records.record.design, past, RUN_LIMITS).whyLeft();
  if (why === 'max-steps') {
    return ['agents were left without a reason'];
  }
  const isReasonTold = error.includes('No further agent was started');
  return isReasonTold === (why !== null) ? [] : [`left because of ${why}, but it says: ${error}`];
}

/** The stored result agrees with the stored agents. */
export function judgeResult(records: RunRecords): readonly string[] {
  const { result } = records.record;
  const told = result?.agent_results.map((it) => `${it.agent_name} ${it.status}`).join();
  const stored = announced(records).map((it) => `${it.agentName} ${it.status}`);
  return told === stored.join() ? [] : [`${String(told)} instead of ${stored.join()}`];
}

/** Numbers without gaps, a beginning, an end, and in between only what a run at work may publish. */
export function judgeEvents(records: RunRecords): readonly string[] {
  const { events } = records;
  const problems: string[] = [];
  const types = events.map(({ type }) => type);
  if (events.some(({ seq }, at) => seq !== at + 1)) {
    problems.push('seq has gaps');
  }
  if (types[0] !== 'pipeline_started' && types.length > 1) {
    problems.push('it does not begin with pipeline_started');
  }
  if (types.indexOf('pipeline_result') !== types.length - 1) {
    problems.push('pipeline_result is not the last, or not the only one');
  }
  const completed = events.flatMap((it) => (it.type === 'agent_completed' ? [it.seq] : []));
  const ends = announced(records).map(({ seq }) => seq);
  if (completed.join() !== ends.join()) {
    problems.push(`agent_completed at ${completed.join()}, agents at ${ends.join()}`);
  }
  return [...problems, ...judgeWaits(records), ...judgeQuestions(records)];
}

/** A run that waits neither calls nor goes on before it publishes so. */
function judgeWaits({ events }: RunRecords): readonly string[] {
  let isWaiting = false;
  return events.flatMap((event) => {
    const wasWaiting = isWaiting;
    if (event.type === 'pipeline_waiting' || event.type === 'pipeline_resumed') {
      isWaiting = event.type === 'pipeline_waiting';
      return isWaiting || wasWaiting ? [] : ['resumed without having waited'];
    }
    const isRejection = event.type === 'agent_completed' && event.status === 'failed';
    return event.type === 'agent_completed' && wasWaiting && !isRejection
      ? [`${event.agent_name} ended while the run waited`]
      : [];
  });
}

/** Each question is asked once and decided at most once, as its row has it. */
function judgeQuestions({ events, approvals }: RunRecords): readonly string[] {
  const asked = events.flatMap((it) => (it.type === 'approval_requested' ? [it.node] : []));
  const decided = events.flatMap((it) =>
    it.type === 'approval_decided' ? [`${it.node} ${it.decision}`] : [],
  );
  const wanted = approvals.map(({ node }) => node);
  const settled = approvals
    .filter(({ state }) => state !== 'withdrawn')
    .map(({ node, state }) => `${node} ${state}`);
  return [
    ...(asked.toSorted().join() === wanted.toSorted().join() ? [] : [`asked ${asked.join()}`]),
    ...(decided.toSorted().join() === settled.toSorted().join()
      ? []
      : [`told ${decided.join()}, recorded ${settled.join()}`]),
  ];
}

export function judgeEnded({ record }: RunRecords): readonly string[] {
  return record.endedAt === null ? [`it waits for ${record.waitingFor}`] : [];
}

/** Nothing stays behind a run: no lock, no question, no open reservation, no wait. */
export function judgeLeftovers({ record, approvals, ledger, slots }: RunRecords) {
  return [
    ...(record.waitingFor === null ? [] : [`it still waits: ${record.waitingFor}`]),
    ...slots.map(() => 'a slot is held'),
    ...approvals.filter(({ state }) => state === 'wanted').map(({ node }) => `${node} is wanted`),
    ...ledger
      .filter(({ state }) => state === 'reserved')
      .map(({ stepId }) => `reserved: ${stepId}`),
  ];
}

/** Every agent called once, and only if it was to call; a cancelled run may have had more in flight. */
export function judgeCalls(records: RunRecords, calls: readonly string[]): readonly string[] {
  const asked = announced(records)
    .filter(({ errorCode }) => errorCode !== 'over-budget' && errorCode !== 'approval-rejected')
    .map(({ agentName }) => agentName);
  const all = records.record.design.agents.map(({ name }) => name);
  const isCancelled = records.record.status === 'cancelled';
  const missing = without(asked, calls);
  const more = without(calls, isCancelled ? all : asked);
  return [...missing.map((name) => `no call of ${name}`), ...more.map((name) => `again: ${name}`)];
}

/** What of `left` is not in `right`, each as often as it is there. */
function without(left: readonly string[], right: readonly string[]): readonly string[] {
  const rest = [...right];
  return left.filter((name) => {
    const at = rest.indexOf(name);
    return at < 0 || rest.splice(at, 1).length === 0;
  });
}

/** One paid reply per agent that succeeded; a call of unknown end is charged only where one was cut. */
export function judgeMoney(records: RunRecords): readonly string[] {
  const { record, steps, ledger } = records;
  const inState = (...states: readonly string[]) =>
    ledger.filter(({ state }) => states.includes(state)).map(({ stepId }) => stepId);
  const succeeded = steps
    .filter(({ status, provider }) => status === 'success' && provider !== null)
    .map(({ id }) => id);
  const settled = inState('settled');
  const isCancelled = record.status === 'cancelled';
  return [
    ...without(succeeded, settled).map((id) => `not paid: ${id}`),
    ...without(settled, succeeded).map((id) => `paid in vain: ${id}`),
    ...(isCancelled ? [] : inState('unknown').map((id) => `unknown: ${id}`)),
  ];
}
