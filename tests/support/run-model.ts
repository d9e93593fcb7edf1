/**
 * What a run has to do, according to the contract (pipeline, section 2), as plainly as possible:
 * every answer is derived anew from the design and from what has happened so far. Written without
 * a look at the interpreter, which it judges; agents are numbers here, in the order of the design.
 */
import type { Design } from '../../domain/design/designs.js';
import type { RunLimits, StopReason } from '../../domain/run/pipeline-run.js';
import type { AgentStatus } from '../../domain/run/results.js';

export type Happening =
  | { readonly what: 'began' | 'asked' | 'agreed' | 'put off'; readonly agent: number }
  | {
      readonly what: 'ended';
      readonly agent: number;
      readonly status: AgentStatus;
      readonly fields: Readonly<Record<string, number>>;
    }
  | { readonly what: 'stopped'; readonly reason: StopReason };

type End = Extract<Happening, { what: 'ended' }>;

interface Edge {
  readonly source: number;
  readonly target: number;
  readonly condition: string | null;
}

export interface RunModel {
  /** Agents that may begin now, or be asked about, in the order of the design. */
  mayBegin(): readonly number[];
  /** Agents that a person may still let begin. */
  awaited(): readonly number[];
  running(): readonly number[];
  isOver(): boolean;
  stateOf(agent: number): string;
  /** Agents that a taken branch leads to and that have not ended. */
  left(): readonly number[];
  /** Why it leaves them, once it is over. */
  whyLeft(): StopReason | null;
}

/** @param past may grow; the model always answers for what it holds now */
export function runModel(
  { agents, edges }: Design,
  past: readonly Happening[],
  limits: RunLimits,
): RunModel {
  const everybody = agents.map((_, at) => at);
  const allEdges = edges === null || edges.length === 0 ? chainOf(everybody) : numbered();

  function numbered(): readonly Edge[] {
    const numberOf = (name: string) => agents.findIndex((it) => it.name === name);
    return (edges ?? []).map(({ source, target, condition }) => {
      return { source: numberOf(source), target: numberOf(target), condition };
    });
  }

  const sourcesOf = (agent: number) =>
    allEdges.filter(({ target }) => target === agent).map(({ source }) => source);
  const isEntry = (agent: number) => sourcesOf(agent).length === 0;
  const ends = () => past.filter((it): it is End => it.what === 'ended');
  const endOf = (agent: number) => ends().find((end) => end.agent === agent);
  const errors = () => ends().filter(({ status }) => status === 'failed').length;
  const lastOf = (agent: number) =>
    past.findLast((it) => it.what !== 'stopped' && it.agent === agent)?.what;

  /** Fields of the run win over those of the agent. */
  function valueOf(field: string, end: End): number {
    const soFar = ends().slice(0, ends().indexOf(end) + 1);
    switch (field) {
      case 'current_step':
        return soFar.length;
      case 'cost_total':
        return soFar.reduce((sum, { fields }) => sum + (fields['cost_estimate'] ?? 0), 0);
      case 'max_steps':
        return limits.maxSteps;
      case 'timeout_seconds':
        return limits.timeoutSeconds;
      default:
        return new Map(Object.entries(end.fields)).get(field) ?? 0;
    }
  }

  function isTrue(condition: string, end: End): boolean {
    const [, field = '', sign = '', number = ''] = /(\w+)\s*([<>=]+)\s*(\S+)/.exec(condition) ?? [];
    const [value, bound] = [valueOf(field, end), Number(number)];
    return (
      (sign.includes('>') && value > bound) ||
      (sign.includes('<') && value < bound) ||
      (sign.includes('=') && value === bound)
    );
  }

  function takenFrom(agent: number): readonly number[] {
    const end = endOf(agent);
    if (end === undefined) {
      return [];
    }
    const outgoing = allEdges.filter(({ source }) => source === agent);
    const always = outgoing.filter(({ condition }) => condition === null);
    const holding = outgoing.filter(({ condition }) => condition && isTrue(condition, end));
    if (always.length === outgoing.length) {
      return always.map(({ target }) => target);
    }
    return (holding.length > 0 ? holding : always.slice(-1)).map(({ target }) => target);
  }

  const isReached = (agent: number) =>
    isEntry(agent) || sourcesOf(agent).some((source) => takenFrom(source).includes(agent));
  /** All its incoming branches are known not to be taken. */
  const isSkipped = (agent: number): boolean =>
    !isReached(agent) && sourcesOf(agent).every((source) => isSettled(source));
  const isSettled = (agent: number): boolean => endOf(agent) !== undefined || isSkipped(agent);

  const hasStopped = () => past.some(({ what }) => what === 'stopped');
  const isRunning = (agent: number) => lastOf(agent) === 'began';
  const hasBegun = (agent: number) => isRunning(agent) || endOf(agent) !== undefined;
  /** The continue-check, which entries are spared; `more` begin besides. */
  const mayContinue = (agent: number, more: number) =>
    isEntry(agent) ||
    (errors() < limits.maxErrors && everybody.filter(hasBegun).length + more < limits.maxSteps);

  const model: RunModel = {
    mayBegin() {
      const chosen: number[] = [];
      for (const agent of everybody) {
        const isNext =
          [undefined, 'agreed', 'put off'].includes(lastOf(agent)) &&
          isReached(agent) &&
          sourcesOf(agent).every(isSettled);
        if (!hasStopped() && isNext && mayContinue(agent, chosen.length)) {
          chosen.push(agent);
        }
      }
      return chosen;
    },
    awaited: () =>
      everybody.filter(
        (agent) => lastOf(agent) === 'asked' && !hasStopped() && mayContinue(agent, 0),
      ),
    running: () => everybody.filter(isRunning),
    isOver: () => [model.running(), model.mayBegin(), model.awaited()].every((it) => !it.length),
    stateOf(agent) {
      const wasAgreed = past.some((it) => it.what === 'agreed' && it.agent === agent);
      switch (lastOf(agent)) {
        case 'ended':
          return endOf(agent)?.status ?? '';
        case 'began':
          return 'running';
        case 'asked':
          return 'approving';
        case 'agreed':
          return 'approved';
        case 'put off':
          return wasAgreed ? 'approved' : 'waiting';
        default:
          return isSkipped(agent) ? 'skipped' : 'waiting';
      }
    },
    left: () => everybody.filter((agent) => isReached(agent) && endOf(agent) === undefined),
    whyLeft() {
      const stopped = past.find((it) => it.what === 'stopped');
      const byCheck = errors() >= limits.maxErrors ? 'too-many-errors' : 'max-steps';
      return model.left().length === 0 ? null : (stopped?.reason ?? byCheck);
    },
  };
  return model;
}

function chainOf(agents: readonly number[]): readonly Edge[] {
  return agents.slice(1).map((target) => ({ source: target - 1, target, condition: null }));
}
