import { agentPrefix, agentsText } from '../agents/failures.js';
import { waitReason, type AgentWait } from './agent-waits.js';
import type { Language } from '../text/languages.js';
import { missingLine, missingOf } from './missing.js';
import type { StopReason } from './pipeline-run.js';
import type { AgentResult, FinalStatus, Missing, PipelineResult } from './results.js';

/** How a run came to its end, before its agents are counted. */
export type RunOutcome =
  /** `stopped`: nodes were left that a taken branch leads to. */
  | { readonly kind: 'ended'; readonly stopped?: StopReason }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'cancelled' }
  /** The design is no graph. */
  | { readonly kind: 'unbuildable'; readonly reason: string }
  /** An error of ours. */
  | { readonly kind: 'internal'; readonly why?: 'no-progress' };

export interface FinishedRun {
  readonly designName: string;
  /** In order of completion. */
  readonly agents: readonly AgentResult[];
  readonly outcome: RunOutcome;
  /** wall clock, seconds */
  readonly durationSeconds: number;
  readonly language: Language;
  /** Names of agents that would have run, had the run not been stopped; default: none. */
  readonly notStarted?: readonly string[];
  /** Which providers those had waited for that had not ended; default: none. */
  readonly waits?: readonly AgentWait[];
  /** Those of `agents` whose output is a document by an `output_schema`; default: none. */
  readonly documents?: ReadonlySet<AgentResult>;
}

/** Source: contract, pipeline §5. */
export function resultOf(run: FinishedRun): PipelineResult {
  const { agents, language } = run;
  const status = statusOf(run);
  const missing = [...missingOf(agents, language), ...notStartedIn(run)];
  const made = outputOf(agents);
  const isDocument = made !== undefined && run.documents?.has(made) === true;
  return {
    design_name: run.designName,
    status,
    agent_results: agents,
    total_cost: rounded(sumOf(agents, 'cost_estimate'), 6),
    total_duration: rounded(run.durationSeconds, 2),
    total_tokens: sumOf(agents, 'tokens_used'),
    output: isDocument
      ? made.content
      : withLine(lineOf({ status, missing }, run), made?.content ?? ''),
    error: errorOf(run),
    ...(missing.length === 0 ? {} : { missing }),
  };
}

function notStartedIn({ outcome, notStarted = [], language }: FinishedRun): readonly Missing[] {
  const stopped = outcome.kind === 'ended' ? outcome.stopped : undefined;
  return stopped === undefined
    ? []
    : notStarted.map((agent) => ({
        agent,
        reason: TEXTS[language].stopped[stopped],
        code: 'not-started',
      }));
}

/** Before what a run has made although something is missing. Source: contract, decision 21. */
function lineOf(
  { status, missing = [] }: Pick<PipelineResult, 'status' | 'missing'>,
  { outcome, language }: Pick<FinishedRun, 'outcome' | 'language'>,
): string | null {
  if (status !== 'partial' && status !== 'completed') {
    return null;
  }
  const line = missingLine(missing, language);
  const stopped = outcome.kind === 'ended' ? outcome.stopped : undefined;
  const isTold = missing.some(({ code }) => code === 'not-started');
  const stop = stopped === undefined || isTold ? null : TEXTS[language].stopped[stopped];
  return line === null || stop === null ? (line ?? stop) : `${line}; ${stop}`;
}

function withLine(line: string | null, text: string): string {
  if (line === null || text === line || text.startsWith(`${line}\n`)) {
    return text;
  }
  return text === '' ? line : `${line}\n\n${text}`;
}

/** The text of `pipeline_result`, for clients that show no output of their own. */
export function resultContent(
  result: PipelineResult,
  outcome: RunOutcome,
  language: Language,
): string {
  const texts = TEXTS[language];
  switch (outcome.kind) {
    case 'cancelled':
      return texts.cancelled;
    case 'timeout':
      return result.agent_results.length > 0
        ? `${result.error ?? ''}. ${texts.kept}`
        : `${result.error ?? ''}.`;
    case 'unbuildable':
    case 'internal':
      return result.error ?? texts.failed(null); // a sentence that says so
    case 'ended':
      if (result.status === 'failed') {
        return texts.failed(result.error);
      }
      return withLine(
        lineOf(result, { outcome, language }),
        result.output === '' ? texts.finished : result.output,
      );
  }
}

/** Rounds half away from zero at the given number of decimals. */
export function rounded(value: number, decimals: number): number {
  return Number(`${Math.round(Number(`${value.toFixed(12)}e${decimals}`))}e-${decimals}`);
}

function statusOf({ agents, outcome }: FinishedRun): FinalStatus {
  switch (outcome.kind) {
    case 'timeout':
    case 'cancelled':
      return outcome.kind;
    case 'unbuildable':
    case 'internal':
      return 'failed';
    case 'ended': {
      const succeeded = agents.filter(isSuccess).length;
      if (succeeded === 0) {
        return 'failed';
      }
      return succeeded < agents.length ? 'partial' : 'completed';
    }
  }
}

function sumOf(agents: readonly AgentResult[], field: 'cost_estimate' | 'tokens_used'): number {
  return agents.reduce((sum, agent) => sum + agent[field], 0);
}

/** The last report or synthesis; without one, what the last successful agent wrote. */
function outputOf(agents: readonly AgentResult[]): AgentResult | undefined {
  const successful = agents.filter(isSuccess);
  const summary = successful.findLast(({ role }) => role === 'reporter' || role === 'synthesizer');
  return summary ?? successful.at(-1);
}

function isSuccess({ status }: AgentResult): boolean {
  return status === 'success';
}

function errorOf(run: FinishedRun): string | null {
  const { agents, outcome, durationSeconds, language } = run;
  const texts = TEXTS[language];
  switch (outcome.kind) {
    case 'timeout':
      return [texts.timedOut(Math.round(durationSeconds)), ...waitsOf(run)].join('; ');
    case 'unbuildable':
      return texts.unbuildable(outcome.reason);
    case 'internal':
      return outcome.why === undefined ? texts.internal : texts.stuck;
    case 'cancelled':
    case 'ended': {
      const stopped = outcome.kind === 'ended' ? outcome.stopped : undefined;
      const errors = [
        ...errorsOf(agents, language),
        ...(stopped === undefined ? [] : [texts.stopped[stopped]]),
      ];
      return errors.length === 0 ? null : errors.join('; ');
    }
  }
}

/** One for each reason, with all agents that had it. */
function waitsOf({ waits = [], language }: FinishedRun): readonly string[] {
  const namesByReason = new Map<string, string[]>();
  for (const wait of waits) {
    const reason = waitReason(wait, language);
    namesByReason.set(reason, [...(namesByReason.get(reason) ?? []), wait.agent_name]);
  }
  return [...namesByReason].map(([reason, names]) => agentsText(names, reason, language));
}

/** One for each cause: a failure of several agents is listed once, at the first of them. */
function errorsOf(agents: readonly AgentResult[], language: Language): readonly string[] {
  const namesByReason = new Map<string, { readonly names: string[]; readonly isOurs: boolean }>();
  for (const { agent_name: name, error } of agents) {
    const prefix = agentPrefix(name, language);
    const isOurs = error?.startsWith(prefix) === true;
    const reason = isOurs ? error.slice(prefix.length) : error;
    if (reason !== null) {
      const known = namesByReason.get(`${isOurs}:${reason}`);
      if (known === undefined) {
        namesByReason.set(`${isOurs}:${reason}`, { names: [name], isOurs });
      } else {
        known.names.push(name);
      }
    }
  }
  return [...namesByReason].map(([key, { names, isOurs }]) => {
    const reason = key.slice(key.indexOf(':') + 1);
    return isOurs ? agentsText(names, reason, language) : reason;
  });
}

interface ResultTexts {
  readonly finished: string;
  readonly cancelled: string;
  /** Of agents that had ended before their run was. */
  readonly kept: string;
  readonly internal: string;
  /** Of a run that nothing could have moved on. */
  readonly stuck: string;
  failed(error: string | null): string;
  timedOut(seconds: number): string;
  unbuildable(reason: string): string;
  /** Why no further agent was started; the run's early end would be invisible otherwise. */
  readonly stopped: Readonly<Record<StopReason, string>>;
}

const TEXTS: Readonly<Record<Language, ResultTexts>> = {
  en: {
    finished: 'The pipeline has finished.',
    cancelled: 'The pipeline was cancelled. What had finished before is kept.',
    kept: 'What had finished before is kept.',
    internal: 'The pipeline failed because of an internal error.',
    stuck: 'The pipeline failed because of an internal error: it could make no progress.',
    failed: (error) => `The pipeline failed${error === null ? '.' : `: ${error}`}`,
    timedOut: (seconds) => `The pipeline timed out after ${seconds} seconds`,
    unbuildable: (reason) => `The pipeline could not be built: ${reason}`,
    stopped: {
      'over-budget': 'No further agent was started: the daily cost limit leaves no room',
      rejected: 'No further agent was started after the rejection',
      'too-many-errors': 'No further agent was started after 3 errors',
      'max-steps': 'No further agent was started after 50 steps',
    },
  },
  ko: {
    finished: '파이프라인 실행이 완료되었습니다.',
    cancelled: '파이프라인 실행이 취소되었습니다. 그전에 끝난 결과는 보관됩니다.',
    kept: '그전에 끝난 결과는 보관됩니다.',
    internal: '내부 오류로 파이프라인 실행에 실패했습니다 (internal error).',
    stuck: '내부 오류로 파이프라인이 더 진행될 수 없어 실패했습니다 (internal error).',
    failed: (error) => `파이프라인 실행에 실패했습니다${error === null ? '.' : `: ${error}`}`,
    timedOut: (seconds) =>
      `파이프라인 실행 시간이 초과되었습니다 (timed out after ${seconds} seconds)`,
    unbuildable: (reason) => `파이프라인을 만들 수 없습니다: ${reason}`,
    stopped: {
      'over-budget': '오늘의 비용 한도 때문에 더 이상 에이전트를 시작하지 않았습니다',
      rejected: '거절되어 더 이상 에이전트를 시작하지 않았습니다',
      'too-many-errors': '오류가 3번 발생하여 더 이상 에이전트를 시작하지 않았습니다',
      'max-steps': '50단계를 실행하여 더 이상 에이전트를 시작하지 않았습니다',
    },
  },
};
