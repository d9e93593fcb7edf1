/** Messages of users who choose: each sentence with its one right reading. */
import { answerOf, meantByYes, readChoice } from '../../../domain/discussion/choices.js';
import { designsByRules } from '../../../domain/design/rules.js';
import { intentByRules } from '../../../domain/discussion/intents.js';

/** Speed, balanced and recommended, quality. */
const SETS = {
  en: designsByRules(intentByRules('crawl the reviews', 'en'), 'en'),
  ko: designsByRules(intentByRules('리뷰 수집', 'ko'), 'ko'),
};
const designsFor = (text: string) => SETS[/\p{Script=Hangul}/u.test(text) ? 'ko' : 'en'];

function rows(text: string): readonly string[] {
  return text
    .split(/[|\n]/u)
    .map((row) => row.trim())
    .filter((row) => row !== '');
}

/** "2" runs the second, "2?" asks whether it is meant; "-" is anything but a choice. */
function readingOf(text: string): string {
  const designs = designsFor(text);
  const choice = readChoice(text, designs);
  if (choice === null) {
    return '-';
  }
  const number = designs.indexOf(choice.design) + 1;
  return choice.kind === 'chooses' ? String(number) : `${number}?`;
}

const READINGS: Readonly<Record<string, string>> = {
  '1': `
  1번으로 갈게요 2번은 너무 비싸요 | [1] | number one | number 1 please | the first | first | 1st | first option
  let's do the first | I'll go with #1 | I would go with option 1 | I like the first one best
  run the first one | not 2. 1. | not option 2 but option 1 | no, the first one | nope, the first one
  nah, 1 | I'd rather go with 1 | 2 is too expensive, 1 | 2 is too expensive, go with 1
  option 2 is too expensive. let's do option 1 | 1 because 2 is too expensive | 1, 2 is too expensive
  go with 1. 2 is too slow | the fast one | the faster one | the quick one | 1번 | 1번으로 | 1번이요 | 1번요
  1번! | 일번 | 일번이요 | 첫 번째 | 첫번째 | 첫번째요 | 첫 번째 걸로 | 첫번째 걸로 할게요 | 첫 번째 거요 | 첫째 | 첫째로 | 첫째 안으로 할게요
  아니 2번 말고 1번 | 아니요 2번 말고 1번이요 | 2번 말고 첫 번째 걸로 해주세요 | 1번으로 할게요. 2번은 너무 느려요 | 2번은 너무 비싸니까 1번으로 할게요
  2번은 비싸서 1번으로 할게요 | 2번은 너무 비싸네요. 1번으로 갈게요 | 2번은 좀 그렇고 1번으로 | 빠른 거 | 빠른 거로 할게요 | 빠른 걸로 해주세요 | 빠른걸로
  제일 빠른 거 | 가장 빠른 걸로 부탁해요 | 속도 우선으로 | 속도 우선안으로 할게요 | I like the first one more
`,
  '2': `
  2번이 맘에 드네요 | 2번 설계안으로 진행해 주시면 감사하겠습니다 | 2️⃣ | ship it | Ship it! | ② | Ⅱ | #2 | # 2 | No. 2 | №2
  Option Two, please! | option #2 | opt 2 | the 2nd | 2nd one | 2nd please | let's go with the second
  let's go for option 2 | go with 2 | I pick 2 | I am going for the second one | I'd go with 2
  I think I'll take option 2 | 2 looks best to me | 2 works for me | 2 sounds right | 2, please | 2 pls
  2! | "2" | yes, 2 | yes please, 2 | ok 2 | number two it is | two | Two please | please run 2
  run with 2 | execute 2 | ship option 2 | ship 2 | Option 2, go! | 2, go ahead | 2 and go
  the balanced one | your recommendation | go with your recommendation | lgtm | LGTM, ship it
  looks good, ship it | ship it please | sgtm | sounds like a plan | do it | go | go! | let's go
  let's do it | let's do this | let's roll | fire away | approved, go | 2 would be good | 2 for me
  2 for sure | definitely 2 | 2 it is | 2 is my choice | choose option 2 for me | 둘째 안으로 가시죠 | 두 번째 걸로
  두번째 걸로 해주세요 | 두 번째로 | 두번째거로 할게요 | 두번째꺼 | 두번째 꺼로 할게요 | 2번째 걸로 할게요 | 2번째로 | 2번째 | 2안 | 2안이요 | 2안으로 가시죠
  2번으로 갑시다 | 2번으로 가시죠 | 2번으로 가즈아 | 2번 가즈아 | 2번으로 하시죠 | 2번으로 하겠습니다 | 2번으로 할래요 | 2번으로 할게 | 2번으로 할게여
  2번으로 해여 | 2번으로 합시다 | 2번으로 진행하겠습니다 | 2번으로 진행 부탁드립니다 | 2번으로 진행 부탁드려요 | 2번으로 해주시겠어요 | 2번으로 해 주시면 좋겠습니다
  2번으로 해 주시면 감사하겠어요 | 2번으로 진행해 주시면 됩니다 | 2번으로 진행해주시면 될 것 같아요 | 2번으로 하면 될 것 같아요 | 2번으로 하면 좋겠어요
  2번으로 하는 게 좋겠어요 | 2번으로 하는게 좋을 것 같아요 | 2번으로 결정했습니다 | 2번으로 정했어요 | 2번으로 정할게요 | 2번으로 고를게요 | 2번 고를게요
  2번을 고르겠습니다 | 2번을 골랐어요 | 2번 선택하겠습니다 | 2번을 선택하고 싶습니다 | 2번 택할게요 | 2번 콜 | 콜 | 2번 ㄱㄱ | 2번 ㄱ | 2번 ㅇㅋ
  2번 부탁해요 | 2번 부탁드립니다 | 2번 주세요 | 2번 할게요 | 2번 해주세요 | 2번 해줘 | 2번 실행 | 2번 실행해 주세요 | 2번 돌려줘 | 2번 시작해줘
  2번이 좋겠어요 | 2번이 좋겠네요 | 2번이 좋을 것 같습니다 | 2번이 나아요 | 2번이 낫겠어요 | 1번보다 2번이 낫네요 | 1번보다 2번이 좋아요
  1번보다는 2번으로 할게요 | 2번이 제일 마음에 들어요 | 2번이 마음에 드네요 | 2번이 맘에 들어요 | 2번이 맘에 듭니다 | 2번 맘에 들어요 | 2번 마음에 드네요
  2번 좋네요 | 2번 좋아요! | 2번 설계로 부탁드릴게요 | 2번 설계가 마음에 들어요 | 2번 설계안이 좋네요 | 2번 설계안으로 진행 부탁드립니다 | 2번 설계안으로 가겠습니다
  2번 디자인으로 갈게요 | 설계안 2로 할게요 | 설계 2번으로 | 옵션2 | 옵션 2번 | 옵션 2번으로 할게요 | 두 번째 설계안 | 두 번째 설계안으로 부탁드립니다
  그럼 2번으로 | 그럼 2번이요 | 네 2번으로 해주세요 | 네, 2번으로 진행해 주세요 | 음 2번 | 음... 2번으로 할게요 | 저는 2번이 좋아요 | 저는 2번으로 할게요
  전 2번 | 저희는 2번으로 진행하겠습니다 | 균형 잡힌 걸로 | 균형잡힌 거 | 추천해 주신 걸로 할게요 | 추천대로 가시죠 | 추천안 | 그렇게 진행해 주세요 | 이대로 고고
  진행해 주시면 감사하겠습니다 | 진행해 주시면 됩니다 | 진행 부탁드릴게요 | 좋습니다 진행하시죠 | 오케이 갑시다 | ㅇㅋㅇㅋ | ㅇㅋ 진행 | 굿 | 굿굿 | 좋아용 | 조아요
  I like option 2 | I like 2 | I like 2. | I love the second one | I really like option 2! | we like #2 | I like option 2, go ahead | I do like option 2
  2번이 좋아요 | 2번이 더 좋아요 | 2번 마음에 들어요 | 2번 진행 바랍니다 | 2번으로 진행해 주시기 바랍니다 | 2번이용 | 2번임 | 2번입니당 | 2번으로여 | 2 thx | 2 plz
`,
  '3': `
  ❸ | (3) | option three | option 3. | design three please | third one please | the third design, thanks
  go for 3 | I'm going with 3 | I'd pick the third | three | please start option 3 | start 3
  proceed with 3 | proceed with the third | actually, 3 | actually 3 | Actually, let's do 3 | no, 3
  sorry, 3 | sorry, I meant 3 | I meant 3 | I mean option 3 | 3 instead | rather 3 | the quality option
  the best quality one | the thorough one | last one | the last one please | 삼번으로 할게요 | 세번째
  세 번째 걸로 부탁드립니다 | 세번째 것으로 해 주세요 | 셋째 | 3번 걸로 | 3번 거로 해줘 | 3번 꺼로 해줘 | 3번걸로 할게요 | 3번안으로 | 3번 안으로 진행해주세요
  2번 아니고 3번이요 | 2번 아니라 3번 | 아니 3번 | 아니다 3번으로 할게요 | 앗 3번이요 | 품질 우선 | 품질 좋은 걸로 | 품질 좋은 거로 할게요 | 품질로 할게요
  마지막 거 | 빠른 거 말고 꼼꼼한 거로 해주세요
`,
  '1?': `
  no, not 2, the first one | Could we do the first one please?
  oops, option 1 | not 2, 1 | not the second, the first | go with 1, since 2 costs too much
  1, since it's cheaper | I choose 1, it is cheaper | the cheapest one | the cheap one please
  the fastest | fast one please | speed | Speed please | speed first | maybe the first one
  the first one? | 2 is worse than 1 | 속도 | 맨 처음 거 | 맨 위에 거 | 제일 싼 거 | 싼 걸로 해주세요 | 저렴한 걸로 할게요
  더 빠른 거로 해주세요 | 더 빠른 거 | make it the fast one
`,
  '2?': `
  no 2 | 2 is better | 2 is better than 1
  option 2 is better than option 1 | option 2 beats option 1 | the second is better than the first
  2 seems better | make it 2 | make that option 2 | give me 2 | give me option 2 please
  can we go with option 2 | can we go with 2? | could you run option 2? | could you please run option 2
  build option 2 | deploy 2 | no not the first, the second | balanced | balanced please | go balanced
  go with balanced | the middle one | recommended | the recommended | whatever you recommend | maybe 2
  2 I guess | I guess 2 | I think 2 | probably 2 | 2 maybe | hmm, 2 | hmm 2 then | leaning towards 2
  I'm leaning toward option 2 | 2 looks interesting | 2 is fine I suppose | option 2 would be nice
  2 all the way | my vote is 2 | my vote goes to 2 | I vote for 2 | 2 wins | 2 ftw | 2 gets my vote
  2 has my vote | put me down for 2 | 2? | option 2? | 1 is worse than 2 | 이번으로 할게요 | 2번으로 진행해 주시겠어요?
  2번으로 해주실래요? | 2번으로 하는 걸로 | 2번 골라주세요 | 2번 픽 | 2번 픽할게요 | 2번이 1번보다 낫네요 | 2번이 더 나아 보여요 | 2번이 더 좋아 보여요
  2번이 좋아 보이네요 | 2번이 괜찮아 보여요 | 2번은 마음에 들어요 | 2번이 딱이네요 | 2번이 딱 좋아요 | 2번이 최고예요 | 균형으로 | 균형 | 중간 거
  가운데 거로 할게요 | 추천 | 2번? | 2번이요? | 2번으로 할까요? | 2번으로 할까 | 아마 2번 | not 1, 2 | 2번이 낫겠죠
  keep 2 | stick with 2 | gimme 2 | accept option 2 | 2번 맘에 듦 | 2번이 마음에 들었어요 | 2번 것이 좋아요 | 3개 중 2번 | 셋 중에 2번
`,
  '3?': `
  I like 3 better | wait, 3 | no 3 please | not the second one, the third one | 2? no, 3 | 2 no 3
  2... no, 3 | I'd rather have 3 | change to 3 | switch to option 3 | quality | quality please
  quality first | let's go with quality | the last | perhaps option 3 | 잠깐 3번으로 할게요 | 다시 생각해보니 3번이 낫네요
  취소하고 3번으로 할게요 | 품질 위주로 | 마지막으로 할게요 | 맨 마지막 걸로
  2, no 3 | 2? no wait, 3 | forget 2, go with 3 | ㄴㄴ 3번 | 2번... 아니 3번이요 | 2번이요. 아 아니다 3번이요 | 아 아니다 3번 | 2번 취소 3번 | 3번으로 바꿀게요
  3번으로 변경할게요 | 3번으로 바꿔주세요 | 3번이라고요 | 3번이라고 했어요
`,
  '-': `
  I like option 2 but make it cheaper | I like option 2's speed | I like the idea of option 2 | I like 2 and 3 | I like 2 agents | do you like 2 | I used to like 2
  I like option 2 with a chart | 1~3번 | 1-3번 | 1~3 | 2 👎 | 2번 ❌ | 모델을 3번으로 바꿔주세요 | 2번을 3번으로 바꿔주세요 | 2번 ㄴㄴ
  option b | 2 as it is balanced | your pick | make it so | +1 for 2 | how much is option 2?
  what does 2 cost | is 2 faster than 1? | why is 2 better than 1? | 2 is too expensive | 2 is too slow
  why 2? | tell me more about 2 | explain option 2 | 2 but cheaper | 2 with fewer agents | 1 and 2
  1 or 2 | neither | none | not 2 | not the first one | anything but 2 | add a step to 2
  make 2 cheaper | option 2 without the critic | use gpt-4o in option 2 | combine 1 and 2 | 2 agents
  10 reviews | in 2 hours | option 5 | don't run 2 | do not start 2 | don't go with 2 | I don't like 2
  I don't want 2 | 2 is not good | please compare 2 and 3 | run 2 tomorrow | later 2 | 2번 안
  2번으로 진행해 주실 수 있나요? | 2번은 얼마예요? | 2번은 얼마예요 | 2번 얼마나 걸려요? | 2번이 뭐가 달라요? | 2번은 어때요? | 2번은 너무 비싸요
  2번은 느려요 | 2번을 더 싸게 해줘 | 2번에 검증 추가해줘 | 2번에서 비평가를 빼줘 | 2번이 왜 좋아요? | 2번 설명해줘 | 2번이랑 3번 차이가 뭐예요 | 2번 말고
  2번은 아니에요 | 2번 싫어요 | 2번이 좋을까요 | 2번이 나을까요 | 2번 정도면 될 것 같아요 | 2번으로 하되 싸게 | 2번으로 하는데 모델은 바꿔주세요 | 2번 보류
  2번은 나중에 | 내일 2번으로 해주세요 | 1번이나 2번 | 1번 2번 둘 다 | 다 별로예요 | 5번 | 2번은 너무 비싸요 1번은 너무 느려요
  1번이 좋아요 근데 2번은 어때요 | 1번으로 가고 2번도 해주세요 | 1번으로 하고 2번의 검증을 추가해줘 | 2번은 비싸서 안돼요 | 2번은 비싸서 1번을 고쳐주세요
  1번은 싫어요 2번은 괜찮은데 비싸요 | 1번으로 갈게요 아니 잠깐 | 1번으로 갈 뻔 했어요 | 1번이 마음에 드네요 하지만 더 싸게 | 1번으로 갈까 말까
  1번으로 가면 얼마예요 | 1번으로 진행하면 언제 끝나요 | 1번이 마음에 드는지 모르겠어요 | 1번이 마음에 들면 할게요 | 1번 마음에 안 드네요 | 1번이 마음에 들지 않아요
  2번 설계안으로 진행해 주시면 안 될까요 | 2번 설계안으로 진행해 주시면 얼마나 드나요 | 2번 설계안으로 진행하지 말아 주시면 감사하겠습니다 | 진행하지 않으시면 감사하겠습니다
  진행해 주시면 감사하겠지만 먼저 검증을 추가해 주세요 | don't ship it | do not ship it | ship it later | ship it tomorrow
  ship it to me by email | when do we ship it | ship it only if it is under $1
  ship it after adding a validator | let's go slower | let's go over option 2 again
  let's go through option 2 | let's not go | let's go back to the drawing board | go away | go back
  go on | go deeper | go to option 2's details | go cheaper | I actually hate 2 | actually 3 agents
  actually 2 is bad | I meant the second step | I mean 2 agents | sorry 2 is bad | sorry, not 2
  not 1, 2 or 3 | no to 2 | no 2s | neither 1 nor 2, 3 | 2? no | 2 no | no, 2 is bad
  1 is too slow, 2 is too expensive | 1 is too slow, 2 too | 1 is too slow and 3 is expensive
  2️⃣ agents | 2️⃣ is too expensive | ② is too expensive | Ⅱ is too slow | World War Ⅱ | IIS logs
  iii is a list marker | step ②를 빼주세요 | ①② | ① ② | 1️⃣2️⃣ | 빠른 거 말고 | 빠른 게 좋아요
  빠른 거로 부탁하고 싶은데 검증도 넣어주세요 | 빠른 거 없나요 | 품질 좋은 거 없나요 | 꼼꼼한 걸로 바꿔주세요 | 균형 있는 식단 리포트 | 속도 좋은 거로 바꿔줘
  faster please | the faster the better | a faster one | I want a faster one | the thorough report one
  굿모닝 | 콜센터 리뷰 | 콜? | 굿? | 조아요? | 그렇게 하지 마세요 | 그렇게 비싸요? | 일번 타자 | 삼번 반복 | 일번으로 수집해줘 | 이번으로 끝내자 | 이번 주 리뷰
  첫째 주 리뷰를 모아줘 | 둘째로 검증을 추가해줘 | 첫째, 차트를 추가해 주세요 | 세 번째 문단은 빼주세요 | 두 번째 것 말고 다른 걸 보여주세요 | 마지막으로 차트를 추가해줘
  마지막 걸로 하려다가 말았어요 | 맨 위에 거 빼주세요 | 1 (but add a chart) | 1. And add a chart | 1 and add a chart
  ok 1; also add a chart | 1 + chart | 1번 + 차트 | 1번, 차트 추가 | 1번 차트 추가 | 1, cheaper | 2, faster | 2 cheap
  2 please but faster | 2 please. Also use Claude. | 2 with Claude | 2번 클로드로 | 2번으로 클로드 써서
  2번으로 할게요 대신 싸게 | 2번으로 할게요 모델은 gpt-4o로 | 2번으로 할게요 단 검증 빼고 | 2번으로 할게요 조건이 있어요 | 2번으로 할게요 라고 말하고 싶지만 비싸요
  "2번으로 할게요"라고 하면 시작되나요 | 2번으로 할게요? | 2번이 맘에 드네요? | 친구는 2번이 맘에 든대요 | 팀장님은 2번이 좋대요 | 2번 좋아요 눌렀어요
  2번이 낫지 않나요 | 2번이 나을 수도 | 2번이 1번보다 비싸네요 | 2번이 1번보다 느리네요 | 2번이 1번보다 못하네요 | 1번보다 2번이 더 비싸요
  2번이 3번보다 안 좋네요 | 2 beats 1 on price, but 3 is best | 2 is better than 1 but too slow
  would 2 be better | 2 would be better with a chart | 2 is the worst | 2 is my least favourite
  I pick neither 1 nor 2 | I take back 2 | take 2 out | take out 2 | drop 2 | kill 2 | skip 2 | forget 2
  lose 2 | no more 2 | 2 is out | 2 is off | not so sure about 2 | 2 is not for me | 2 is no good for me
  I'd never go with 2 | I'd go with 2 if it were cheaper | I'd go with 2, only cheaper
  I'd go with 2 agents | I would go with 2 but
`,
};

test.each(
  Object.entries(READINGS).flatMap(([reading, list]) => rows(list).map((text) => [text, reading])),
)('"%s" reads as %s', (text, reading) => {
  expect(readingOf(text)).toBe(reading);
});

const A_YES = rows(`
  👍 | 👌 | yes | Yes! | yep | sure | 네 | 넵 | 예 | 응 | 그래 | ㅇㅇ | great | perfect | 네 그렇게 해주세요 | 그렇게 해주세요
  이대로 가시죠 | 그대로 가주세요
`);

test.each(A_YES)(
  '"%s" is a yes: it answers our question, and asks for the recommended one',
  (text) => {
    const designs = designsFor(text);
    const [first] = designs;
    expect(readChoice(text, designs)).toBeNull();
    expect(meantByYes(text, designs)).toBe(designs[1]);
    expect(first && answerOf(text, first, designs)).toBe('yes');
  },
);

test.each([
  ...[
    ['ok', 'yes'],
    ['Yes, please!', 'yes'],
    ['좋아요', 'yes'],
    ['네, 진행해 주세요', 'yes'],
    ['go ahead', 'yes'],
  ],
  ...[
    ['1', 'yes'],
    ['yes, option 1', 'yes'],
    ['option 2', 'other'],
    ['yes, but cheaper', 'other'],
  ],
  ...[
    ['no', 'no'],
    ['아니요', 'no'],
    ['No, thanks.', 'no'],
    ['not that one', 'no'],
    ['no, 3', 'other'],
  ],
  ...[
    ['yes?', 'other'],
    ['네?', 'other'],
    ['ok tomorrow', 'other'],
    ['make it cheaper', 'other'],
  ],
])('"%s" answers "Option 1?" with %s', (text, answer) => {
  const designs = designsFor(text);
  const [first] = designs;
  expect(first && answerOf(text, first, designs)).toBe(answer);
});

test('a text that is too long to be a choice is not asked about', () => {
  expect(readingOf(`maybe 2 ${'well '.repeat(60)}`)).toBe('-');
});
