/** Agents that wait until a provider may be called again: said to people and programs. */
import type { StepFailures } from '../account/costs.js';
import type { ErrorCode } from '../errors.js';
import type { AskedVendor } from './failed-attempts.js';
import type { Language } from '../text/languages.js';

/** As stored, and as clients see it in `waiting_agents`. */
export interface AgentWait {
  readonly agent_name: string;
  /** Its key in the graph. */
  readonly node: string;
  /** ISO 8601, UTC: when a provider is asked again. */
  readonly until: string;
  readonly providers: readonly WaitedFor[];
}

export interface WaitedFor {
  readonly provider: string;
  /** Why it gives no answer: an `ErrorCode`; `model-on-hold` where this agent has not called it. */
  readonly code: string;
}

/**
 * @param asked whom the failed attempt has asked, or would have asked
 * @param last the last failure of the agent's earlier attempts
 */
export function waitedFor(
  asked: readonly AskedVendor[],
  last: StepFailures['last'],
): readonly WaitedFor[] {
  const codes = new Map<string, string>();
  for (const { vendor: provider, code } of asked) {
    if (code != null) {
      const isKnown = code === 'model-on-hold' && last?.provider === provider;
      codes.set(provider, isKnown ? last.code : code);
    }
  }
  return [...codes].map(([provider, code]) => ({ provider, code }));
}

/** `agent writer waits until 12:03:10 UTC (openai: it does not answer)` */
export function waitDetail(waits: readonly AgentWait[], language: Language): string {
  return waits
    .map((wait) => {
      const { agent_name: agent, until } = wait;
      const time = `${until.slice(11, 19)} UTC`;
      const why = waitReason(wait, language);
      return language === 'ko'
        ? `에이전트 ${agent}: ${time}까지 대기 중 (${why})`
        : `agent ${agent} waits until ${time} (${why})`;
    })
    .join('; ');
}

/** `openai: it does not answer, anthropic: it asks to wait` */
export function waitReason({ providers }: AgentWait, language: Language): string {
  return providers
    .map(({ provider, code }) => `${provider}: ${(REASONS.get(code) ?? UNKNOWN)[language]}`)
    .join(', ');
}

type Texts = Readonly<Record<Language, string>>;

const UNKNOWN: Texts = { en: 'it gives no answer', ko: '응답을 받지 못했습니다' };

const REASONS: ReadonlyMap<string, Texts> = new Map<ErrorCode, Texts>([
  [
    'model-on-hold',
    {
      en: 'it has failed too often and is not called for now, or the key has all its calls in use',
      ko: '실패가 잦아 잠시 호출하지 않거나 키의 동시 호출이 모두 사용 중입니다',
    },
  ],
  ['model-unavailable', { en: 'it does not answer', ko: '응답하지 않습니다' }],
  ['model-rate-limited', { en: 'it asks to wait', ko: '호출 한도에 도달했습니다' }],
  ['model-timeout', { en: 'it gave no answer in time', ko: '제시간에 응답하지 않았습니다' }],
  ['model-empty', { en: 'it answered without a text', ko: '텍스트 없이 응답했습니다' }],
]);
