/** Why an agent failed, in the user's language and without a vendor's own words. */
import type { StepFailures } from '../account/costs.js';
import type { CodeOfKind, ErrorCode } from '../errors.js';
import type { Language } from '../text/languages.js';

export interface AgentFailure {
  readonly agentName: string;
  readonly code: ErrorCode;
  /** For `attempts-exhausted`. */
  readonly attempts?: number;
  /** For `over-budget`: it is the limit of all users together, of the server's key. */
  readonly isServerKeySpent?: boolean | undefined;
  /** For `attempts-exhausted`: why the last one failed. */
  readonly cause?: StepFailures['last'] | undefined;
  /** For `answer-invalid`: where the answer does not fit, and how. */
  readonly problems?: readonly string[];
}

export function agentFailureText(failure: AgentFailure, language: Language): string {
  const { agentName, code, attempts = 1, problems = [] } = failure;
  const text = failure.isServerKeySpent === true ? SERVER_KEY_SPENT : textOf(code);
  const told = problems.slice(0, MAX_PROBLEMS).join('; ');
  const reason = text[language]
    .replaceAll('{attempts}', String(attempts))
    .replaceAll('{cause}', causeText(failure.cause ?? null, language))
    .replaceAll('{problems}', () => (told === '' ? '' : `: ${told}`));
  return `${agentPrefix(agentName, language)}${reason}`;
}

/** What the error of an agent begins with. */
export function agentPrefix(agentName: string, language: Language): string {
  return language === 'ko' ? `에이전트 ${agentName}: ` : `agent ${agentName}: `;
}

/** The same of several agents, told once. */
export function agentsText(names: readonly string[], reason: string, language: Language): string {
  const [first = ''] = names;
  return names.length === 1
    ? `${agentPrefix(first, language)}${reason}`
    : `${language === 'ko' ? '에이전트' : 'agents'} ${names.join(', ')}: ${reason}`;
}

function causeText(cause: StepFailures['last'], language: Language): string {
  const text = cause === null ? undefined : CAUSES.get(cause.code);
  return text === undefined ? '' : ` (${cause?.provider ?? ''}: ${text[language]})`;
}

const CAUSES: ReadonlyMap<string, Texts> = new Map<ErrorCode, Texts>([
  [
    'model-unavailable',
    // as long as it is left alone at most (`longestCooldownMs` of llm/routing/guard.ts)
    {
      en: 'it is away, try again in a minute',
      ko: '현재 이용할 수 없으니 1분 뒤에 다시 시도해 주세요',
    },
  ],
  [
    'model-rate-limited',
    {
      en: 'it asks to wait, try again later',
      ko: '호출 한도에 도달했으니 나중에 다시 시도해 주세요',
    },
  ],
  ['model-timeout', { en: 'it gave no answer in time', ko: '제시간에 응답하지 않았습니다' }],
]);

/** The same of an agent that has ended, without its name and without a text of a model. */
export function failureReason(
  { code, attempts }: { readonly code: string; readonly attempts?: number | null },
  language: Language,
): string {
  return textOf(code)
    [language].replaceAll('{attempts}', String(attempts ?? 1))
    .replaceAll('{cause}', '')
    .replaceAll('{problems}', '');
}

/** A person reads it; the first ones tell enough. */
const MAX_PROBLEMS = 3;

type Texts = Readonly<Record<Language, string>>;

const SERVER_KEY_SPENT: Texts = {
  en: "the server's LLM key has reached its daily limit: register a key of your own, or try again tomorrow (UTC)",
  ko: '서버의 LLM 키가 일일 한도에 도달했습니다: 본인의 키를 등록하거나 내일(UTC) 다시 시도해 주세요',
};

/** Of all that an agent can end by. */
type EndCode = CodeOfKind<'final' | 'refused'> | 'model-empty' | 'collector-failed' | 'internal';

const TEXTS: Readonly<Record<EndCode, Texts>> = {
  'prompt-injection': {
    en: 'possible prompt injection in design data',
    ko: '설계 데이터에서 프롬프트 인젝션이 의심됩니다 (possible prompt injection in design data)',
  },
  'attempts-exhausted': {
    en: 'failed after {attempts} attempt(s), because no model answered{cause}',
    ko: '모델이 응답하지 않아 {attempts}회 시도 후 실패했습니다 (failed after {attempts} attempt(s)){cause}',
  },
  'approval-rejected': {
    en: 'was not approved',
    ko: '승인되지 않았습니다',
  },
  'answer-invalid': {
    en: 'its answer does not fit output_schema, not even after one repair{problems}',
    ko: '응답이 output_schema에 맞지 않으며 한 번 수정한 뒤에도 마찬가지입니다{problems}',
  },
  'over-budget': {
    en: 'the daily cost limit does not cover this call',
    ko: '일일 비용 한도를 초과하여 호출하지 않았습니다',
  },
  'model-key-refused': {
    en: 'the LLM provider refused the API key',
    ko: 'LLM 제공자가 API 키를 거부했습니다',
  },
  'model-credit-exhausted': {
    en: "the API key's account at the LLM provider has no credit left",
    ko: 'LLM 제공자 계정의 크레딧이 소진되었습니다',
  },
  'model-region-refused': {
    en: 'the LLM provider does not serve the region of this server',
    ko: 'LLM 제공자가 이 서버의 지역을 지원하지 않습니다',
  },
  'model-blocked': {
    en: 'a firewall or proxy on the way to the LLM provider blocked the call',
    ko: 'LLM 제공자로 가는 경로의 방화벽 또는 프록시가 호출을 차단했습니다',
  },
  'model-address-refused': {
    en: 'the address of the model endpoint is not allowed',
    ko: '모델 엔드포인트의 주소가 허용되지 않습니다',
  },
  'model-empty': {
    en: 'failed after {attempts} attempt(s), because the model answered without a text',
    ko: '모델이 텍스트 없이 응답하여 {attempts}회 시도 후 실패했습니다 (failed after {attempts} attempt(s))',
  },
  'model-request-invalid': {
    en: 'the LLM provider does not accept this request',
    ko: 'LLM 제공자가 이 요청을 받아들이지 않았습니다',
  },
  'model-refused': {
    en: "the LLM provider's safety policy withheld the answer",
    ko: 'LLM 제공자의 안전 정책에 따라 응답이 제공되지 않았습니다',
  },
  'model-unpriced': {
    en: 'the model has no known price and was not called',
    ko: '가격을 알 수 없는 모델이라 호출하지 않았습니다',
  },
  'no-llm-key': {
    en: 'no usable LLM API key is registered',
    ko: '사용할 수 있는 LLM API 키가 등록되어 있지 않습니다',
  },
  'llm-key-unreadable': {
    en: 'the stored LLM API key cannot be decrypted; register it again',
    ko: '저장된 LLM API 키를 복호화할 수 없습니다. 다시 등록해 주세요',
  },
  'collector-blocked': {
    en: 'none of its sources may be collected',
    ko: '수집이 허용된 출처가 없습니다',
  },
  'collector-failed': {
    en: 'none of its sources could be collected',
    ko: '출처를 하나도 수집하지 못했습니다',
  },
  internal: {
    en: 'failed because of an internal error',
    ko: '내부 오류로 실패했습니다 (internal error)',
  },
};

/** A stored code may be of another release. */
function textOf(code: string): Texts {
  return TEXTS_BY_CODE.get(code) ?? TEXTS.internal;
}

const TEXTS_BY_CODE: ReadonlyMap<string, Texts> = new Map(Object.entries(TEXTS));
