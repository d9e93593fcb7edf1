import type { Design, Intent } from './designs.js';
import type { Language } from '../text/languages.js';
import { previewOf } from '../text/previews.js';
import { READ_BY_RULES } from '../text/limits.js';

type DesignText = Pick<Design, 'name' | 'description' | 'pros' | 'cons'>;
type AgentText = (intent: Intent) => string;

/** What the rule-based designs say about themselves. */
export interface DesignTexts {
  readonly designs: Readonly<Record<'speed' | 'balanced' | 'quality', DesignText>>;
  readonly agents: Readonly<
    Record<
      'collector' | 'validator' | 'analyzer' | 'critic' | 'synthesizer' | 'reporter',
      AgentText
    >
  >;
}

const EN: DesignTexts = {
  designs: {
    speed: {
      name: 'Simple Sequential Pipeline (speed)',
      description: 'A short chain of inexpensive agents: the quickest way to a result.',
      pros: ['Fastest result', 'Lowest cost', 'Easy to follow', 'Few steps that can fail'],
      cons: ['No validation of the data', 'Shallow analysis', 'Errors are passed on'],
    },
    balanced: {
      name: 'Standard Pipeline with Validation (balanced)',
      description: 'A stronger analysis at moderate cost; collected data is validated first.',
      pros: ['Better analysis', 'Balanced cost and quality', 'Collected data is validated'],
      cons: ['Slower than the simple design', 'Costs more', 'No cross-check of the analysis'],
    },
    quality: {
      name: 'Advanced Multi-Agent Pipeline (quality)',
      description: 'An analysis that a second agent checks and a third one puts together.',
      pros: [
        'Highest quality',
        'Claims are cross-checked',
        'Several views are put together',
        'Suits complex work',
      ],
      cons: ['Highest cost', 'Slowest result', 'More steps that can fail'],
    },
  },
  agents: {
    collector: (intent) =>
      `Collects the data (source type: ${intent.source_type})${hintsOf(intent)}`,
    validator: () => 'Checks the collected data for completeness and consistency',
    analyzer: (intent) => `Does the main work of the task: ${intent.task}`,
    critic: () => 'Cross-checks the analysis for errors and unsupported claims',
    synthesizer: () => 'Puts the checked findings together into one view',
    reporter: (intent) => `Writes the final result (output format: ${intent.output_format})`,
  },
};

const KO: DesignTexts = {
  designs: {
    speed: {
      name: 'Simple Sequential Pipeline (속도 우선)',
      description: '저렴한 에이전트를 짧게 이어서 가장 빠르게 결과를 내요.',
      pros: ['결과가 가장 빨라요', '비용이 가장 낮아요', '이해하기 쉬워요', '실패할 단계가 적어요'],
      cons: ['데이터를 검증하지 않아요', '분석이 얕아요', '오류가 그대로 전달돼요'],
    },
    balanced: {
      name: 'Standard Pipeline with Validation (균형)',
      description: '적당한 비용으로 더 깊이 분석하고, 수집한 데이터는 먼저 검증해요.',
      pros: ['분석이 더 좋아요', '비용과 품질의 균형이 맞아요', '수집한 데이터를 검증해요'],
      cons: ['단순한 설계보다 느려요', '비용이 더 들어요', '분석을 교차 확인하지 않아요'],
    },
    quality: {
      name: 'Advanced Multi-Agent Pipeline (품질 우선)',
      description: '분석을 다른 에이전트가 검토하고, 또 다른 에이전트가 종합해요.',
      pros: [
        '품질이 가장 높아요',
        '주장을 교차 확인해요',
        '여러 관점을 종합해요',
        '복잡한 작업에 알맞아요',
      ],
      cons: ['비용이 가장 높아요', '결과가 가장 늦어요', '실패할 수 있는 단계가 많아요'],
    },
  },
  agents: {
    collector: (intent) => `데이터를 수집해요 (출처 유형: ${intent.source_type})${hintsOf(intent)}`,
    validator: () => '수집한 데이터가 빠짐없고 일관된지 검증해요',
    analyzer: (intent) => `작업의 핵심을 처리해요: ${intent.task}`,
    critic: () => '분석에 오류나 근거 없는 주장이 없는지 교차 확인해요',
    synthesizer: () => '확인된 내용을 하나로 종합해요',
    reporter: (intent) => `최종 결과를 작성해요 (출력 형식: ${intent.output_format})`,
  },
};

/** Enough of the request to work on, in characters; the design's own description has a hint of it. */
const QUOTED = { agent: 1_000, design: 100 } as const;

/**
 * The user's own words for those who run a design: an agent knows nothing but the design's texts,
 * its own description and earlier outputs. Empty where there is nothing to quote.
 */
export function quotedRequest(
  request: string,
  language: Language,
  reader: keyof typeof QUOTED,
): string {
  const said = request.trim();
  const whole = said
    .slice(0, READ_BY_RULES)
    .replace(/\s+/gu, (space) => (space.includes('\n') ? '\n' : space))
    .trimEnd();
  if (whole === '') {
    return '';
  }
  const words = previewOf(whole, QUOTED[reader]);
  const cut = words.length < whole.length || said.length > READ_BY_RULES ? '…' : '';
  return ` ${language === 'ko' ? '요청' : 'The request'}: “${words}${cut}”`;
}

/** A design's or an agent's own text, without the user's words that stand at its end. */
export function withoutQuotedRequest(description: string): string {
  const at = description.search(/ ?(?:The request|요청): “/u);
  return at === -1 ? description : description.slice(0, at);
}

export function designTexts(language: Language): DesignTexts {
  return language === 'ko' ? KO : EN;
}

/** With their addresses in full and space around them, so that a collector finds them. */
function hintsOf(intent: Intent): string {
  return intent.source_hints.length === 0 ? '' : `: ${intent.source_hints.join(' ')}`;
}
