import { discussionTexts } from '../discussion/texts.js';
import { DomainError } from '../errors.js';
import type { PipelineId } from '../ids.js';
import type { Language } from '../text/languages.js';
import { WAIT_DETAILS, type WaitReason } from './results.js';

/** Why a run may not start. Source: contract, websocket §3.8 and security §4, §13. */
export interface Refusal {
  readonly kind: 'refused';
  readonly code:
    | 'over-budget'
    | 'pipeline-running'
    | 'pipeline-waiting'
    | 'pipelines-per-day'
    | 'no-llm-key'
    | 'llm-key-unreadable'
    | 'rerun-mixes-models';
  /** US dollars of the day, where money is the reason. */
  readonly spentUsd?: number;
  readonly limitUsd?: number;
  /** For `over-budget`: it is the limit of all users together, of the server's keys. */
  readonly isServerKeySpent?: boolean;
  /** The run in the way, where it waits. */
  readonly waiting?: WaitingRun;
}

/** A run that has not ended, and works on nothing now. */
export interface WaitingRun {
  readonly pipelineId: PipelineId;
  readonly designName: string;
  readonly waitingFor: WaitReason | null;
}

const SERVER_KEYS_SPENT: Readonly<Record<Language, string>> = {
  en: "The server's LLM keys have reached their daily cost limit. Register a key of your own, or try again after midnight UTC.",
  ko: '서버의 LLM 키가 오늘의 비용 한도에 도달했어요. 본인의 키를 등록하거나 자정(UTC) 이후에 다시 시도해 주세요.',
};

/** What the user reads in an `error` event; it ends with how to try again. */
export function refusalText(refusal: Refusal, language: Language): string {
  const { errors, tryAgainHint } = discussionTexts(language);
  const reason =
    refusal.isServerKeySpent === true ? SERVER_KEYS_SPENT[language] : reasonOf(refusal, errors);
  return `${reason} ${tryAgainHint}`;
}

function reasonOf(
  { code, spentUsd = 0, limitUsd = 0, waiting }: Refusal,
  errors: ReturnType<typeof discussionTexts>['errors'],
): string {
  switch (code) {
    case 'over-budget':
      return errors.overBudget({ spent: spentUsd, limit: limitUsd });
    case 'pipeline-running':
      return errors.otherPipelineRunning;
    case 'pipeline-waiting':
      return waiting === undefined ? errors.pipelineRunning : errors.pipelineWaiting(waiting);
    case 'pipelines-per-day':
      return errors.pipelinesPerDay;
    case 'no-llm-key':
      return errors.noKey;
    case 'llm-key-unreadable':
    case 'rerun-mixes-models': // never in a chat: only a request re-runs
      return errors.keyUnreadable;
  }
}

/** The same refusal over HTTP: status by code, texts that existing clients look for. */
export function refusalError(refusal: Refusal): DomainError {
  const { code, spentUsd = 0, limitUsd = 0 } = refusal;
  if (refusal.isServerKeySpent === true) {
    return new DomainError(code, SERVER_KEYS_SPENT.en);
  }
  switch (code) {
    case 'over-budget':
      return new DomainError(
        code,
        `Daily cost limit exceeded: $${spentUsd.toFixed(2)}/$${limitUsd.toFixed(2)}`,
      );
    case 'pipeline-running':
      return new DomainError(code, 'A pipeline is already running, wait for it to end');
    case 'pipeline-waiting':
      return new DomainError(code, waitingDetail(refusal));
    case 'pipelines-per-day':
      return new DomainError(code, 'Daily pipeline limit reached, try again tomorrow (UTC)');
    case 'no-llm-key':
      return new DomainError(code, 'LLM key not configured, register one in settings');
    case 'llm-key-unreadable':
      return new DomainError(code, 'The stored LLM key cannot be decrypted, register it again');
    case 'rerun-mixes-models':
      return new DomainError(
        code,
        'One of the two runs is simulated and the other is not: re-run all of it, without "from" and "changes"',
      );
  }
}

function waitingDetail({ waiting }: Refusal): string {
  if (waiting === undefined) {
    return 'A run of this conversation has not ended';
  }
  const { designName, pipelineId, waitingFor } = waiting;
  const why = waitingFor === null ? 'it waits' : WAIT_DETAILS[waitingFor];
  return `The run "${designName}" (${pipelineId}) of this conversation has not ended: ${why}. Cancel it or let it end first`;
}
