import type { Language } from '../text/languages.js';
import type { WaitingRun } from '../run/refusals.js';
import type { WaitReason } from '../run/results.js';

/** Answers that change nothing. */
export type Remark =
  | 'pipeline-running'
  | 'nothing-running'
  | 'nothing-to-run'
  | 'no-design'
  | 'try-again-hint'
  | 'state-lost'
  | 'processing-failed';

/**
 * What the discussion says to its user. Clients look for `몇 가지 질문`, `설계안` and `보안 위험` in
 * the Korean texts. Source: contract, websocket §3.
 */
export interface DiscussionTexts {
  /** Leads the questions of a `clarification`. */
  readonly clarification: string;
  readonly designsPresented: (count: number) => string;
  /** Follows `designsPresented`. */
  readonly chooseOrChange: string;
  /** The same, when only a choice leads on. */
  readonly chooseNow: string;
  readonly critiqueComplete: string;
  readonly planReady: string;
  readonly securityWarning: string;
  readonly errors: {
    readonly pipelineRunning: string;
    /** The run is not this discussion's, so that a "cancel" here would not reach it. */
    readonly otherPipelineRunning: string;
    /** The discussion's own run has not ended, and works on nothing now. */
    readonly pipelineWaiting: (run: WaitingRun) => string;
    readonly nothingRunning: string;
    readonly nothingToRun: string;
    readonly noDesign: string;
    readonly noKey: string;
    readonly keyUnreadable: string;
    /** US dollars of the day */
    readonly overBudget: (money: { spent: number; limit: number }) => string;
    readonly pipelinesPerDay: string;
    readonly discussionsPerDay: string;
    readonly processingFailed: string;
    readonly invalidTransition: string;
  };
  /** How a refused run is tried again; follows the reason. */
  readonly tryAgainHint: string;
  /** The answers to a message that changes nothing. */
  readonly remarks: Readonly<Record<Remark, string>>;
  /** The `clarification` that begins a discussion anew. */
  readonly restarted: { readonly content: string; readonly question: string };
  /** The `clarification` that asks which design is meant. */
  readonly whichDesign: {
    readonly content: string;
    readonly question: (number: number, name: string) => string;
    /** Where none is likely. */
    readonly openQuestion: string;
  };
}

const KO_WAITS: Readonly<Record<WaitReason, string>> = {
  approval: '승인을 기다리고 있어요',
  budget: '하루 예산을 기다리고 있어요',
  pause: '일시 정지되어 있어요',
  slot: '다른 파이프라인이 끝나기를 기다리고 있어요',
};

const KO_ERRORS: DiscussionTexts['errors'] = {
  pipelineRunning:
    '파이프라인이 이미 실행 중이에요. 끝난 뒤에 다시 시도해 주세요. 멈추려면 "취소"라고 보내 주세요.',
  otherPipelineRunning: '다른 파이프라인이 이미 실행 중이에요. 끝난 뒤에 다시 시도해 주세요.',
  pipelineWaiting: ({ designName, pipelineId, waitingFor }) =>
    `이 대화의 파이프라인 "${designName}"(${pipelineId})이(가) 아직 끝나지 않았어요: ${KO_WAITS[waitingFor ?? 'pause']}. 멈추려면 "취소"라고 보내 주세요.`,
  nothingRunning: '지금 실행 중인 파이프라인이 없어요.',
  nothingToRun:
    '여기에는 다시 실행할 설계가 없어요. 원하는 작업을 말씀해 주시거나 먼저 설계안을 골라 주세요.',
  noDesign: '고를 수 있는 설계안이 없어요. "처음부터"라고 보내서 다시 시작해 주세요.',
  noKey: '등록된 LLM API 키가 없어요. 설정에서 키를 등록해 주세요.',
  keyUnreadable: '등록된 LLM API 키를 읽을 수 없어요. 설정에서 키를 다시 등록해 주세요.',
  overBudget: ({ spent, limit }) =>
    `오늘의 비용 한도를 넘었어요: ${dollars(spent)}/${dollars(limit)}. 한도는 자정(UTC)에 다시 시작돼요.`,
  pipelinesPerDay:
    '오늘 실행할 수 있는 파이프라인 횟수를 모두 사용했어요. 횟수는 자정(UTC)에 다시 시작돼요.',
  discussionsPerDay:
    '오늘 시작할 수 있는 대화 횟수를 모두 사용했어요. 내일(UTC) 다시 시도해 주세요.',
  processingFailed: '메시지를 처리하는 중에 문제가 생겼어요. 잠시 후 다시 시도해 주세요.',
  invalidTransition: '지금은 그 작업을 할 수 없어요.',
};

const KO_TRY_AGAIN = '다시 시도하려면 "다시 실행"이라고 보내 주세요.';

const KO: DiscussionTexts = {
  clarification: '요청을 정확히 이해하기 위해 몇 가지 질문이 있어요.',
  designsPresented: (count) => `설계안 ${count}개를 준비했어요.`,
  chooseOrChange: '번호나 이름으로 하나를 고르거나, 바꾸고 싶은 점을 말씀해 주세요.',
  chooseNow:
    '논의할 수 있는 횟수를 모두 사용했어요. 이제 번호나 이름으로 설계안 하나를 선택해 주세요.',
  critiqueComplete:
    '분석을 마쳤어요. 주신 의견을 설계에 반영할게요. 더 바라는 점을 말씀해 주시거나 "계속"이라고 보내 주시면 고친 설계안을 보여 드려요. 지금 설계안 가운데 골라 주셔도 돼요.',
  planReady: '실행 계획이 준비됐어요. 파이프라인을 실행할게요.',
  securityWarning:
    '보안 위험이 감지되어 메시지를 처리하지 않았어요. 표현을 바꿔서 다시 보내 주세요.',
  errors: KO_ERRORS,
  tryAgainHint: KO_TRY_AGAIN,
  remarks: {
    'pipeline-running': KO_ERRORS.pipelineRunning,
    'nothing-running': KO_ERRORS.nothingRunning,
    'nothing-to-run': KO_ERRORS.nothingToRun,
    'no-design': KO_ERRORS.noDesign,
    'try-again-hint': `파이프라인이 아직 실행되지 않았어요. ${KO_TRY_AGAIN}`,
    'state-lost':
      '이 대화의 진행 상태를 읽을 수 없어서 처음부터 다시 시작해요. 주고받은 메시지는 그대로 있어요. 원하는 작업을 다시 말씀해 주세요.',
    'processing-failed': KO_ERRORS.processingFailed,
  },
  restarted: {
    content: '처음부터 다시 시작할게요. 몇 가지 질문이 있어요.',
    question: '어떤 작업을 하고 싶으세요?',
  },
  whichDesign: {
    content:
      '제가 맞게 이해했는지 한 가지만 확인할게요. 아직 아무것도 실행하지 않았고, 설계안도 그대로예요.',
    question: (number, name) =>
      `${number}번 설계안(${name})으로 진행할까요? 맞으면 "네", 아니면 원하는 번호나 바꾸고 싶은 점을 보내 주세요.`,
    openQuestion:
      '그럼 어느 설계안으로 진행할까요? 번호나 이름을 보내 주시거나 바꾸고 싶은 점을 말씀해 주세요.',
  },
};

const EN_WAITS: Readonly<Record<WaitReason, string>> = {
  approval: 'it waits for an approval',
  budget: "it waits for the day's budget",
  pause: 'it is paused',
  slot: 'it waits for another run to end',
};

const EN_ERRORS: DiscussionTexts['errors'] = {
  pipelineRunning:
    'A pipeline is already running. Try again after it has ended, or send "cancel" to stop it.',
  otherPipelineRunning:
    'Another pipeline of yours is already running. Try again after it has ended.',
  pipelineWaiting: ({ designName, pipelineId, waitingFor }) =>
    `The pipeline "${designName}" (${pipelineId}) of this conversation has not ended: ${EN_WAITS[waitingFor ?? 'pause']}. Let it end first, or send "cancel" to stop it.`,
  nothingRunning: 'Nothing is running at the moment.',
  nothingToRun:
    'There is no design to run again here. Tell me what you want done, or choose a design first.',
  noDesign: 'There is no design to choose from. Send "restart" to start over.',
  noKey: 'No LLM API key is registered. Please register one in the settings.',
  keyUnreadable: 'Your LLM API key cannot be read. Please register it again in the settings.',
  overBudget: ({ spent, limit }) =>
    `Your daily cost limit is exceeded: ${dollars(spent)}/${dollars(limit)}. It starts afresh at midnight UTC.`,
  pipelinesPerDay:
    'You have used all of your pipeline runs for today. They start afresh at midnight UTC.',
  discussionsPerDay:
    'You have used all of your discussions for today. Please try again tomorrow (UTC).',
  processingFailed: 'Something went wrong with your message. Please try again in a moment.',
  invalidTransition: 'That is not possible at this point.',
};

const EN_TRY_AGAIN = 'To try again, send "run it again".';

const EN: DiscussionTexts = {
  clarification: 'I have a few questions, so that I understand your request.',
  designsPresented: (count) => `I have prepared ${count} designs.`,
  chooseOrChange: 'Choose one by its number or name, or tell me what to change.',
  chooseNow:
    'We have used all rounds of discussion. Please choose one of the designs now, by its number or name.',
  critiqueComplete:
    'The analysis is done, and I will work your feedback into the designs. Tell me what else to consider, or say "continue", and I will show you the revised designs. You may also choose one of the present ones.',
  planReady: 'The plan is ready. I am starting the pipeline.',
  securityWarning:
    'A security risk was detected, so the message was not processed. Please rephrase it.',
  errors: EN_ERRORS,
  tryAgainHint: EN_TRY_AGAIN,
  remarks: {
    'pipeline-running': EN_ERRORS.pipelineRunning,
    'nothing-running': EN_ERRORS.nothingRunning,
    'nothing-to-run': EN_ERRORS.nothingToRun,
    'no-design': EN_ERRORS.noDesign,
    'try-again-hint': `The pipeline has not been started. ${EN_TRY_AGAIN}`,
    'state-lost':
      'How far this discussion had come could not be read, so it begins anew. Your messages are kept. Please tell me again what you want done.',
    'processing-failed': EN_ERRORS.processingFailed,
  },
  restarted: {
    content: 'We start over. I have a question first.',
    question: 'What would you like to get done?',
  },
  whichDesign: {
    content:
      'Let me make sure that I understood you. Nothing has been started, and the designs are unchanged.',
    question: (number, name) =>
      `Option ${number} (${name})? Send "yes" to run it, or the number that you want, or what to change.`,
    openQuestion: 'Which design do you want? Send its number or name, or tell me what to change.',
  },
};

export function discussionTexts(language: Language): DiscussionTexts {
  return language === 'ko' ? KO : EN;
}

function dollars(usd: number): string {
  return `$${usd.toFixed(2)}`;
}
