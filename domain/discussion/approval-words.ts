/**
 * The vocabulary of a choice: what may surround a design's number or name without adding a wish of
 * its own. The lists are closed: any other word makes its clause feedback, also where
 * approving words stand beside it; see domain/discussion/approval.ts.
 */
const ENGLISH_FILLERS =
  "i i'll i'm we we'll let let's lets us will want to the a an this that that's it it's its my our you your me " +
  'option design plan number choice proposal pipeline one is be am are so then just now well really very go ' +
  'going with for take pick use run start execute do proceed ahead on looks look sounds seems works fine all ' +
  'right alright thanks thank please kindly pls yes yeah yep yup sure hi hello final definitely absolutely ' +
  'certainly overall and decided decision would hereby great perfect excellent best instead rather ' +
  "prefer i've i'd happy convinced ship meant mean actually sorry thx ty plz";

/** Source: contract, discussion §5; `okay` and the participles are spellings of listed words. */
const ENGLISH_APPROVALS =
  'ok okay good confirm confirmed select selected choose chosen approve approved agree agreed lgtm';

const KOREAN_FILLERS =
  '네 넵 넹 네네 예 응 그래 그래요 그럼 그러면 음 저 저는 저희는 저도 나 나는 난 전 제 제가 우리 우리는 이 그 번 것 거 걸 ' +
  '으로 로 가 은 는 을 를 째 이요 요 이에요 예요 입니다 바로 그냥 아주 정말 매우 너무 참 진짜 아무래도 제일 가장 감사 ' +
  '감사해요 감사합니다 고마워 고마워요 골랐어요 고를게요 정했어요 갈게요 가자 가죠 갑시다 가요 원해요 주세요 줘 줘요 부탁 ' +
  '부탁해 부탁해요 부탁드려요 부탁드립니다 싶어요 로요 돌려줘 돌려줘요 돌려주세요 해볼게요 해볼래요 ' +
  '가시죠 가겠습니다 가즈아 갈래요 갈게 가볼게요 가주세요 정할게요 고르겠습니다 고를게 고를래요 택할게요 꺼 ' +
  '부탁드릴게요 부탁드리겠습니다 그렇게 앗 거요 꺼요 이용 여 임 입니당 로여 으로여 실행시켜줘 실행시켜주세요';

const KNOWN = new Set(`${ENGLISH_FILLERS} ${ENGLISH_APPROVALS} ${KOREAN_FILLERS}`.split(' '));

const WILL =
  '해|해요|해여|해용|합니다|함|하자|하죠|하지요|합시다|하시죠|할게|할게요|할게여|할께|할께요|할래|할래요|하겠습니다|하겠어요';
const ASK =
  '(?:해|부탁)(?:줘|줘요|주세요|주십시오|주시겠어요|주실래요|주셔요|주시죠|드려요|드립니다|드릴게요|드리겠습니다|해|해요|합니다)?';
const DID = '했어|했어요|했습니다|했음|했다|완료';
const IS = '요|이요|이에요|예요|입니다';
const DECIDING = '선택|결정|확정|승인|동의|채택';

/** 선택할게요, 승인, 결정했어요 …: to decide, in all polite and plain endings. */
const KOREAN_DECIDING = `(?:${DECIDING})(?:(?:을|를)?(?:${WILL}|${ASK}|${DID})|${IS}|드립니다|드려요)?`;
/** 진행해 주세요, 3번으로 할게요 …: to do. What has been done is no wish to do it. */
const KOREAN_DOING = new RegExp(
  `^(?:(?:진행|실행|시작|사용)?(?:으로|을|를)?(?:${WILL}|${ASK}|${IS})?|` +
    '(?:진행|실행|시작)(?:하시죠|하세요|하십시오))$',
  'u',
);
const KOREAN_DESIGN =
  /^(?:설계|설계안|안|디자인|옵션|방안|계획|이것|그것|이거|그거|이건|그건)(?:으로|로|을|를|이|가|은|는)?$/u;
/** "With this one": chooses alone where something shall be done with it. */
const KOREAN_WITH_THIS =
  /(?:^| )(?:그걸로|그것으로|걸로|거로|것으로|설계로|설계안으로|안으로|디자인으로|옵션으로|방안으로|계획으로|이대로|그대로)(?:요| 할게요?| 해| 해요| 해주세요| 해줘요?| 하자| 하죠| 합시다| 하겠습니다| 갈게요| 가자| 가죠| 가요| 부탁\S*| 주세요)$/u;
const KOREAN_WITH = /^(?:[이그]?걸|거|꺼|껄|[이그]?것으|[이그]대)로(?:요|이요)?$/u;

/** ㅎㅎ and ㅋㅋ, as NFKC writes them; ㅇㅇ means yes. */
const LAUGHTER = /^(?:[\u110F\u1112]+|\u110B{2,})$/u;

/** Source: contract, discussion §5, read as whole words. */
const KOREAN_APPROVAL = new RegExp(
  [
    '^(?:좋아|좋아요|좋아용|좋아염|조아|조아요|좋습니다|좋네|좋네요|좋군|좋군요|오케이|오케이요|굿|굿굿|콜)$',
    '^(?:(?:\u110B\u110F)+|\u1100+|고고)$', // ㅇㅋ: ok; ㄱㄱ: go
    '^(?:괜찮아|괜찮아요|괜찮습니다|괜찮네|괜찮네요|괜찮군요)$',
    `^확인(?:${DID}|${IS}|합니다|함)?$`,
    '^(?:이걸로|이것으로)(?:요|이요)?$',
    `^${KOREAN_DECIDING}$`,
  ].join('|'),
  'u',
);

const KOREAN_REJECTING = /^(?:말고|말고는|빼고|제외하고|대신|대신에|보다|보다는|아니고|아니라)$/u;

/** Whether a word adds nothing of its own to a choice. */
export function isKnownWord(word: string): boolean {
  return (
    KNOWN.has(word) ||
    KOREAN_APPROVAL.test(word) ||
    KOREAN_DESIGN.test(word) ||
    KOREAN_WITH.test(word) ||
    LAUGHTER.test(word) ||
    (word !== '' && KOREAN_DOING.test(word))
  );
}

/** Whether a bare number may stand beside this word and still name a design. */
export function isKnownBesideNumber(word: string): boolean {
  return (
    (isKnownWord(word) && word !== 'all') ||
    KOREAN_REJECTING.test(word) ||
    /^(?:no|not|of|or|than|over|but|except|because|don't|dont|never|like|love)$/u.test(word)
  );
}

/** Of a clause of known words only. */
export function approvesInKorean(plain: string): boolean {
  return (
    plain.split(' ').some((word) => KOREAN_APPROVAL.test(word)) || KOREAN_WITH_THIS.test(plain)
  );
}

/** Commands to run what is recommended, where nothing else is said. */
export const COMMAND =
  /(?:^| )(?:go ahead|go for it|proceed|do it|run it|start it|ship it|(?:진행|실행|시작)\S*)(?: |$)|^(?:(?:ok|okay|yes|yep|please|just|then|now) )*(?:start|run|go|let's go)(?: (?:please|now|then|go))*$/u;

/** One spelling for phrases that would not be understood word by word. */
export function plainPhrases(text: string): string {
  return text
    .replace(/\b(?:i|we) think (?!so\b|about\b)/gu, '')
    .replace(SLANG, 'do it')
    .replace(/\bfor (?:my|our) needs\b|\bgood enough\b/gu, (phrase) =>
      phrase.startsWith('good') ? 'good' : '',
    )
    .replace(
      /(선택|결정|확정|확인|승인|동의|채택|진행|실행|시작|사용) (?=해|했|할|하|합|함|부탁)/gu,
      '$1',
    )
    .replace(/(?<=해|부탁|돌려) (?=주|줘|드)/gu, '')
    .replace(/(?<=◆ (?:으로|로) )해 볼(?=게요|래요)/gu, '해볼')
    .replace(WOULD_BE_GRATEFUL, '해주세요')
    .replace(WOULD_BE_GOOD, '할게요')
    .replace(PREFERENCE, '좋아요')
    .replace(LIKING, 'i prefer ◆')
    .replace(
      /(?:해 ?주시기|해 ?주길|(?<=진행|실행|시작|선택)) ?(?:바랍니다|바라요|바래요)(?!\p{L})/gu,
      '해주세요',
    )
    .replace(/로 확인(?:해|해주세요|해줘|해줘요|부탁\S*|할게요|하겠습니다)(?= |$)/gu, '로 승인')
    .replace(
      /(?<!\p{L})(?:더 )?(?:좋은|괜찮은|나은) (?:것|거|듯) ?같(?:아요|아|네요|습니다)(?!\p{L})/gu,
      '좋아요',
    )
    .replace(
      /(?<!\p{L})(?:더 )?(?:좋을|괜찮을|나을) (?:것|거|듯) ?같(?:아요|아|네요|습니다)(?!\p{L})/gu,
      '싶어요',
    )
    .replace(/하고 ?싶(?:어요|어|습니다|네요)(?!\p{L})/gu, ' 싶어요')
    .replace(/(?<!\p{L})더 (?=좋아|좋습|괜찮아|괜찮습)/gu, '')
    .replace(/할 (?:거|것|게)(?:예요|에요|요|입니다)?/gu, '할게요')
    .replace(/\s+/gu, ' ')
    .trim();
}

/** "I like option 2", as good as "2번이 좋아요". */
const LIKING =
  /(?<=^|[^\p{L}] )(?:i|we) (?:(?:really|do|definitely|just) )?(?:like|love) ◆(?: (?:the )?(?:best|most|more|better))?(?= |$)/gu;

/** Said for "go ahead" and nothing else. */
const SLANG =
  /^(?:(?:ok|okay|yes|yep|great|perfect|good|please|just|now|then) )*(?:ship it|let's (?:do (?:it|this)|roll|ship it)|make it so|fire away|hit it|kick it off|launch it|sgtm|sounds like a plan)(?: (?:please|now|then|thanks))*$/u;

const WITH_DESIGN = '(?<=◆ ?(?:설계안?|디자인|옵션|안|걸|거|꺼)?(?:으로|로) ?';
const VERB = '(?:진행|실행|시작|선택|결정|확정|사용)?';
const GRATEFUL =
  '(?:(?:정말|너무) )?(?:(?:감사|고맙|좋)겠(?:습니다|어요|네요)|감사하겠(?:습니다|어요)|감사드리겠습니다|돼요|됩니다|될 (?:것|거|듯) ?같(?:아요|습니다|네요))(?!\\p{L})';

/** "2번으로 해주시면 감사하겠습니다", "진행해 주시면 됩니다": a polite order. */
const WOULD_BE_GRATEFUL = new RegExp(
  `(?:${WITH_DESIGN}${VERB})|(?<=^(?:(?:네|예|넵|그럼|이대로|그대로) )?(?:진행|실행|시작)))해주시면 ${GRATEFUL}`,
  'gu',
);
/** "2번으로 하면 될 것 같아요", "2번으로 하는 게 좋겠어요". */
const WOULD_BE_GOOD = new RegExp(
  `${WITH_DESIGN}${VERB})(?:하면|하는 ?게|하는 ?것이|하는 ?편이) (?:(?:더|가장|제일) )?(?:${GRATEFUL}|좋을 (?:것|거|듯) ?같(?:아요|습니다|네요)(?!\\p{L}))`,
  'gu',
);

/** "3번이 마음에 들어요", "2번이 제일 낫네요": of one design, as good as "좋아요". */
const PREFERENCE =
  /(?<=◆ (?:(?:설계안?|디자인|옵션) ?)?(?:(?:이|가|로|으로) )?(?:(?:더|제일|가장) )?)(?:좋겠(?:어요|네요|습니다)|(?:마?맘에|마음에) (?:들어요?|듭니다|드네요|드는군요)|낫(?:네요|습니다|겠어요|겠네요|겠습니다)|나아요)(?!\p{L})/gu;

const FUTURE = "will|i'd|i'll|we'll|to|would|want|you|let|let's|lets|us|be";
const BETWEEN = 'then|just|now|be|to|really|definitely|hereby|please|go|going|you|us';

/** Known words that speak of a decision to come or break off; with a design they choose it. */
export const DECISION_TO_COME = new RegExp(
  `\\b(?:${FUTURE})(?: (?:${BETWEEN}))* (?:confirm|select|choose|approve|agree)(?:d|ed)?\\b|\\b(?:selected|chosen)$|` +
    '\\b(?:will|would|to|want|let it|^be)(?: be)? (?:good|ok|okay)\\b|\\b(?:will|would|be)$|' +
    '\\bgood (?:for a )?(?:start|run|take|pick|use|going)\\b|' +
    '(?:^| )(?:고를게요|원해요|싶어요)(?: |$)|(?:제가|내가|우리가) 확인$|(?<!로) 주세요$|' +
    ' (?:저|제|나|난|전|이|그|것|거|걸|번|가|은|는|을|를|째|로)$',
  'u',
);

/** Asks for a look, not for a run. */
export const CHECK = /(?<!\p{L})확인(?:을|를)? ?(?:해|부탁|주|줘|원해|싶)/u;

/** Praise of one side of the designs approves nothing, and takes nothing back either. */
export const PRAISE = new RegExp(
  [
    '^(?:the |this |its )?(?:price|costs?|speed|quality|idea|structure|budget)(?: is| are| looks?| seems?| sounds?)(?: very| really| quite)? (?:fine|good|great|ok|okay|nice|perfect|reasonable)$',
    '^(?:가격|비용|속도|품질|구성|구조)(?:이|가|은|는|도)? (?:정말 |아주 )?(?:좋아요|좋습니다|좋네요|괜찮아요|괜찮습니다|괜찮네요|적당해요|적당합니다)$',
  ].join('|'),
  'u',
);

/** What an approval may follow with a "but": known, and taken. */
export const CONCESSION = new RegExp(
  [
    "^(?:(?:it's|it is|this is|that's|that is|◆ is|is) )?(?:(?:a bit|a little|quite|rather|somewhat|very) )?(?:expensive|pricey|costly|slow|simple|complex|long)$",
    '^(?:(?:◆|이건|그건|설계는|가격이|가격은|비용이|비용은|속도가|속도는) ?(?:은|는|이|가)? ?)?(?:(?:좀|조금|약간) )?(?:비싸|느리|복잡하|단순하|높|길)(?:지만|긴 하지만|기는 하지만|긴 한데|ㄴ데)?$',
    '^◆ 도 (?:좋|괜찮)지만$',
  ].join('|'),
  'u',
);

/** Takes the edge off a negation word: these agree. */
export const AGREEING_NEGATION =
  /(?:문제|이의|상관)\s*(?:가\s*|는\s*)?없(?:어|어요|습니다|네요|음|고|이)?(?!\p{L})|\bno (?:problem|objections?|doubt)s?\b|\bnot bad\b|\bno (?:further |more |other )?changes?(?: needed| required)?\b/gu;

export const ENGLISH_NEGATION =
  /\b(?:no|not|nope|never|none|neither|nor|cannot|\p{L}+n't|dont|doesnt|didnt|isnt|arent|wasnt|cant|wont|shouldnt|wouldnt|couldnt|hardly|unsure|undecided|nothing|without|rejects?|rejected|refuse|dislike|hate|bad|wrong|worse|worst|cancel|disagree|avoid)\b/u;

export const KOREAN_NEGATION = new RegExp(
  [
    '(?<!\\p{L})(?:안|못)(?=$|[\\s,]|하|해|했|할|합|함|돼|되|됩|됨|된|될|좋|괜찮|맞|골|정|받|났|나)',
    `(?<=${DECIDING}|확인|진행|실행|시작|사용|로|은|는|도|이|가)(?:안|못)\\s*(?:하|해|했|할|합|함|돼|되|됩|됨|된|될|받)`,
    '못\\s*(?:하|해|했|할|합|함|됨)|않|없|아니|아닌|아님|아냐|말고|지\\s*마|말아|말자|싫|별로|부족|아쉬|아쉽|어렵|어려|힘들',
    '반대|거절|거부|불만|불안|불가|불허|모르|몰라|애매|필요|마세요|취소|철회|포기|기각|반려|부동의|미동의|비동의|미승인|불승인|실패',
  ].join('|'),
  'u',
);

/** Not now: no run may start, also where other words approve. */
export const HESITATION = new RegExp(
  [
    '\\b(?:wait|hold|later|yet|before|unsure|undecided|maybe|perhaps|probably|possibly|almost|nearly|guess|suppose|depends)\\b',
    "\\b(?:let me|think about|thinking|not sure|do(?:n't| not) (?:start|run|execute|proceed|go|do)|stop)\\b",
    '\\b(?:select|choose|pick|take|use|run|start) (?:all|everything)\\b|\\ball (?:two|three|of (?:them|these)|(?:the )?(?:designs|options))\\b',
    '(?:모두|전부|[둘셋] 다|(?<!\\p{L})다)\\s*(?:선택|실행|진행|해|할)',
    '\\b(?:tomorrow|tonight|soon|some ?day|next|afterwards?|eventually|postpon\\p{L}*|defer\\p{L}*|delay\\p{L}*|pending)\\b',
    "\\b(?:start|begin|do|go|run|from) (?:over|again|scratch|anew)\\b|\\bfor you\\b|(?:^|\\bi|\\bwe)\\s*\uE000d1\uE001\\s+that\\b|\\bis (?:it|this|that)\\W*$|\\b(?:i'm|i am|we're|we are) (?:all )?(?:good|ok|okay|fine)\\b(?! with| to go)",
    '\\b(?:but|however|except)\\W*$|(?:하지만|그런데|근데|그러나|다만)[^\\p{L}]*$',
    '내일|모레|이따|다음|추후|차후|언젠가|유보|미루|미뤄|대기|예정|검토|처음부터|다시|중(?:이|인|입|임)',
    `(?:${DECIDING}|확인|진행|실행|시작)\\s*(?:하기\\s*)?(?:전|후|중|난|나|더)(?!\\p{L})`,
    '아직|잠깐|잠시|기다|나중|보류|고민|망설|글쎄|혹시|아마|모르겠|생각해|생각\\s*중|전에',
    '(?:시작|실행|진행)\\s*(?:(?:은|을)\\s*)?하지',
  ].join('|'),
  'u',
);

/** Asks instead of choosing, also without a question mark. */
export const QUESTION = new RegExp(
  [
    '\\?',
    '\\b(?:which|whether|what|why|how|who|when|where)\\b',
    "(?:^|[.!;,]\\s*|\\n[^\\S\\n]*)(?:is|are|isn't|does|do (?:i|you|we|they)|did|can|could|would (?:it|you|that|this)|should|will (?:it|you|that|this)|may|shall)\\b",
    '(?:은|는|인|한|던|운)가요?\\s*(?:[.!,\\n]|$)|(?:나요|까요?|니까|냐|는지|은지|인지|할지|을지)\\s*(?:[.!,\\n]|$)',
    '어때|어떨|어떤|어느|무엇|무슨|뭐|뭘|뭔|왜|어떻게|어디|언제|누구|몇|얼마',
  ].join('|'),
  'u',
);

/** Any picture but a friendly one takes an approval back. */
export const DOUBTFUL_SIGN =
  /(?![👍👌✅✔☑🆗🙂😀😃😄😁😊☺🙏🎉🎊💯❤👏💪🚀✨⭐])\p{Extended_Pictographic}/u;
