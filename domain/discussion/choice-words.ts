/**
 * The vocabulary of a choice that is likely but not certain: it is asked about, never run. A word that
 * stands neither here nor in domain/discussion/approval-words.ts makes its clause something else than a choice.
 */
const ENGLISH =
  'maybe perhaps probably possibly guess suppose think thinking hmm hmmm hm mm um uh well leaning lean toward towards ' +
  'like love prefer want wanted meant mean sorry oops wait actually no nope nah better best nicer right winner wins win ' +
  'beats beat vote votes goes gets has favorite favourite mine put down have rather switch change give make that ' +
  'nice cool awesome interesting reasonable ideal promising tempting strong solid close can could would should might ' +
  'shall may ship build deploy launch kick off get try more most much think seem appears appear feel feels ' +
  'by far way all ftw lol haha opt pick picking choosing taking doing using mind made up if possible ' +
  'most-likely likely than to of what i said was says keep stay stick continue gimme need accept selecting';

const KOREAN =
  '음 흠 아 앗 아니 아니다 아뇨 아니요 아차 잠깐 잠깐만 잠깐만요 잠시만요 죄송 죄송해요 죄송합니다 미안 미안해요 아마 아마도 글쎄 글쎄요 ' +
  '혹시 좀 조금 약간 더 제일 가장 훨씬 역시 그나마 차라리 오히려 일단 다시 생각해보니 생각해보니까 보니 보니까 생각에는 생각엔 보기에는 ' +
  '보기엔 정도면 정도 쪽 쪽이 쪽으로 쪽이요 취소하고 딱 딱이네요 딱이에요 딱이다 픽 픽할게요 콜 최고 최고예요 최고네요 최고에요 무난하네요 무난해요 ' +
  '끌려요 끌리네요 끌립니다 땡기네요 당기네요 맘에 마음에 들어요 드네요 듭니다 들어 드는데요 꺼 꺼로 껄로 위주로 우선으로 중심으로 에 한표 표 한 ' +
  '될 될것 되겠네요 되겠어요 될듯 될듯요 될듯해요 듯 듯요 듯해요 듯합니다 같아요 같네요 같습니다 같은데요 보여요 보이네요 보입니다 하는 하는게 하는게요 ' +
  '게 걸로요 껄로요 하면 면 할까 할까요 해볼까요 갈까요 갈까 가볼까요 진행할까요 선택할까요 주시겠어요 주실래요 해주시겠어요 해주실래요 부탁드릴게요 ' +
  '부탁할게요 부탁드려도 될까요 싶네요 싶은데요 원합니다 원해 원하는데요 결정하려고요 하려고요 하려고 해볼까 이면 이면요 라면 ' +
  '들었어요 듦 것이 말한 건 이라고요 이라니까요 이라고 했어요 고고씽';

const SOFT = new Set(`${ENGLISH} ${KOREAN}`.split(' '));

/** Endings that a verb of choosing takes where its speaker leaves a little open, or asks politely. */
const SOFT_KOREAN =
  /^(?:(?:진행|실행|시작|선택|결정|확정|승인)(?:을|를)?)?(?:으로|로)?(?:하|해|가|고르|골라|정하|정해|택하|택해|주|가주|돌려|해주|골라주|돌려주)(?:시|실|셔|겠|볼|려|면|ㄹ)?[가-힣]{0,5}$/u;
const SOFT_KOREAN_LIKING =
  /^(?:좋|괜찮|나아|나은|나을|낫|마음에|맘에|끌리|끌려|무난|적당|적절|적합)[가-힣]{0,5}$/u;

/** Whether a word leaves a choice likely, though it is no plain word of choosing. */
export function isSoftWord(word: string): boolean {
  return SOFT.has(word) || SOFT_KOREAN.test(word) || SOFT_KOREAN_LIKING.test(word);
}

/** Doubt that a question back resolves; taken out before real postponements are looked for. */
export const SOFT_DOUBT =
  /\b(?:maybe|perhaps|probably|possibly|almost|nearly|i guess|i suppose|guess|suppose|wait|hold on|thinking)\b|아마도?|잠깐만?요?|잠시만요|글쎄요?|혹시|취소하고|다시 생각해 ?보니까?|생각해 ?보니까?/gu;

/** Asks us to run something, in the form of a question. */
export const POLITE_QUESTION =
  /^(?:(?:ok|okay|so|hi|hello|please|then),? )?(?:can|could|would|will|shall) (?:you|we)\b|(?:주시겠어요|주시겠습니까|주실래요|주실 수 (?:있나요|있을까요|있어요|있으신가요)|줄래요?|줄 수 (?:있어|있나요|있을까)요?|할까요?|갈까요?|해볼까요?|될까요?)\W*$/u;

/** Speaks of a change of the designs, of facts about them, or of other work. */
export const WISH = new RegExp(
  [
    '\\b(?:add|also|use (?!◆)|using (?!◆)|make (?!it ◆|that ◆)|remove|drop|replace|swap|combine|merge|mix|blend|cheaper|faster|quicker|slower|fewer|less|without|include|skip|explain|describe|compare|show|tell|' +
      'agents?|models?|steps?|validators?|critics?|charts?|tables?|prompts?|pages?|sites?|reviews?|reports?|minutes?|hours?|seconds?|times?|twice|sources?|base|' +
      'tomorrow|later|next|until|after|before|when|once|if (?!possible)|not yet|only)\\b',
    '추가|바꿔|바꾸|바꿨|빼|줄여|줄이|늘려|늘리|넣|섞|합치|합쳐|고쳐|고치|수정|변경|교체|하되|설명|비교|알려|보여 ?주|보여줘|처럼|기준|참고|참조|같이|함께|없이|나중|내일|다음|이따|보류|' +
      '에이전트|모델|단계|검증|차트|그래프|표로|프롬프트|사이트|리뷰|보고서|리포트|분만|시간|싸게|저렴하게|빠르게|자세히|자세하게|간단하게|하지 ?마|말아|면서|싶지',
  ].join('|'),
  'u',
);

/** Against something that is not named. */
export const DISLIKE =
  /\b(?:expensive|pricey|costly|slow|complex|complicated|shallow|bad|worse|worst|off|out)\b|비싸|비쌉|느리|느려|복잡|부담|아쉬|아쉽|못하|못해|부족/u;

/** Says against a design that it is dear, slow or bad; the designs named in it are not wanted. */
export const COMPLAINT = new RegExp(
  '^(?:(?:because|since|as|cause|and|but) )?(?:the )?◆ (?:is|are|was|looks?|seems?|sounds?|feels?|costs?|takes?|runs?)(?: (?:just|way|far|a bit|a little|quite|very|really|too|much|so|rather|somewhat))*(?: ' +
    '(?:expensive|pricey|costly|dear|slow|complex|complicated|simple|basic|long|much|shallow|heavy|risky|overkill|weak|bad|worse|poor|big))(?: for (?:me|us))?$|' +
    '^◆ (?:(?:설계안?|디자인|옵션) ?)?(?:은|는|이|가)? ?(?:(?:너무|좀|조금|많이|약간|매우|정말|진짜|아주) )*(?:' +
    '(?:비싸|비쌉|비싼|느리|느려|느린|느립|복잡|단순|부담|무겁|무거|어렵|어려|길어|길네|약해|부족|과해|과하|아쉬|아쉽|별로|그렇|그래)[가-힣]{0,5}|안 ?(?:좋|맞|괜찮)[가-힣]{0,5})$',
  'u',
);

/** Yes and no more; what it agrees to is known only where we have asked. */
const YES =
  /^(?:(?:yes|yeah|yep|yup|ya|sure|sure thing|of course|absolutely|definitely|certainly|exactly|right|correct|indeed|great|perfect|excellent|fine|nice|cool|awesome|please|please do|thanks|thank you|that one|this one|that's it|that's right|네|넵|넹|네네|예|옙|응|웅|어|그래|그래요|그럼|그럼요|맞아|맞아요|맞습니다|맞네요|물론|물론이죠|물론이에요|당연하죠|그렇습니다|그렇죠|그거요|그걸로요|부탁해요|부탁드려요|부탁드립니다|감사합니다|\u110B{2,})(?: |$))+$/u;
const NO =
  /^(?:(?:no|nope|nah|not that|not that one|not this one|neither|wrong|아니|아니요|아뇨|아니오|아니에요|아닙니다|아니야|노|그거 말고|그건 아니에요|\u1102{2,})(?: |$)|(?:thanks|thank you) ?)+$/u;
const FRIENDLY_SIGN = /[👍👌✅✔☑🆗🙆💯]/gu;

export function isPlainYes(text: string): boolean {
  const words = plainWords(text.replace(FRIENDLY_SIGN, ' yes '));
  return YES.test(words) || YES_DO_SO.test(words);
}

const YES_DO_SO =
  /^(?:(?:네|예|넵|응|그래요?) )?(?:그렇게|그대로|이대로) (?:해|하|진행|가)[가-힣 ]{0,8}$/u;

export function isPlainNo(text: string): boolean {
  return NO.test(plainWords(text));
}

/** No answer to our question is longer, courtesy included. */
const MAX_ANSWER = 100;

/** Of "Yes, please!": "yes please"; nothing of a text too long to be an answer. */
function plainWords(text: string): string {
  const trimmed = text.trim();
  return trimmed.length > MAX_ANSWER || trimmed.includes('?')
    ? ''
    : trimmed
        .normalize('NFKC')
        .toLowerCase()
        .replace(/[’‘`]/gu, "'")
        .replace(/[^\p{L}\p{N}']+/gu, ' ')
        .trim();
}
