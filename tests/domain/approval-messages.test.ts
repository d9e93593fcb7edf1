/**
 * What people really write when three designs are shown: a clear approval starts the design that
 * it means, and nothing else ever starts a paid run.
 */
import { chooseDesign, isApproval } from '../../domain/discussion/approval.js';
import type { Design } from '../../domain/design/designs.js';
import { designsByRules } from '../../domain/design/rules.js';
import { intentByRules } from '../../domain/discussion/intents.js';

function rows(text: string): readonly string[] {
  return text
    .split(/[|\n]/u)
    .map((row) => row.trim())
    .filter((row) => row !== '');
}

const ruled = designsByRules(intentByRules('crawl the reviews', 'en'), 'en');
const named = (...names: string[]): readonly Design[] =>
  ruled.map((design, at) => ({ ...design, name: names[at] ?? '', recommended: at === 1 }));

/** Of the simulated models, of the rules, and of a model; the second is the recommended one. */
const SETS = {
  en: [named('Speed First', 'Quality First', 'Balanced'), ruled],
  ko: [
    named('속도 우선 (Speed)', '품질 우선 (Quality)', '균형 (Balanced)'),
    designsByRules(intentByRules('리뷰 수집', 'ko'), 'ko'),
  ],
} as const;

const ENGLISH: Readonly<Record<string, string>> = {
  recommended: `ok | Okay, let's go | Perfect, run it | Yes, go with the recommended design | approved!
    That works, approve | Good choice, go ahead | looks good, start it | sure, go ahead | Yes, start | start | run
    I agree with the recommendation | choose the recommended one | go for it | I am happy with this, go ahead
    Great, thanks. Let's go with the recommendation | ok, start now`,
  first: `Let's do option 1 | Confirm #1 | fine, option 1 | execute option 1 | Ok let's start with option 1 | ok, one
    good! let's use design 1 | The first one looks good to me | one | one please | one is good | I choose one | the speed one
    go with the fast one`,
  second: `Sounds great, go with option 2 | I'd like to go with number two | Number 2 it is | the 2nd one please
    Great, I choose the second design | I've decided: option 2 | I prefer option 2 | I'd prefer option 2
    option2 | Second option | 2 is fine | yep 2 | I'm happy with option 2 | Okay, I'm convinced. Option 2.
    I like the second one best | yes, option 2 | design 2 looks great | my choice is 2`,
  third: `option 3 seems best | I confirm design 3 | Run option 3 | ok do option 3 then | good - option 3
    Let's proceed with the third | The last one, please | my pick: 3`,
};

const KOREAN: Readonly<Record<string, string>> = {
  recommended: `네 진행해주세요 | 추천하는 걸로 할게요 | 추천해 주신 설계로 진행해주세요 | 추천안으로 부탁해요
    그대로 진행해 주세요 | 이대로 실행해주세요 | 이걸로 갈게요 | 이걸로 확정할게요 | 괜찮네요 | 좋습니다 시작해주세요
    아주 좋습니다. 진행하시죠 | 네, 승인합니다 | 확정합니다 | 동의합니다, 진행해 주세요 | 오케이 진행 | ㅇㅋ | ㄱㄱ
    좋아 시작해 | 응 좋아 | 좋은 것 같아요 진행해주세요`,
  first: `첫 번째로 할게요 | 1번 선택 | 1번 선택하겠습니다 | 1번으로 결정 | 결정했어요, 1번이요 | 1번이 마음에 들어요
    속도 우선으로 부탁드립니다 | 속도 우선 설계안으로 진행해 주세요 | 속도 우선이 좋아요 | 속도로 할게요 | 속도 우선 | Speed로 해주세요`,
  second: `좋아요 2번으로 가요 | 2번이요 | 2번 설계안으로 진행해 주세요 | 두 번째 걸로 해주세요 | ok 2번 | 2번 ok
    2번 고고 | ㅇㅇ 2번 | 2번 가자 | 2번으로 실행 | 2번으로 돌려주세요 | 2안으로 할게요 | 옵션 2로 할게요
    두번째가 마음에 들어요 | 2번이 제일 낫네요 | 2번으로 해볼게요 | 2번으로 해주시면 감사하겠습니다 | 1번 말고 2번이요
    비용이 조금 높지만 2번으로 할게요 | 3번도 좋지만 2번으로 할게요 | 2번 괜찮네요 그걸로 해주세요`,
  third: `세번째 안으로 갈게요 | 3번이 나을 것 같아요 | 3번이 나은 것 같아요 | 3번 설계로 시작해 주세요 | 그럼 3번으로 하죠
    마지막 걸로요 | 3번이 좋겠어요`,
};

const INDEX: Readonly<Record<string, number>> = { recommended: 1, first: 0, second: 1, third: 2 };
const approvals = (language: 'en' | 'ko') =>
  Object.entries(language === 'en' ? ENGLISH : KOREAN).flatMap(([which, list]) =>
    rows(list).map((text) => [text, which, language] as const),
  );

test.each([...approvals('en'), ...approvals('ko')])('"%s" runs the %s', (text, which, language) => {
  for (const designs of SETS[language]) {
    expect(isApproval(text, designs)).toBe(true);
    expect(chooseDesign(text, designs)).toBe(designs[INDEX[which] ?? 0]);
  }
});

test.each([
  ['the quality one', 'en', 1, 2],
  ['go with the quality design please', 'en', 1, 2],
  ["I'll take the balanced one", 'en', 2, 1],
  ['품질 우선으로 할게요', 'ko', 1, 2],
  ['균형 설계안이 좋겠어요', 'ko', 2, 1],
  ['Balanced로 해주세요', 'ko', 2, 1],
  ['균형으로 할게요', 'ko', 2, 1],
] as const)('"%s" runs the design that puts it first', (text, language, simulated, byRules) => {
  const wanted = [simulated, byRules];
  for (const [at, designs] of SETS[language].entries()) {
    expect(isApproval(text, designs)).toBe(true);
    expect(chooseDesign(text, designs)).toBe(designs[wanted[at] ?? 0]);
  }
});

const ENGLISH_TALK = rows(`
  Which one would you choose? | Can you explain option 2? | What does option 2 cost? | is 2 ok for 100 reviews
  I'm not sure about option 2 | I don't think option 2 is good | option 2 is too expensive | Make option 2 cheaper
  Option 2 but with fewer agents | use option 2 as a base and add a validator | option 1 and 3 combined | mix 1 and 2
  Neither | none of them | No | no thanks | not good enough | Good start, but I need a chart | Please wait before running
  ok but add Google reviews | I would choose 2 if it was cheaper | what if I choose 2 | Don't run option 1
  hold on, good but wait | can you confirm the price? | Please confirm that it uses Naver | Let me confirm with my boss
  I have to select a vendor first | the selection of apps is wrong | select only 5-star reviews | option 22 | top 2
  A good report needs charts | It's good that it validates, but | okay, what about GDPR | not ok | anything except 3
  Option 4 | option 0 | version 2.0 please | 2 more reviews | Add 2 agents | 5 stars | It should finish in 2 minutes
  I want to see 2 options only | step 3 is unnecessary | In option 3, replace gpt-4o | option 3's validator is unnecessary
  compare 1 and 2 | maybe 2 | 2 or 3? | 1, 2 | hmm ok | I could choose 2 | I was about to choose 2 | You choose | you decide
  OK cancel | I said ok yesterday but changed my mind | selecting is hard | confirmation needed | unconfirmed
  the Balanced one is too slow | Speed First lacks validation | speed is important | quality first please but cheaper
  I want balanced results | I want it balanced | I prefer it balanced | be balanced please | I want balanced | keep it balanced, ok | I need quality | make it balanced | I want a quality design | one more question | pick one
  the quality one but cheaper | what about the quality one | the speed one is too shallow | run twice | start with the reviews
  happy to wait | I'm happy | I prefer 2 to 1 | I prefer fewer agents | not convinced | choose between 1 and 2
  start over | the one with charts | one is missing | which one | I like one of them | run the reviews of one app
`);

const KOREAN_TALK = rows(`
  2번이 뭐예요? | 2번 설명해 주세요 | 2번은 너무 비싸요 | 2번에 검증 단계를 추가해 주세요 | 2번을 더 싸게 해주세요
  2번 좋은데 너무 느려요 | 2번으로 하고 싶은데 너무 비싸요 | 2번으로 하면 얼마나 걸려요 | 2번이랑 3번 합쳐주세요
  아니요 | 싫어요 | 별로예요 | 다 별로예요 | 마음에 안 들어요 | 마음에 드는 게 없어요 | 2번은 마음에 들어요 | 마음에 들어요
  그닥 좋지 않네요 | 안 괜찮은데요 | 괜찮은지 모르겠어요 | 괜찮을까요 | 좋은지 확인해 주세요 | 비용 확인해 주세요
  확인하고 연락드릴게요 | 선택이 어려워요 | 선택지를 더 주세요 | 아직 결정 안 했어요 | 결정 장애가 있어서 | 승인받아야 해요
  동의할 수 없습니다 | 이걸로 충분한가요 | 이것으로 하기엔 비싸요 | 좋아요 수가 많은 리뷰만 모아줘 | 좋아하는 브랜드 위주로
  더 좋은 방법 없나요 | 더 좋은 설계 보여줘 | 다른 설계안 보여줘 | 리뷰를 2번 확인하게 해주세요 | 2번째 에이전트를 빼주세요
  2단계가 필요 없어요 | 3개만 비교해줘 | 3개로 줄여줘 | 에이전트 2개로 해주세요 | 2분 안에 끝나게 해주세요 | 4번으로 할게요
  1번 아니면 2번 | 2번이 나을까요 | 2번이 더 나은 이유가 뭐죠 | 나중에 2번으로 할게요 | 생각해 볼게요 | 2번으로 할까 고민 중이에요
  팀장님께 확인받고 2번으로 할게요 | 2번으로 할지 3번으로 할지 | 2번 빼고 | 2번 아니에요 | 실행하지 마세요 | 시작하지 마
  취소할래요 | 속도가 중요해요 | 품질을 높여주세요 | 균형 있게 해주세요 | 품질 우선은 너무 비싸요 | 균형 설계안에 차트를 추가해줘
  좋은데요 근데 차트도 넣어주세요 | 네 근데 비싸요 | 네? | 확인차 여쭤봐요 | 알아서 선택해 주세요 | 대신 골라줘 | 선택하세요
  이 속도로 진행해 주세요 | 그 품질로 해주세요 | 빠른 속도로 진행해 주세요 | 속도 안 나와요 | 속도 것만 봐요 | 품질로 승부하는 앱
  3번이 더 빠르면 좋겠어요 | 더 싸면 좋겠어요 | 차트를 추가해주시면 감사하겠습니다 | 2번처럼 해주세요 | 2번 기준으로 해주세요
  한번 해볼게요 | 환불을 돌려주세요 | ㅋㅋ | ㅇㅇ | ㅠㅠ | 진행하세요? | 1번도 좋지만 3번도 좋아요
`);

test.each([
  ...ENGLISH_TALK.map((text) => [text, 'en'] as const),
  ...KOREAN_TALK.map((text) => [text, 'ko'] as const),
])('"%s" starts no run', (text, language) => {
  for (const designs of SETS[language]) {
    expect(isApproval(text, designs)).toBe(false);
  }
});

test.each([
  'It is cheap',
  "it's cheap",
  'I want it cheap',
  'be cheap please',
  'really cheap, ok',
  'I want cheap',
])('"%s" chooses no design of that name', (text) => {
  const designs = named('Cheap', 'Deep Dive', 'Middle');
  expect(isApproval(text, designs) && chooseDesign(text, designs) === designs[0]).toBe(false);
  expect(isApproval('take Cheap', designs)).toBe(true);
  expect(isApproval('my choice is Cheap', designs)).toBe(true);
});
