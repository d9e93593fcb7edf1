import { withoutInvisible } from '../security/look-alikes.js';

export type ControlWord = 'cancel' | 'restart' | 'retry';

/** Without spaces, so that Korean spacing does not matter. Whole messages only. */
const WORDS: Readonly<Record<ControlWord, readonly string[]>> = {
  cancel: [
    ...['취소', '취소해', '취소해요', '취소해줘', '취소해줘요', '취소해주세요', '취소할게요'],
    ...[
      '취소할래',
      '취소할래요',
      '취소부탁해요',
      '취소부탁드려요',
      '취소부탁드립니다',
      '그만할래요',
    ],
    ...['그만할게요', '중지할게요', '중단할게요', '멈춰요', 'cancelnow', 'cancelmyrun', 'stopnow'],
    ...['stopmyrun', 'stopthisrun', 'stoprunning'],
    ...['취소합니다', '취소하자', '취소요', '실행취소', '실행취소해줘', '실행취소해주세요'],
    ...['중지', '중지해', '중지해줘', '중지해주세요', '중단', '중단해', '중단해줘', '중단해주세요'],
    ...['멈춰', '멈춰줘', '멈춰주세요', '그만', '그만해', '그만해줘', '그만해주세요'],
    ...['cancel', 'cancelit', 'cancelthis', 'cancelthat', 'cancelrun', 'cancelthisrun'],
    ...['canceltherun', 'cancelpipeline', 'cancelthepipeline', 'cancelexecution'],
    ...['canceltheexecution', 'stop', 'stopit', 'stoprun', 'stoptherun', 'stopthepipeline'],
    ...['abort', 'abortit', 'aborttherun'],
  ],
  restart: [
    ...['처음부터', '처음부터다시', '다시처음부터', '처음부터다시해', '처음부터다시해줘'],
    ...['처음부터다시해주세요', '처음부터다시시작', '처음부터다시시작해', '처음부터다시시작해줘'],
    ...['처음부터다시시작해주세요', '처음부터다시하자', '처음부터해줘', '처음부터해주세요'],
    ...[
      '처음부터시작',
      '다시시작',
      '다시시작해',
      '다시시작해줘',
      '다시시작해주세요',
      '다시시작하자',
    ],
    ...[
      '다시시작할래요',
      '처음부터할게요',
      '처음부터다시할게요',
      '처음부터다시할래요',
      'letsrestart',
    ],
    ...['다시시작할게요', '재시작', '재시작해', '재시작해줘', '재시작해주세요', '초기화'],
    ...['초기화해줘', '초기화해주세요', '새로시작', '새로시작해줘', '새로시작해주세요'],
    ...['restart', 'restartit', 'restartdiscussion', 'restartthediscussion', 'startover'],
    ...['startoveragain', 'letsstartover', 'startagain', 'startafresh', 'startanew'],
    ...['startfromscratch', 'startfromthebeginning', 'fromthebeginning', 'fromscratch'],
    ...['beginagain', 'reset'],
  ],
  retry: [
    ...[
      '다시한번실행',
      '다시한번실행해줘',
      '다시한번실행해주세요',
      '다시실행할래요',
      '다시실행부탁해요',
    ],
    ...[
      '다시실행부탁드려요',
      '한번더돌려줘',
      '한번더돌려주세요',
      'runoncemore',
      'runitonemoretime',
    ],
    ...['다시실행', '다시실행해', '다시실행해요', '다시실행해줘', '다시실행해줘요'],
    ...['다시실행해주세요', '다시실행하자', '다시실행할게요', '한번더실행', '한번더실행해줘'],
    ...['한번더실행해주세요', '재실행', '재실행해', '재실행해줘', '재실행해주세요', '재시도'],
    ...['재시도해', '재시도해줘', '재시도해주세요', '다시시도', '다시시도해', '다시시도해줘'],
    ...['다시시도해주세요', '다시돌려', '다시돌려줘', '다시돌려주세요'],
    ...['retry', 'retryit', 'retryrun', 'retrytherun', 'tryagain', 'tryitagain', 'rerun'],
    ...['rerunit', 'runagain', 'runitagain', 'runthisagain', 'runthatagain', 'runitoncemore'],
    ...['runthepipelineagain', 'runthesamedesignagain', 'executeagain', 'executeitagain'],
  ],
};

const BY_WORD: ReadonlyMap<string, ControlWord> = new Map([
  ...WORDS.cancel.map((word) => [word, 'cancel'] as const),
  ...WORDS.restart.map((word) => [word, 'restart'] as const),
  ...WORDS.retry.map((word) => [word, 'retry'] as const),
]);

/** No control word is longer, punctuation and courtesy included. */
const MAX_LENGTH = 100;

/**
 * What a message commands, if it consists of a control word alone: surrounding space, punctuation,
 * case and a "please" do not matter, any other word makes it an ordinary message.
 */
export function controlWordOf(text: string): ControlWord | null {
  const trimmed = text.trim();
  if (trimmed.length > MAX_LENGTH) {
    return null;
  }
  const words = withoutInvisible(trimmed)
    .normalize('NFKC')
    .toLowerCase()
    .replace(/['’]/gu, '')
    .split(/[^\p{Letter}\p{Number}]+/u)
    .filter((word) => word !== '' && word !== 'please' && word !== 'pls' && word !== '좀');
  return BY_WORD.get(words.join('')) ?? null;
}
